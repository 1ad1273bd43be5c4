//! The persistent queue: requests in the exporter's store, under keys that sort in sending order.
//!
//! A request has the key `<signal>/<number>`. The parts that replace a split request have its key with a number
//! appended, so they sort where it was. An unreadable request moves to `unreadable/<key>`, and back once a program can
//! read it. Loading and sending hold one request at a time in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::capacity::Size;
use super::request::Request;
use collector_config::ComponentId;
use collector_data::Signal;
use collector_runtime::storage::{Change, ClaimError, Claimed};

/// The prefix of requests that this program cannot read.
const UNREADABLE: &str = "unreadable/";

/// The stored requests of one exporter.
pub(super) struct PersistentQueue {
    store: Claimed,
    exporter: ComponentId,
    /// The number of the next key, for all signals.
    next: AtomicU64,
}

/// The content of the store on startup.
#[derive(Debug, Default)]
pub(super) struct LoadedQueue {
    /// In sending order.
    pub(super) requests: Vec<StoredRequest>,
    /// The signals of the requests that could not be read.
    pub(super) unreadable: Vec<Signal>,
}

/// A request in the store, without its body.
#[derive(Debug)]
pub(super) struct StoredRequest {
    pub(super) key: String,
    pub(super) signal: Signal,
    pub(super) size: Size,
    /// When it was queued, in nanoseconds since 1970.
    pub(super) queued: u64,
}

/// Why a key has no request.
struct Unreadable {
    /// `None` if nothing can be read.
    bytes: Option<Bytes>,
    reason: String,
}

impl PersistentQueue {
    pub(super) fn new(store: Claimed, exporter: ComponentId) -> Self {
        PersistentQueue {
            store,
            exporter,
            next: AtomicU64::new(0),
        }
    }

    /// Claims the store and lists its requests.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub(super) async fn load(&self) -> Result<LoadedQueue, ClaimError> {
        self.store.claim().await?;
        let all = self.store.keys("").await?;
        for key in &all {
            if let Some((_, number)) = parse_key(key.strip_prefix(UNREADABLE).unwrap_or(key)) {
                self.next.fetch_max(number.saturating_add(1), Ordering::Relaxed);
            }
        }
        let mut keys: Vec<&str> = all
            .iter()
            .filter(|key| !key.starts_with(UNREADABLE))
            .map(String::as_str)
            .collect();
        for key in all.iter().filter_map(|key| key.strip_prefix(UNREADABLE)) {
            if self.restore_if_readable(key).await? {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        let mut stored = LoadedQueue::default();
        for key in keys {
            let Some((signal, _)) = parse_key(key) else {
                tracing::warn!(exporter = %self.exporter, key, "the store holds an unknown key");
                continue;
            };
            match self.get(key).await? {
                Ok((request, queued)) => stored.requests.push(StoredRequest {
                    key: key.to_owned(),
                    signal,
                    size: Size::of(&request),
                    queued,
                }),
                Err(unreadable) => {
                    self.set_aside(signal, key, unreadable).await?;
                    stored.unreadable.push(signal);
                }
            }
        }
        Ok(stored)
    }

    /// Moves a request that an earlier program could not read back to its key; true if this program can read it.
    async fn restore_if_readable(&self, key: &str) -> Result<bool, ClaimError> {
        let aside = format!("{UNREADABLE}{key}");
        let bytes = match self.store.get(&aside).await {
            Ok(bytes) => bytes,
            Err(ClaimError::Permanent(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(bytes) = bytes.filter(|bytes| parse_key(key).is_some() && Request::from_stored(bytes).is_ok()) else {
            return Ok(false);
        };
        let changes = vec![Change::Set(key.to_owned(), bytes), Change::Delete(aside)];
        match self.store.apply(changes).await {
            Ok(()) => Ok(true),
            Err(ClaimError::Permanent(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores requests in one transaction and returns their keys, in order.
    ///
    /// # Errors
    /// [`ClaimError::Permanent`] if the store does not take them.
    pub(super) async fn add(
        &self,
        signal: Signal,
        requests: &[Request],
        queued: u64,
    ) -> Result<Vec<String>, ClaimError> {
        let count = requests.len() as u64;
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let keys: Vec<String> = (first..first + count)
            .map(|number| format!("{signal}/{number:020}"))
            .collect();
        let pairs = keys.iter().zip(requests);
        let changes = pairs.map(|(key, request)| Change::Set(key.clone(), request.to_stored(queued)));
        self.store.apply(changes.collect()).await?;
        Ok(keys)
    }

    /// Replaces a request by its parts in one transaction and returns their keys, in order.
    ///
    /// # Errors
    /// [`ClaimError::Permanent`] if the store does not take them.
    pub(super) async fn replace(&self, key: &str, parts: &[Request], queued: u64) -> Result<Vec<String>, ClaimError> {
        let keys: Vec<String> = (0..parts.len()).map(|number| format!("{key}.{number:06}")).collect();
        let mut changes = vec![Change::Delete(key.to_owned())];
        let pairs = keys.iter().zip(parts);
        changes.extend(pairs.map(|(key, part)| Change::Set(key.clone(), part.to_stored(queued))));
        self.store.apply(changes).await?;
        Ok(keys)
    }

    /// Removes a request that was sent or given up.
    ///
    /// # Errors
    /// If the claim is lost.
    pub(super) async fn remove(&self, key: &str) -> Result<(), ClaimError> {
        match self.store.apply(vec![Change::Delete(key.to_owned())]).await {
            Err(ClaimError::Permanent(problem)) => {
                tracing::error!(
                    exporter = %self.exporter,
                    key,
                    problem,
                    "cannot remove a sent request from the store; it will be sent again after a restart"
                );
                Ok(())
            }
            removed => removed,
        }
    }

    /// Reads a request that is due; `None` if it is unreadable and was set aside.
    ///
    /// # Errors
    /// If the claim is lost.
    pub(super) async fn read(&self, signal: Signal, key: &str) -> Result<Option<Request>, ClaimError> {
        match self.get(key).await? {
            Ok((request, _)) => Ok(Some(request)),
            Err(unreadable) => {
                self.set_aside(signal, key, unreadable).await?;
                Ok(None)
            }
        }
    }

    /// The request under a key and the time when it was queued.
    async fn get(&self, key: &str) -> Result<Result<(Request, u64), Unreadable>, ClaimError> {
        let unreadable = |bytes, reason| Unreadable { bytes, reason };
        Ok(match self.store.get(key).await {
            Ok(Some(bytes)) => Request::from_stored(&bytes).map_err(|reason| unreadable(Some(bytes), reason)),
            Ok(None) => Err(unreadable(None, "the key is missing".to_owned())),
            Err(ClaimError::Permanent(reason)) => Err(unreadable(None, reason)),
            Err(error) => return Err(error),
        })
    }

    async fn set_aside(&self, signal: Signal, key: &str, unreadable: Unreadable) -> Result<(), ClaimError> {
        let aside = format!("{UNREADABLE}{key}");
        let problem = unreadable.reason;
        tracing::error!(
            exporter = %self.exporter,
            %signal,
            key,
            moved_to = aside,
            problem,
            "cannot read a stored request"
        );
        let Some(bytes) = unreadable.bytes else { return Ok(()) };
        match self
            .store
            .apply(vec![Change::Set(aside, bytes), Change::Delete(key.to_owned())])
            .await
        {
            // It stays under its key and is reported again on the next startup.
            Err(ClaimError::Permanent(_)) => Ok(()),
            moved => moved,
        }
    }
}

/// The signal and the number in a key.
fn parse_key(key: &str) -> Option<(Signal, u64)> {
    let (signal, number) = key.split_once('/')?;
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal)?;
    let (number, _) = number.split_once('.').unwrap_or((number, ""));
    Some((signal, number.parse().ok()?))
}
