//! Sends batches to the pipeline without blocking the receiver's loop.

use std::future::pending;
use std::time::Duration;

use collector_data::Delivery;
use collector_data::{Ack, Batch};
use collector_runtime::Outlet;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

/// How many batches of a [paced](BatchSender::send_paced) sequence are in flight at a time.
pub(crate) const IN_FLIGHT: usize = 4;

type Batches = Box<dyn Iterator<Item = Batch> + Send>;

/// The batch that is being sent to an outlet, and those after it, each made when it is its turn.
pub(crate) struct BatchSender {
    outlet: Outlet,
    sending: Option<BoxFuture<'static, ()>>,
    queue: Option<Batches>,
    pace: Option<Pace>,
}

/// How the batches of a [paced](BatchSender::send_paced) sequence are spread over time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    /// The time between two batches, unless the sequence is late.
    pub(crate) distance: Duration,
    /// How long to wait for a delivery.
    pub(crate) patience: Duration,
}

/// Batches that are not delivered yet.
struct Pace {
    in_flight: FuturesUnordered<Delivery>,
    pacing: Pacing,
    /// When the next batch is due.
    next: Instant,
    until: Instant,
}

impl Pace {
    /// The acknowledgement of the next batch.
    fn ack(&mut self) -> Ack {
        let (ack, delivery) = Ack::new();
        self.in_flight.push(delivery);
        self.next += self.pacing.distance;
        self.until = Instant::now() + self.pacing.patience;
        ack
    }

    /// Waits until another batch may be sent.
    async fn wait(&mut self) {
        sleep_until(self.next).await;
        if self.in_flight.len() < IN_FLIGHT {
            return;
        }
        tokio::select! {
            _ = self.in_flight.next() => {}
            () = sleep_until(self.until) => self.in_flight.clear(),
        }
    }
}

impl BatchSender {
    pub(crate) fn new(outlet: Outlet) -> Self {
        BatchSender {
            outlet,
            sending: None,
            queue: None,
            pace: None,
        }
    }

    /// Takes the batches with their outlet; leaves a sender to nobody.
    pub(crate) fn take(&mut self) -> BatchSender {
        std::mem::replace(self, BatchSender::new(Outlet::default()))
    }

    /// True if no component receives the batches.
    pub(crate) fn is_closed(&self) -> bool {
        self.outlet.is_empty()
    }

    /// True if nothing is being sent or queued.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.is_none() && self.queue.is_none()
    }

    /// Sends these after the batch that is being sent. They replace the queued ones.
    pub(crate) fn send(&mut self, batches: impl IntoIterator<Item = Batch, IntoIter: Send + 'static>) {
        self.queue = Some(Box::new(batches.into_iter()));
        self.pace = None;
    }

    /// The same, spread over time and with at most [`IN_FLIGHT`] undelivered batches at a time, which bounds the memory. After
    /// its patience the next batch is sent all the same: a slow exporter delays no other. Replaces the acknowledgements of the
    /// batches.
    pub(crate) fn send_paced(
        &mut self,
        pacing: Pacing,
        batches: impl IntoIterator<Item = Batch, IntoIter: Send + 'static>,
    ) {
        self.send(batches);
        let now = Instant::now();
        self.pace = Some(Pace {
            in_flight: FuturesUnordered::new(),
            pacing,
            next: now,
            until: now,
        });
    }

    /// Resolves when the pipeline took a batch, the next one is empty, or none is left; never while idle. May be dropped and called again at any
    /// time.
    pub(crate) async fn step(&mut self) {
        if self.sending.is_none() {
            let Some(queue) = &mut self.queue else {
                return pending().await;
            };
            if let Some(pace) = &mut self.pace {
                pace.wait().await;
            }
            let Some(mut batch) = queue.next() else {
                self.queue = None;
                return;
            };
            if batch.payload.items() == 0 {
                return;
            }
            if let Some(pace) = &mut self.pace {
                batch.ack = pace.ack();
            }
            let outlet = self.outlet.clone();
            self.sending = Some(Box::pin(async move { outlet.send(batch).await }));
        }
        if let Some(sending) = &mut self.sending {
            sending.await;
            self.sending = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use collector_config::ComponentId;
    use collector_data::{Payload, Signal};
    use collector_testing::one_item;
    use tokio::sync::mpsc;

    use super::*;

    fn batch_sender() -> (BatchSender, mpsc::Receiver<Batch>) {
        let id = ComponentId {
            type_name: "test".into(),
            name: None,
        };
        let (sender, receiver) = mpsc::channel(64);
        (BatchSender::new(Outlet::new(vec![(id, sender)])), receiver)
    }

    /// Without a time between batches.
    fn pacing(patience: Duration) -> Pacing {
        Pacing {
            distance: Duration::ZERO,
            patience,
        }
    }

    fn batches(count: usize) -> Vec<Batch> {
        let batch = |_| Batch::new(one_item(Signal::Metrics), Ack::unwatched());
        (0..count).map(batch).collect()
    }

    /// The batches received within that time.
    async fn received(sender: &mut BatchSender, receiver: &mut mpsc::Receiver<Batch>, time: Duration) -> Vec<Batch> {
        let _ = tokio::time::timeout(time, async {
            while !sender.is_idle() {
                sender.step().await;
            }
        })
        .await;
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn limits_batches_in_flight() {
        let (mut sender, mut receiver) = batch_sender();
        let patience = Duration::from_secs(10);
        sender.send_paced(pacing(patience), batches(11));
        let soon = Duration::from_secs(1);
        let mut first = received(&mut sender, &mut receiver, soon).await;
        assert_eq!(first.len(), IN_FLIGHT);
        first.remove(2).ack.delivered();
        let next = received(&mut sender, &mut receiver, soon).await;
        assert_eq!(next.len(), 1, "one was delivered");
        assert_eq!(received(&mut sender, &mut receiver, soon).await.len(), 0);
        let late = received(&mut sender, &mut receiver, patience).await;
        assert_eq!(late.len(), IN_FLIGHT, "patience is over");
        // A new sequence does not wait for the one before it.
        sender.send_paced(pacing(patience), batches(3));
        assert_eq!(received(&mut sender, &mut receiver, soon).await.len(), 3);
        assert!(sender.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn spreads_batches_and_catches_up() {
        let (mut sender, mut receiver) = batch_sender();
        let second = Duration::from_secs(1);
        let pacing = Pacing {
            distance: second,
            patience: second * 10,
        };
        sender.send_paced(pacing, batches(9));
        let half = second / 2;
        let mut sent = Vec::new();
        for wait in [half, second, second] {
            let batches = received(&mut sender, &mut receiver, wait).await;
            sent.push(batches.len());
            batches.into_iter().for_each(|batch| batch.ack.delivered());
        }
        assert_eq!(sent, [1, 1, 1]);
        // Nothing is sent for a while, so several are due at once.
        tokio::time::advance(second * 3 + half).await;
        let late = received(&mut sender, &mut receiver, Duration::from_millis(1)).await;
        assert_eq!(late.len(), 4);
        late.into_iter().for_each(|batch| batch.ack.delivered());
        assert_eq!(received(&mut sender, &mut receiver, second * 3).await.len(), 2);
        assert!(sender.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn skips_empty_batches() {
        let (mut sender, mut receiver) = batch_sender();
        let empty = Batch::new(Payload::Metrics(Vec::new()), Ack::unwatched());
        sender.send_paced(
            pacing(Duration::from_secs(10)),
            std::iter::once(empty).chain(batches(1)),
        );
        let sent = received(&mut sender, &mut receiver, Duration::from_secs(1)).await;
        assert_eq!(sent.len(), 1);
        assert!(sender.is_idle());
    }
}
