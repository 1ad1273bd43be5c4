//! Queues and watches that components let a snapshot of the process read. Nothing is read until a snapshot is taken.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use collector_data::Signal;

/// The fill of a sending queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueReading {
    /// Queued and in flight, in `unit`.
    pub size: u64,
    /// In `unit`.
    pub capacity: u64,
    /// `requests`, `items` or `bytes`.
    pub unit: &'static str,
}

/// The state of one list and watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchReading {
    /// The resource as own metrics name it: `jobs`, `job events`.
    pub resource: String,
    /// `None` for the whole cluster.
    pub namespace: Option<String>,
    /// The first list is complete.
    pub listed: bool,
    /// The permissions of the collector do not include it, and its receiver works without it.
    pub denied: bool,
    /// Why the last list or watch failed.
    pub problem: Option<String>,
    /// The time since the last data arrived.
    pub silence: Duration,
    /// How often it resumed or listed again.
    pub restarts: u64,
}

/// Reads a queue; `None` once it has ended.
pub(crate) type ReadQueue = Box<dyn Fn() -> Option<QueueReading> + Send + Sync>;
/// Reads the watches of a receiver; `None` once they have ended.
pub(crate) type ReadWatches = Box<dyn Fn() -> Option<Vec<WatchReading>> + Send + Sync>;

/// Everything that a snapshot reads; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Readings(Arc<Mutex<Readers>>);

#[derive(Default)]
struct Readers {
    /// With the path of the exporter.
    queues: Vec<(String, Signal, ReadQueue)>,
    /// With the path of the receiver.
    watches: Vec<(String, ReadWatches)>,
}

impl Readings {
    pub(crate) fn add_queue(&self, exporter: &str, signal: Signal, read: ReadQueue) {
        let queues = &mut self.locked().queues;
        // Reloads would otherwise collect the ended ones.
        queues.retain(|(.., read)| read().is_some());
        queues.push((exporter.to_owned(), signal, read));
    }

    pub(crate) fn add_watches(&self, receiver: &str, read: ReadWatches) {
        let watches = &mut self.locked().watches;
        watches.retain(|(other, read)| other != receiver && read().is_some());
        watches.push((receiver.to_owned(), read));
    }

    /// The queues that exist, in the order of exporters and signals.
    pub(crate) fn queues(&self) -> Vec<(String, Signal, QueueReading)> {
        let readers = self.locked();
        let read = |(exporter, signal, read): &(String, Signal, ReadQueue)| Some((exporter.clone(), *signal, read()?));
        let mut queues: Vec<_> = readers.queues.iter().filter_map(read).collect();
        queues.sort_by(|(a, x, _), (b, y, _)| (a, x).cmp(&(b, y)));
        queues
    }

    /// The watches that exist, by receiver, each receiver's in its own order.
    pub(crate) fn watches(&self) -> Vec<(String, WatchReading)> {
        let readers = self.locked();
        let mut watches = Vec::new();
        for (receiver, read) in &readers.watches {
            let all = read().into_iter().flatten();
            watches.extend(all.map(|watch| (receiver.clone(), watch)));
        }
        watches.sort_by(|(a, _), (b, _)| a.cmp(b));
        watches
    }

    fn locked(&self) -> MutexGuard<'_, Readers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readers = self.locked();
        write!(f, "{} queues, {} watches", readers.queues.len(), readers.watches.len())
    }
}
