//! The consumers of one producer's signal, and how a batch reaches all of them.
//!
//! A reload replaces the consumers while producers send. A batch goes to all consumers of one list: room is reserved at
//! each before the batch is sent to any, and a reservation ends when the list changes.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use collector_data::{Batch, Signal};

/// One consumer of one signal.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    /// Its path in the configuration, such as `exporters::debug`.
    pub path: Arc<str>,
    pub signal: Signal,
    pub sender: mpsc::Sender<Batch>,
}

/// Where the batches of a producer go.
#[derive(Clone, Debug)]
enum Direction {
    /// Ordered by path, so that producers that share consumers reserve room in one order and never wait for each other.
    Consumers(Arc<[Consumer]>),
    /// Nowhere until the consumers are known.
    Paused(Arc<[Consumer]>),
}

/// Room in the inbox of a consumer; `None` if the consumer has ended.
type Room<'a> = Option<mpsc::Permit<'a, Batch>>;

/// The route from one producer to its consumers. Its channels close when the last owner drops it.
#[derive(Debug)]
pub(crate) struct Route {
    target: watch::Sender<Direction>,
}

impl Route {
    pub(crate) fn new(consumers: Vec<Consumer>) -> Self {
        Route {
            target: watch::Sender::new(Direction::Consumers(ordered(consumers))),
        }
    }

    /// Sends from now on to these. Batches that wait for room go to these as well.
    pub(crate) fn connect(&self, consumers: Vec<Consumer>) {
        self.target.send_replace(Direction::Consumers(ordered(consumers)));
    }

    /// Lets producers wait until consumers are connected again.
    pub(crate) fn pause(&self) {
        let consumers = self.consumers();
        self.target.send_replace(Direction::Paused(consumers));
    }

    /// The same, and frees the inbox of a consumer that ends, so that it can drain.
    pub(crate) fn pause_without(&self, path: &str) {
        let consumers = self.consumers();
        let freed = consumers.iter().cloned().map(|consumer| match &*consumer.path == path {
            true => consumer.closed(),
            false => consumer,
        });
        self.target.send_replace(Direction::Paused(freed.collect()));
    }

    /// The consumers; while paused, those before.
    pub(crate) fn consumers(&self) -> Arc<[Consumer]> {
        match &*self.target.borrow() {
            Direction::Consumers(consumers) | Direction::Paused(consumers) => Arc::clone(consumers),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.consumers().is_empty()
    }

    /// Sends to all consumers. Nothing is sent if this is not awaited to its end.
    pub(crate) async fn send(&self, batch: Batch) {
        let Err(batch) = self.try_send(batch) else { return };
        let mut changes = self.target.subscribe();
        loop {
            let target = changes.borrow_and_update().clone();
            tokio::select! {
                biased;
                // The sender of the changes is here, so this is always a change.
                _ = changes.changed() => {}
                rooms = reserve(&target) => {
                    if let Direction::Consumers(consumers) = &target {
                        return deliver(batch, consumers, rooms);
                    }
                }
            }
        }
    }

    /// Sends if all consumers have room now.
    fn try_send(&self, batch: Batch) -> Result<(), Batch> {
        let target = self.target.borrow();
        let Direction::Consumers(consumers) = &*target else {
            return Err(batch);
        };
        if let [consumer] = &**consumers {
            return match consumer.sender.try_send(batch) {
                Ok(()) => Ok(()),
                Err(TrySendError::Full(batch)) => Err(batch),
                Err(TrySendError::Closed(batch)) => {
                    consumer.refuse(batch);
                    Ok(())
                }
            };
        }
        let mut rooms = Vec::with_capacity(consumers.len());
        for consumer in &**consumers {
            rooms.push(match consumer.sender.try_reserve() {
                Ok(room) => Some(room),
                Err(TrySendError::Closed(())) => None,
                Err(TrySendError::Full(())) => return Err(batch),
            });
        }
        deliver(batch, consumers, rooms);
        Ok(())
    }
}

impl Consumer {
    /// The same consumer after its end.
    fn closed(self) -> Consumer {
        let (sender, _) = mpsc::channel(1);
        Consumer { sender, ..self }
    }

    fn refuse(&self, batch: Batch) {
        batch.ack.dropped(format!("{} has ended", self.path));
    }
}

/// Waits for room at every consumer; for ever while paused.
async fn reserve(target: &Direction) -> Vec<Room<'_>> {
    let Direction::Consumers(consumers) = target else {
        return pending().await;
    };
    let mut rooms = Vec::with_capacity(consumers.len());
    for consumer in &**consumers {
        rooms.push(consumer.sender.reserve().await.ok());
    }
    rooms
}

fn deliver(batch: Batch, consumers: &[Consumer], rooms: Vec<Room<'_>>) {
    let mut last = None;
    for (consumer, room) in consumers.iter().zip(rooms) {
        if let Some((consumer, room)) = last.replace((consumer, room)) {
            send_one(consumer, room, batch.clone());
        }
    }
    match last {
        Some((consumer, room)) => send_one(consumer, room, batch),
        None => batch.ack.delivered(),
    }
}

fn send_one(consumer: &Consumer, room: Room<'_>, batch: Batch) {
    match room {
        Some(room) => room.send(batch),
        None => consumer.refuse(batch),
    }
}

fn ordered(mut consumers: Vec<Consumer>) -> Arc<[Consumer]> {
    consumers.sort_by(|a, b| a.path.cmp(&b.path));
    consumers.into()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;
    use collector_data::{Ack, Outcome, Payload};

    fn consumer(path: &str, capacity: usize) -> (Consumer, mpsc::Receiver<Batch>) {
        let (sender, inbox) = mpsc::channel(capacity);
        let consumer = Consumer {
            path: path.into(),
            signal: Signal::Logs,
            sender,
        };
        (consumer, inbox)
    }

    fn batch() -> (Batch, collector_data::Delivery) {
        let (ack, delivery) = Ack::new();
        (Batch::new(Payload::Logs(Vec::new()), ack), delivery)
    }

    #[tokio::test]
    async fn a_batch_goes_to_all_consumers_of_one_list() {
        let ((fast, mut fast_inbox), (full, mut full_inbox)) = (consumer("a", 4), consumer("b", 1));
        let (added, mut added_inbox) = consumer("c", 4);
        let route = Route::new(vec![full.clone(), fast.clone()]);
        let (first, _first) = batch();
        route.send(first).await;
        let (second, delivery) = batch();
        let mut sending = pin!(route.send(second));
        assert!(poll!(&mut sending).is_pending(), "b is full");
        assert!(fast_inbox.try_recv().is_ok());
        assert!(fast_inbox.try_recv().is_err(), "sent to a although b has no room");
        route.connect(vec![fast, added]);
        sending.await;
        for inbox in [&mut fast_inbox, &mut added_inbox] {
            inbox.try_recv().unwrap().ack.delivered();
        }
        assert_eq!(delivery.await, Outcome::Delivered);
        drop(full);
        assert!(full_inbox.recv().await.is_some());
        assert!(full_inbox.recv().await.is_none(), "closed: the route does not use it");
    }

    #[tokio::test]
    async fn a_paused_route_keeps_producers_waiting() {
        let (first, mut first_inbox) = consumer("a", 4);
        let (second, mut second_inbox) = consumer("b", 4);
        let route = Route::new(vec![first]);
        route.pause();
        let (sent, _delivery) = batch();
        let mut sending = pin!(route.send(sent));
        assert!(poll!(&mut sending).is_pending());
        assert!(!route.is_empty());
        route.connect(vec![second]);
        sending.await;
        assert!(second_inbox.try_recv().is_ok());
        assert!(first_inbox.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_removed_consumer_drains_while_the_route_is_paused() {
        let (first, mut first_inbox) = consumer("a", 4);
        let (second, mut second_inbox) = consumer("b", 4);
        let route = Route::new(vec![first, second]);
        let (sent, _delivery) = batch();
        route.send(sent).await;
        route.pause_without("a");
        assert!(first_inbox.recv().await.is_some());
        assert!(first_inbox.recv().await.is_none(), "closed");
        assert!(second_inbox.try_recv().is_ok());
        assert!(poll!(pin!(second_inbox.recv())).is_pending());
        assert!(!route.is_empty());
    }

    #[tokio::test]
    async fn an_ended_consumer_does_not_keep_the_others_waiting() {
        let ((gone, _), (alive, mut inbox)) = (consumer("a", 1), consumer("b", 1));
        let route = Route::new(vec![gone, alive]);
        for _ in 0..2 {
            let (sent, delivery) = batch();
            let mut sending = pin!(route.send(sent));
            if poll!(&mut sending).is_pending() {
                inbox.recv().await.unwrap().ack.delivered();
                sending.await;
            }
            drop(delivery);
        }
        assert!(inbox.recv().await.is_some());
    }
}
