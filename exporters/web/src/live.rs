//! The live streams: every kept event goes to every client, through one bounded channel.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::store::{Events, StoredEvent};

/// Events that wait for a slow client. A client that is further behind loads its page again.
pub(crate) const CAPACITY: usize = 256;

/// All live streams.
pub(crate) struct Live {
    sender: broadcast::Sender<Arc<Streamed>>,
    clients: Arc<AtomicU64>,
    current: Mutex<Numbering>,
    /// No stream is open and none begins: the exporter ends.
    shutdown: CancellationToken,
}

/// The numbers of events are those of one process, until it reads its store.
struct Numbering {
    epoch: u64,
    ended: CancellationToken,
}

/// An event of a stream.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) number: u64,
    /// The row as JSON.
    pub(crate) json: String,
}

impl Streamed {
    fn new(number: u64, entry: &StoredEvent) -> Arc<Self> {
        Arc::new(Streamed {
            number,
            json: serde_json::to_string(&entry.listed).unwrap_or_default(),
        })
    }
}

impl Live {
    pub(crate) fn new() -> Self {
        let shutdown = CancellationToken::new();
        Live {
            sender: broadcast::channel(CAPACITY).0,
            clients: Arc::default(),
            current: Mutex::new(Numbering::new(&shutdown)),
            shutdown,
        }
    }

    /// Sends an event. The caller holds the lock of the events.
    pub(crate) fn send(&self, number: u64, entry: &StoredEvent) {
        if self.sender.receiver_count() > 0 {
            // Fails if the last client has left.
            let _ = self.sender.send(Streamed::new(number, entry));
        }
    }

    /// Ends the streams: their clients connect again, and load their pages again.
    pub(crate) fn restart(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, Numbering::new(&self.shutdown));
        before.ended.cancel();
    }

    /// Ends the streams for good.
    pub(crate) fn end(&self) {
        self.shutdown.cancel();
    }

    /// True after [`end`](Self::end).
    pub(crate) fn is_ended(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// The number of clients.
    pub(crate) fn clients(&self) -> u64 {
        self.clients.load(Ordering::Relaxed)
    }

    /// A client that has received the event `last_id`. The caller holds the lock of the events.
    pub(crate) fn subscribe(&self, events: &Events, last_id: Option<&str>) -> Subscription {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = events.next() - 1;
        let after = last_id.map(|id| position(id, current.epoch).filter(|last| can_continue(events, *last)));
        let missed = match after {
            Some(Some(last)) => events
                .after(last)
                .map(|(number, entry)| Streamed::new(number, entry))
                .collect(),
            Some(None) | None => VecDeque::new(),
        };
        self.clients.fetch_add(1, Ordering::Relaxed);
        Subscription {
            epoch: current.epoch,
            missed,
            must_reload: after == Some(None),
            last: after.flatten().unwrap_or(newest),
            events: self.sender.subscribe(),
            ended: current.ended.clone(),
            clients: Arc::clone(&self.clients),
        }
    }
}

/// The number in an id of this numbering.
fn position(id: &str, epoch: u64) -> Option<u64> {
    let (of, number) = id.split_once('-')?;
    (u64::from_str_radix(of, 16) == Ok(epoch)).then(|| number.parse().ok())?
}

/// True if all events after a number are kept, and they are few.
fn can_continue(events: &Events, last: u64) -> bool {
    let newest = events.next() - 1;
    last <= newest
        && newest - last <= CAPACITY as u64
        && (last == newest || events.first().is_some_and(|first| first <= last + 1))
}

impl Numbering {
    fn new(shutdown: &CancellationToken) -> Self {
        Numbering {
            epoch: RandomState::new().hash_one(std::process::id()),
            ended: shutdown.child_token(),
        }
    }
}

/// A client of the live stream.
pub(crate) struct Subscription {
    epoch: u64,
    /// Events after the last one that the client has, oldest first.
    pub(crate) missed: VecDeque<Arc<Streamed>>,
    /// True if the client missed events that cannot be sent.
    pub(crate) must_reload: bool,
    /// The number of the last event that was sent.
    pub(crate) last: u64,
    pub(crate) events: broadcast::Receiver<Arc<Streamed>>,
    pub(crate) ended: CancellationToken,
    clients: Arc<AtomicU64>,
}

impl Subscription {
    /// The id of an event in the stream.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.epoch)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
