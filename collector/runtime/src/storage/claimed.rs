//! The protocol by which a component uses its store: open, claim, retry with backoff, stop at the fence.
//!
//! Every operation retries while the store is [unavailable](StoreError::Unavailable), reports that through the
//! component's health and log, and ends with success or a [`ClaimError`]. A retried write may have been applied before
//! (only its answer got lost), so changes are absolute: set or delete, never append.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use pacing::{Backoff, LogPace, lock};
use tokio::time::{Instant, sleep};

use super::{Change, Storage, Store, StoreError};
use crate::component::Kind;
use crate::health::{Reporter, Status};
use collector_config::ComponentId;

/// Short waits, because a store is near and has few users.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Why an operation ended without success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Another replica has claimed the shared store: nothing was written, or the other replica has read it. To continue,
    /// [claim](Claimed::claim) the store again and read what it holds by then.
    #[error("{0}")]
    Lost(String),
    /// Another process has claimed a store that replicas do not share.
    #[error(
        "{0}; two collectors cannot use one store without a leader elector. While the number of shards changes this is expected: the \
         old collector ends"
    )]
    Fenced(String),
    /// The store cannot do this, now or later: the value is too large, or the stored content is unreadable.
    #[error("{0}")]
    Permanent(String),
}

/// The store of one component, with the rules for using it. Share it in an [`Arc`]; operations may run concurrently.
pub struct Claimed {
    store: Arc<dyn Store>,
    is_shared: bool,
    capacity: Option<usize>,
    health: Mutex<Option<Reporter>>,
    outage: Mutex<LogPace>,
}

impl Claimed {
    /// Opens the store of the component `id`. Nothing is claimed yet.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub async fn open(storage: &dyn Storage, kind: Kind, id: &ComponentId) -> Result<Self, StoreError> {
        Ok(Claimed {
            store: storage.open(kind, id).await?,
            is_shared: storage.leader_elector().is_some(),
            capacity: storage.capacity(),
            health: Mutex::default(),
            outage: Mutex::default(),
        })
    }

    /// Reports outages of the store as the part `store` of the component.
    #[must_use]
    pub fn with_health(self, component: &Reporter) -> Self {
        self.report_to(component);
        self
    }

    /// The same from now on: a reload replaced the component, and its successor continues to use the store.
    pub fn report_to(&self, component: &Reporter) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some(component.part("store"));
    }

    /// True if replicas share the store, so that a claim may be [lost](ClaimError::Lost).
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The most that a small store holds, keys and values in bytes; `None` if the disk is the limit.
    pub fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    /// Waits until this process may write; with a leader elector that means: until it leads. May be dropped and called
    /// again.
    ///
    /// # Errors
    /// Never [`ClaimError::Lost`]: losing the race for a shared store means waiting for the next turn.
    pub async fn claim(&self) -> Result<(), ClaimError> {
        self.retry(Operation::Claim, || self.store.claim()).await
    }

    /// The keys that begin with `prefix`, in order of their bytes.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, ClaimError> {
        self.retry(Operation::Read, || self.store.keys(prefix)).await
    }

    /// The value of a key.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, ClaimError> {
        self.retry(Operation::Read, || self.store.get(key)).await
    }

    /// The value of a key, read once: a standby replica looks at what the leader has stored. `None` if that fails.
    pub async fn peek(&self, key: &str) -> Option<Bytes> {
        self.store.get(key).await.ok().flatten()
    }

    /// Applies all changes or none. After `Ok` they survive the process. Dropping the future leaves open which.
    ///
    /// # Errors
    /// If the claim is lost, or the store cannot take the changes.
    pub async fn apply(&self, changes: Vec<Change>) -> Result<(), ClaimError> {
        self.retry(Operation::Write, || self.store.apply(changes.clone())).await
    }

    async fn retry<T, F>(&self, operation: Operation, attempt: impl Fn() -> F + Send) -> Result<T, ClaimError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut failures: u32 = 0;
        loop {
            let error = match attempt().await {
                Ok(done) => {
                    self.available();
                    return Ok(done);
                }
                Err(error) => error,
            };
            match next_step(operation, self.is_shared, error) {
                Step::Retry(reason) => self.unavailable(operation, &reason),
                Step::WaitForTurn => {}
                Step::End(error) => return Err(error),
            }
            failures = failures.saturating_add(1);
            sleep(BACKOFF.delay(failures, 0.5)).await;
        }
    }

    fn reporter(&self) -> Option<Reporter> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unavailable(&self, operation: Operation, reason: &str) {
        let health = self.reporter();
        let component = health.as_ref().map(Reporter::component).unwrap_or_default();
        if let Some(health) = &health {
            health.report(Status::RecoverableError(format!("cannot use the store: {reason}")));
        }
        if let Some(line) = lock(&self.outage).failed(Instant::now()) {
            let (operation, not_logged) = (operation.as_str(), line.held_back);
            tracing::warn!(
                component,
                operation,
                problem = reason,
                not_logged,
                "cannot use the store; retrying"
            );
        }
    }

    fn available(&self) {
        let health = self.reporter();
        let component = health.as_ref().map(Reporter::component).unwrap_or_default();
        if let Some(health) = &health {
            health.report(Status::Ok);
        }
        if let Some(over) = lock(&self.outage).worked(Instant::now()) {
            let (failures, lasted) = (over.failures, format!("{:.1?}", over.lasted));
            tracing::info!(component, failures, lasted, "the store is available again");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Claim,
    Read,
    Write,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Operation::Claim => "claim",
            Operation::Read => "read",
            Operation::Write => "write",
        }
    }
}

/// How a failed operation continues.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Retries after a wait, and reports the reason.
    Retry(String),
    /// Claims again after a wait. Another replica leads, which is not an error.
    WaitForTurn,
    End(ClaimError),
}

fn next_step(operation: Operation, is_shared: bool, error: StoreError) -> Step {
    match (error, operation) {
        (StoreError::Unavailable(reason), _) => Step::Retry(reason),
        (StoreError::Permanent(reason), _) => Step::End(ClaimError::Permanent(reason)),
        (StoreError::Fenced(_), Operation::Claim) if is_shared => Step::WaitForTurn,
        (StoreError::Fenced(reason), _) if is_shared => Step::End(ClaimError::Lost(reason)),
        (StoreError::Fenced(reason), _) => Step::End(ClaimError::Fenced(reason)),
    }
}

#[cfg(test)]
#[path = "claimed_tests.rs"]
mod tests;
