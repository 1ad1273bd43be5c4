//! Between the tracker and the pipeline: what is on its way to be taken, without anybody waiting for it.

use std::future::pending;
use std::time::Duration;

use collector_data::Delivery;
use collector_data::{Ack, Batch};
use collector_runtime::Outlet;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

/// How many batches of a [paced](Lane::send_paced) sequence are on their way at a time.
pub const ON_THE_WAY: usize = 4;

type Batches = Box<dyn Iterator<Item = Batch> + Send>;

/// One batch on its way to an outlet, and those that follow it, which are made when it is their turn.
pub struct Lane {
    outlet: Outlet,
    sending: Option<BoxFuture<'static, ()>>,
    following: Option<Batches>,
    pace: Option<Pace>,
}

/// Batches that were taken and are not delivered yet.
struct Pace {
    on_the_way: FuturesUnordered<Delivery>,
    /// How long their delivery is waited for.
    patience: Duration,
    until: Instant,
}

impl Pace {
    /// An acknowledgement for the next batch.
    fn ack(&mut self) -> Ack {
        let (ack, delivery) = Ack::new();
        self.on_the_way.push(delivery);
        self.until = Instant::now() + self.patience;
        ack
    }

    /// Waits until another batch may go.
    async fn wait(&mut self) {
        if self.on_the_way.len() < ON_THE_WAY {
            return;
        }
        tokio::select! {
            _ = self.on_the_way.next() => {}
            () = sleep_until(self.until) => self.on_the_way.clear(),
        }
    }
}

impl Lane {
    /// A lane that leads to `outlet`.
    pub fn new(outlet: Outlet) -> Self {
        Lane {
            outlet,
            sending: None,
            following: None,
            pace: None,
        }
    }

    /// Whether nobody takes what is sent.
    pub fn is_closed(&self) -> bool {
        self.outlet.is_empty()
    }

    /// True if the queue is empty.
    pub fn is_idle(&self) -> bool {
        self.sending.is_none() && self.following.is_none()
    }

    /// Sends these after the batch that is being taken, instead of what would have followed it.
    pub fn send(&mut self, batches: impl IntoIterator<Item = Batch, IntoIter: Send + 'static>) {
        self.following = Some(Box::new(batches.into_iter()));
        self.pace = None;
    }

    /// The same, but only [`ON_THE_WAY`] of them are on their way at a time, so that many do not fill the memory. Those whose
    /// delivery takes longer than `patience` are not waited for: one exporter that is behind holds up no other.
    /// The batches' own acknowledgements are replaced.
    pub fn send_paced(
        &mut self,
        patience: Duration,
        batches: impl IntoIterator<Item = Batch, IntoIter: Send + 'static>,
    ) {
        self.send(batches);
        self.pace = Some(Pace {
            on_the_way: FuturesUnordered::new(),
            patience,
            until: Instant::now(),
        });
    }

    /// Resolves when one batch was taken or none is left; never while idle. May be dropped and called again at any
    /// time.
    pub async fn step(&mut self) {
        if self.sending.is_none() {
            let Some(following) = &mut self.following else {
                return pending().await;
            };
            if let Some(pace) = &mut self.pace {
                pace.wait().await;
            }
            let Some(mut batch) = following.next() else {
                self.following = None;
                return;
            };
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
    use collector_data::Payload;
    use tokio::sync::mpsc;

    use super::*;

    fn lane() -> (Lane, mpsc::Receiver<Batch>) {
        let id = ComponentId {
            type_name: "test".into(),
            name: None,
        };
        let (sender, receiver) = mpsc::channel(64);
        (Lane::new(Outlet::new(vec![(id, sender)])), receiver)
    }

    fn batches(count: usize) -> Vec<Batch> {
        let batch = |_| Batch::new(Payload::Metrics(Vec::new()), Ack::unwatched());
        (0..count).map(batch).collect()
    }

    /// The batches received within that time.
    async fn taken(lane: &mut Lane, receiver: &mut mpsc::Receiver<Batch>, time: Duration) -> Vec<Batch> {
        let _ = tokio::time::timeout(time, async {
            while !lane.is_idle() {
                lane.step().await;
            }
        })
        .await;
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn limits_batches_in_flight() {
        let (mut lane, mut receiver) = lane();
        let patience = Duration::from_secs(10);
        lane.send_paced(patience, batches(11));
        let soon = Duration::from_secs(1);
        let mut first = taken(&mut lane, &mut receiver, soon).await;
        assert_eq!(first.len(), ON_THE_WAY);
        first.remove(2).ack.delivered();
        let next = taken(&mut lane, &mut receiver, soon).await;
        assert_eq!(next.len(), 1, "one was delivered");
        assert_eq!(taken(&mut lane, &mut receiver, soon).await.len(), 0);
        let late = taken(&mut lane, &mut receiver, patience).await;
        assert_eq!(late.len(), ON_THE_WAY, "patience is over");
        // A new sequence owes nothing to the one before it.
        lane.send_paced(patience, batches(3));
        assert_eq!(taken(&mut lane, &mut receiver, soon).await.len(), 3);
        assert!(lane.is_idle());
    }
}
