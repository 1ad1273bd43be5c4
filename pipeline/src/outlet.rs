//! Channels between components: bounded, one inbox for each consumer, fan-out by cloning the pointer.

use tokio::sync::mpsc;

use crate::batch::{Batch, Signal};
use crate::component::ComponentId;

/// How many batches wait in front of a component before its producers wait too.
pub const INBOX_CAPACITY: usize = 64;

/// The receiving end in front of a processor, connector or exporter. `recv` returns `None` once every
/// producer is gone and all batches are taken: then the component flushes and ends.
pub type Inbox = mpsc::Receiver<Batch>;

/// The sending ends to every consumer of one signal.
#[derive(Clone, Debug, Default)]
pub struct Outlet {
    consumers: Vec<(ComponentId, mpsc::Sender<Batch>)>,
}

impl Outlet {
    /// An outlet to the given consumers.
    pub fn new(consumers: Vec<(ComponentId, mpsc::Sender<Batch>)>) -> Self {
        Outlet { consumers }
    }

    /// Hands the batch to every consumer, waiting for room.
    ///
    /// A consumer that is gone leaves the batch's acknowledgement undecided there, which counts as a loss; the
    /// runtime notices the dead component by itself.
    pub async fn send(&self, batch: Batch) {
        let Some(((_, last), others)) = self.consumers.split_last() else {
            batch.ack.delivered();
            return;
        };
        for (_, consumer) in others {
            let _ = consumer.send(batch.clone()).await;
        }
        let _ = last.send(batch).await;
    }

    /// Whether nobody consumes this signal, so that making the data can be spared.
    pub fn is_empty(&self) -> bool {
        self.consumers.is_empty()
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
