//! The part of the queue that survives the process: requests in the component's store, under keys that sort in the order
//! in which they are to be sent.
//!
//! A request has the key `<signal>/<number>`. The parts that take the place of one that was cut have its key with a
//! number behind it, so they sort where it stood. What cannot be read is moved under `unreadable/`, and taken up again
//! by a program that can read it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::condition::{Condition, Part};
use super::request::Request;
use super::retry_settings::RetrySettings;
use collector_config::ComponentId;
use collector_data::Signal;
use collector_runtime::component::ComponentError;
use collector_runtime::storage::{Change, Store, StoreError};
use pacing::{LogPace, lock};

/// Where requests go that this program cannot read.
const UNREADABLE: &str = "unreadable/";

/// The stored requests of one exporter.
pub(super) struct Kept {
    store: Arc<dyn Store>,
    exporter: ComponentId,
    condition: Arc<Condition>,
    random: fn() -> f64,
    failures: Mutex<LogPace>,
    /// The number of the next key, for all signals.
    next: AtomicU64,
}

/// What stood in the store at the start.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The keys with their requests' signal, size and time of queueing, in order.
    pub(super) requests: Vec<(String, Signal, super::places::Size, u64)>,
    /// How many could not be read, by signal.
    pub(super) unreadable: Vec<Signal>,
}

/// What came of reading one key.
pub(super) enum Read {
    Request(Request),
    /// It has been set aside.
    Unreadable,
}

/// The store does not take this, now or later; why.
pub(super) struct Refused(pub(super) String);

impl Kept {
    pub(super) fn new(
        store: Arc<dyn Store>,
        exporter: ComponentId,
        condition: Arc<Condition>,
        random: fn() -> f64,
    ) -> Self {
        Kept {
            store,
            exporter,
            condition,
            random,
            failures: Mutex::new(LogPace::new()),
            next: AtomicU64::new(0),
        }
    }

    /// Claims the store and looks through what stands in it. One request at a time is in memory.
    ///
    /// # Errors
    /// If the store is another process's.
    pub(super) async fn load(&self) -> Result<Found, ComponentError> {
        self.insist(Signal::Logs, || self.store.claim()).await??;
        let mut found = Found::default();
        let all = self.insist(Signal::Logs, || self.store.keys("")).await??;
        for key in &all {
            let number = numbered(key.strip_prefix(UNREADABLE).unwrap_or(key)).map(|(_, number)| number);
            self.next
                .fetch_max(number.map_or(0, |number| number.saturating_add(1)), Ordering::Relaxed);
        }
        let mut keys: Vec<&str> = all
            .iter()
            .filter(|key| !key.starts_with(UNREADABLE))
            .map(String::as_str)
            .collect();
        for aside in all.iter().filter_map(|key| key.strip_prefix(UNREADABLE)) {
            if self.take_up(aside).await? {
                keys.push(aside);
            }
        }
        keys.sort_unstable();
        for key in keys {
            let Some((signal, _)) = numbered(key) else {
                tracing::warn!(exporter = %self.exporter, key, "the store holds a key that this program does not know");
                continue;
            };
            match self.get(signal, key).await? {
                Ok((request, queued)) => {
                    let size = super::places::Size::of(&request);
                    found.requests.push((key.to_owned(), signal, size, queued));
                }
                Err((stored, why)) => {
                    self.set_aside(signal, key, stored, &why).await?;
                    found.unreadable.push(signal);
                }
            }
        }
        Ok(found)
    }

    /// A request that an earlier program could not read goes back to its place if this one can.
    async fn take_up(&self, key: &str) -> Result<bool, ComponentError> {
        let Some((signal, _)) = numbered(key) else {
            return Ok(false);
        };
        let aside = format!("{UNREADABLE}{key}");
        let Ok(Some(stored)) = self.insist(signal, || self.store.get(&aside)).await? else {
            return Ok(false);
        };
        if Request::from_stored(&stored).is_err() {
            return Ok(false);
        }
        let changes = vec![Change::Set(key.to_owned(), stored), Change::Delete(aside)];
        Ok(self.apply(signal, changes).await?.is_ok())
    }

    /// Writes requests down and gives their keys, in order.
    ///
    /// # Errors
    /// If the store is another process's.
    pub(super) async fn add(
        &self,
        signal: Signal,
        requests: &[Request],
        queued: u64,
    ) -> Result<Result<Vec<String>, Refused>, ComponentError> {
        let count = requests.len() as u64;
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let keys: Vec<String> = (first..first + count)
            .map(|number| format!("{signal}/{number:020}"))
            .collect();
        let pairs = keys.iter().zip(requests);
        let changes = pairs.map(|(key, request)| Change::Set(key.clone(), request.to_stored(queued)));
        Ok(self.apply(signal, changes.collect()).await?.map(|()| keys))
    }

    /// Puts the parts in the place of a request, in one transaction; gives their keys.
    ///
    /// # Errors
    /// If the store is another process's.
    pub(super) async fn replace(
        &self,
        signal: Signal,
        key: &str,
        parts: &[Request],
        queued: u64,
    ) -> Result<Result<Vec<String>, Refused>, ComponentError> {
        let keys: Vec<String> = (0..parts.len()).map(|number| format!("{key}.{number:06}")).collect();
        let mut changes = vec![Change::Delete(key.to_owned())];
        let pairs = keys.iter().zip(parts);
        changes.extend(pairs.map(|(key, part)| Change::Set(key.clone(), part.to_stored(queued))));
        Ok(self.apply(signal, changes).await?.map(|()| keys))
    }

    /// The request has come to its end.
    ///
    /// # Errors
    /// If the store is another process's.
    pub(super) async fn remove(&self, signal: Signal, key: &str) -> Result<(), ComponentError> {
        let removed = self.apply(signal, vec![Change::Delete(key.to_owned())]).await?;
        if let Err(Refused(why)) = removed {
            tracing::error!(exporter = %self.exporter, key, "a request stays in the store and will be sent again: {why}");
        }
        Ok(())
    }

    /// Reads a request that is to be sent.
    ///
    /// # Errors
    /// If the store is another process's.
    pub(super) async fn read(&self, signal: Signal, key: &str) -> Result<Read, ComponentError> {
        match self.get(signal, key).await? {
            Ok((request, _)) => Ok(Read::Request(request)),
            Err((stored, why)) => {
                self.set_aside(signal, key, stored, &why).await?;
                Ok(Read::Unreadable)
            }
        }
    }

    /// The request under a key, or its bytes, if there are any, and why they are not one.
    async fn get(
        &self,
        signal: Signal,
        key: &str,
    ) -> Result<Result<(Request, u64), (Option<Bytes>, String)>, ComponentError> {
        Ok(match self.insist(signal, || self.store.get(key)).await? {
            Ok(Some(stored)) => Request::from_stored(&stored).map_err(|why| (Some(stored), why)),
            Ok(None) => Err((None, "it is no longer there".into())),
            Err(Refused(why)) => Err((None, why)),
        })
    }

    async fn set_aside(
        &self,
        signal: Signal,
        key: &str,
        stored: Option<Bytes>,
        why: &str,
    ) -> Result<(), ComponentError> {
        let aside = format!("{UNREADABLE}{key}");
        tracing::error!(
            exporter = %self.exporter,
            %signal,
            "the stored request {key} cannot be read and is set aside as {aside}: {why}",
        );
        if let Some(stored) = stored {
            let changes = vec![Change::Set(aside, stored), Change::Delete(key.to_owned())];
            // If even that fails it stays where it is and is told of again at the next start.
            let _ = self.apply(signal, changes).await?;
        }
        Ok(())
    }

    async fn apply(&self, signal: Signal, changes: Vec<Change>) -> Result<Result<(), Refused>, ComponentError> {
        self.insist(signal, || self.store.apply(changes.clone())).await
    }

    /// Does it until it works, or cannot work. The store may have done it although it says that it does not work, so
    /// it must be something that can be done twice.
    async fn insist<'a, T, F>(
        &self,
        signal: Signal,
        work: impl Fn() -> F + Send,
    ) -> Result<Result<T, Refused>, ComponentError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'a,
    {
        let mut backoff = Backoff::new(&patience());
        loop {
            let why = match work().await {
                Ok(done) => {
                    self.works(signal);
                    return Ok(Ok(done));
                }
                Err(StoreError::Permanent(why)) => return Ok(Err(Refused(why))),
                Err(StoreError::Fenced(why)) => {
                    return Err(format!("another process has taken over the stored queue: {why}").into());
                }
                Err(StoreError::Unavailable(why)) => why,
            };
            let why = format!("the stored queue does not work: {why}");
            self.condition.failing(signal, Part::Store, &why);
            if let Some(line) = lock(&self.failures).failed(Instant::now()) {
                tracing::error!(
                    exporter = %self.exporter,
                    %signal,
                    not_shown = line.held_back,
                    "{why}; nothing is taken in until it works",
                );
            }
            // Never `None`: there is no limit in these settings.
            let wait = backoff.next(Duration::ZERO, None, (self.random)()).unwrap_or_default();
            sleep(wait).await;
        }
    }

    fn works(&self, signal: Signal) {
        self.condition.works(signal, Part::Store);
        if let Some(over) = lock(&self.failures).worked(Instant::now()) {
            let (failures, lasted) = (over.failures, over.lasted);
            tracing::info!(exporter = %self.exporter, "the stored queue works again after {failures} failures in {lasted:.1?}");
        }
    }
}

impl From<Refused> for ComponentError {
    fn from(Refused(why): Refused) -> Self {
        format!("the stored queue cannot be used: {why}").into()
    }
}

/// How long to wait for a store: much shorter than for a destination, since it is near, and without end.
fn patience() -> RetrySettings {
    RetrySettings {
        initial_interval: collector_config::Duration::from_millis(100),
        multiplier: 2.0,
        max_interval: collector_config::Duration::from_secs(2),
        max_elapsed_time: collector_config::Duration::from_secs(0),
        ..RetrySettings::default()
    }
}

/// The signal and the number in a key.
fn numbered(key: &str) -> Option<(Signal, u64)> {
    let (signal, number) = key.split_once('/')?;
    let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal)?;
    let (number, _) = number.split_once('.').unwrap_or((number, ""));
    Some((signal, number.parse().ok()?))
}
