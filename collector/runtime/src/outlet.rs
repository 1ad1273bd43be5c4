//! Channels between components: bounded, one way into each consumer for each signal, fan-out by cloning the pointer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::route::{Consumer, Route};
use collector_config::ComponentId;
use collector_data::{Batch, Signal};

/// How many batches of a signal wait in front of a component before their producers wait too.
pub const INBOX_CAPACITY: usize = 64;

/// The receiving end in front of a processor, connector or exporter: one channel for each incoming signal, so that a
/// component without room for one signal still receives the others.
#[derive(Debug)]
pub struct Inbox {
    /// The channels that are not closed; the next one to poll comes first.
    channels: Vec<mpsc::Receiver<Batch>>,
}

impl Inbox {
    /// An inbox without channels: closed from the beginning.
    pub fn empty() -> Self {
        Inbox { channels: Vec::new() }
    }

    /// Adds a channel.
    pub fn add(&mut self, channel: mpsc::Receiver<Batch>) {
        self.channels.push(channel);
    }

    /// The next batch of any signal, no channel before the others. `None` once every producer is gone and all batches
    /// are taken: then the component flushes and ends. Nothing is lost if this is not awaited to its end.
    pub async fn recv(&mut self) -> Option<Batch> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Batch>> {
        let mut at = 0;
        while let Some(channel) = self.channels.get_mut(at) {
            match channel.poll_recv(context) {
                Poll::Ready(Some(batch)) => {
                    self.channels.rotate_left(at + 1);
                    return Poll::Ready(Some(batch));
                }
                Poll::Ready(None) => drop(self.channels.remove(at)),
                Poll::Pending => at += 1,
            }
        }
        match self.channels.is_empty() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }

    /// The channels, for a component that takes from each when it has room for its signal.
    pub fn into_channels(self) -> Vec<mpsc::Receiver<Batch>> {
        self.channels
    }
}

impl From<mpsc::Receiver<Batch>> for Inbox {
    fn from(channel: mpsc::Receiver<Batch>) -> Self {
        Inbox {
            channels: vec![channel],
        }
    }
}

/// The sending ends to every consumer of one signal. Clones share the consumers, which a reload may replace.
#[derive(Clone, Debug)]
pub struct Outlet {
    route: Arc<Route>,
}

impl Outlet {
    /// An outlet to the given consumers.
    pub fn new(consumers: Vec<(ComponentId, mpsc::Sender<Batch>)>) -> Self {
        let consumers = consumers.into_iter().map(|(id, sender)| Consumer {
            path: id.to_string().into(),
            signal: Signal::Logs,
            sender,
        });
        Outlet::from(Route::new(consumers.collect()))
    }

    /// Sends the batch to every consumer, as soon as all have room. If the consumers change meanwhile, it goes to the new
    /// ones only. Nothing is sent if this is not awaited to its end.
    ///
    /// A consumer that has ended acknowledges the batch as `Dropped`, and so it does for the batches that waited in its
    /// inbox. The runtime detects the ended component by itself.
    pub async fn send(&self, batch: Batch) {
        self.route.send(batch).await;
    }

    /// True if the signal has no consumer, so that making the data is unnecessary.
    pub fn is_empty(&self) -> bool {
        self.route.is_empty()
    }

    pub(crate) fn route(&self) -> &Arc<Route> {
        &self.route
    }
}

impl Default for Outlet {
    fn default() -> Self {
        Outlet::from(Route::new(Vec::new()))
    }
}

impl From<Route> for Outlet {
    fn from(route: Route) -> Self {
        Outlet { route: Arc::new(route) }
    }
}

impl From<Arc<Route>> for Outlet {
    fn from(route: Arc<Route>) -> Self {
        Outlet { route }
    }
}

/// Where a receiver or connector sends what it makes, by signal.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// To the pipelines that carry logs.
    pub logs: Outlet,
    /// To the pipelines that carry metrics.
    pub metrics: Outlet,
    /// To the pipelines that carry traces.
    pub traces: Outlet,
}

impl Outputs {
    /// The outlet of a signal.
    pub fn of(&mut self, signal: Signal) -> &mut Outlet {
        match signal {
            Signal::Logs => &mut self.logs,
            Signal::Metrics => &mut self.metrics,
            Signal::Traces => &mut self.traces,
        }
    }

    /// Sends a batch to the outlet of its signal.
    pub async fn send(&self, batch: Batch) {
        match batch.payload.signal() {
            Signal::Logs => self.logs.send(batch).await,
            Signal::Metrics => self.metrics.send(batch).await,
            Signal::Traces => self.traces.send(batch).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_data::Payload;
    use collector_data::{Ack, Outcome};

    fn id(type_name: &str) -> ComponentId {
        ComponentId {
            type_name: type_name.into(),
            name: None,
        }
    }

    #[tokio::test]
    async fn a_consumer_that_is_gone_is_named_in_the_outcome() {
        let (alive, mut inbox) = mpsc::channel(1);
        let (gone, _) = mpsc::channel(1);
        let outlet = Outlet::new(vec![(id("gone"), gone), (id("alive"), alive)]);
        let (ack, delivery) = Ack::new();
        outlet.send(Batch::new(Payload::Logs(Vec::new()), ack)).await;
        inbox.recv().await.unwrap().ack.delivered();
        assert_eq!(delivery.await, Outcome::Dropped("gone has ended".into()));
    }

    #[tokio::test]
    async fn what_waits_in_a_dead_inbox_is_dropped() {
        let (sender, inbox) = mpsc::channel(1);
        let outlet = Outlet::new(vec![(id("a"), sender)]);
        let (ack, delivery) = Ack::new();
        outlet.send(Batch::new(Payload::Logs(Vec::new()), ack)).await;
        drop(inbox);
        assert!(matches!(delivery.await, Outcome::Dropped(_)));
    }

    #[tokio::test]
    async fn every_channel_of_an_inbox_has_its_turn_and_the_last_closes_it() {
        let mut inbox = Inbox::empty();
        let mut producers = Vec::new();
        for payload in [Payload::Logs(vec![]), Payload::Metrics(vec![]), Payload::Traces(vec![])] {
            let (sender, channel) = mpsc::channel(4);
            for _ in 0..2 {
                let batch = Batch::new(payload.clone(), Ack::unwatched());
                sender.send(batch).await.unwrap();
            }
            producers.push(sender);
            inbox.add(channel);
        }
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(inbox.recv().await.unwrap().payload.signal());
        }
        assert_eq!(seen[..3], Signal::ALL);
        assert_eq!(seen[3..], Signal::ALL);
        drop(producers.pop());
        assert!(futures_util::poll!(std::pin::pin!(inbox.recv())).is_pending());
        let last = Batch::new(Payload::Logs(vec![]), Ack::unwatched());
        producers[0].send(last).await.unwrap();
        drop(producers);
        assert!(inbox.recv().await.is_some());
        assert!(inbox.recv().await.is_none());
    }

    #[tokio::test]
    async fn without_a_consumer_it_is_delivered() {
        let (ack, delivery) = Ack::new();
        let outputs = Outputs::default();
        outputs.send(Batch::new(Payload::Traces(Vec::new()), ack)).await;
        assert_eq!(delivery.await, Outcome::Delivered);
    }
}
