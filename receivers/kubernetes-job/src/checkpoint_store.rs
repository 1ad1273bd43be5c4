//! Keeps the checkpoint in the receiver's store, and notices when another replica leads.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::component::ComponentError;
use collector_runtime::health::Reporter;
use collector_runtime::storage::{Change, ClaimError, Claimed};
use futures_util::future::BoxFuture;
use job_tracker::checkpoint::Checkpoint;
use job_watch::shard::Shard;
use tokio::time::sleep;

const KEY: &str = "checkpoint";
/// The key of the shard whose checkpoint it is; missing for that of all namespaces.
const SHARD_KEY: &str = "shard";
/// The size of a shard with its key, bytes: `63 of 64`.
const SHARD_SIZE: usize = SHARD_KEY.len() + 8;
/// The wait before a write, so that many Jobs share one.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// How often a standby replica reads the leader's checkpoint.
const LOOK: Duration = Duration::from_secs(3);
/// The wait before a store is claimed again after the claim was lost.
const CLAIM_AGAIN: Duration = Duration::from_secs(2);

/// How much the checkpoint may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Listed reported Jobs.
    pub(crate) tombstones: usize,
    /// Jobs that may be reported before that is stored: fewer than `job_metrics` remembers.
    pub(crate) unstored: usize,
    /// Bytes of the checkpoint.
    pub(crate) size: usize,
}

const LIMITS: Limits = Limits {
    tombstones: 32_768,
    unstored: 4096,
    size: usize::MAX,
};

impl Limits {
    fn of(store: Option<&Claimed>) -> Limits {
        match store.and_then(Claimed::capacity) {
            None => LIMITS,
            Some(capacity) => Limits {
                tombstones: 10_000,
                unstored: 1024,
                size: capacity.saturating_sub(KEY.len() + SHARD_SIZE),
            },
        }
    }
}

/// An event of the store.
#[derive(Debug)]
pub(crate) enum StoreEvent {
    /// This process leads, and may report Jobs. Holds the stored checkpoint; `None` on the first start.
    Leading(Option<Checkpoint>),
    /// Another replica leads, and has stored this.
    Standby(Checkpoint),
    /// The store has the checkpoint given to [`CheckpointStore::save`].
    Saved,
    /// Another replica has claimed the store. Holds the reason.
    Lost(String),
}

/// The stored checkpoint, and its shard.
type Stored = (Option<Bytes>, Option<Bytes>);

type Operation<T> = Option<BoxFuture<'static, T>>;

/// The checkpoint's place in a store. Without a store this process always leads.
pub(crate) struct CheckpointStore {
    store: Option<Arc<Claimed>>,
    /// The namespaces of this process; `None`: all of them.
    shard: Option<Shard>,
    limits: Limits,
    leads: bool,
    claiming: Operation<Result<Stored, ClaimError>>,
    peeking: Operation<Option<Bytes>>,
    saving: Operation<Result<(), ClaimError>>,
}

impl CheckpointStore {
    /// Begins to claim the store.
    pub(crate) fn new(store: Option<Claimed>, shard: Option<Shard>) -> Self {
        let mut checkpoint_store = CheckpointStore {
            leads: store.is_none(),
            limits: Limits::of(store.as_ref()),
            store: store.map(Arc::new),
            shard,
            claiming: None,
            peeking: None,
            saving: None,
        };
        checkpoint_store.claim(Duration::ZERO);
        checkpoint_store.peek(Duration::ZERO);
        checkpoint_store
    }

    /// True if this process may report Jobs.
    pub(crate) fn leads(&self) -> bool {
        self.leads
    }

    /// True if a store is configured.
    pub(crate) fn is_configured(&self) -> bool {
        self.store.is_some()
    }

    /// Reports outages of the store to another health from now on.
    pub(crate) fn report_to(&self, health: &Reporter) {
        if let Some(store) = &self.store {
            store.report_to(health);
        }
    }

    /// True if replicas share the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_shared())
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// True if [`save`](Self::save) may be called.
    pub(crate) fn is_idle(&self) -> bool {
        self.leads && self.store.is_some() && self.saving.is_none()
    }

    /// Begins to write the checkpoint, after a pause unless `now` is set.
    pub(crate) fn save(&mut self, checkpoint: Bytes, now: bool) {
        let wait = if now { Duration::ZERO } else { BETWEEN_WRITES };
        let shard = self.shard.map(|shard| shard.to_string());
        let shard = shard.map(|shard| Change::Set(SHARD_KEY.into(), shard.into()));
        let changes = [Change::Set(KEY.into(), checkpoint)].into_iter().chain(shard).collect();
        self.saving = self.after(wait, |store| async move { store.apply(changes).await });
    }

    /// Waits as a standby until this process leads again.
    pub(crate) fn stand_by(&mut self) {
        if self.store.is_some() {
            self.leads = false;
            self.saving = None;
            self.claim(CLAIM_AGAIN);
            self.peek(LOOK);
        }
    }

    /// The next event; waits forever without a store. May be dropped and called again.
    ///
    /// # Errors
    /// If the store is unusable, or the stored checkpoint unreadable.
    pub(crate) async fn next(&mut self) -> Result<StoreEvent, ComponentError> {
        loop {
            tokio::select! {
                claimed = finished(&mut self.claiming) => match claimed {
                    Ok((stored, shard)) => {
                        if stored.is_some() {
                            self.check_shard(shard.as_deref())?;
                        }
                        let checkpoint = self.decode(stored)?;
                        self.leads = true;
                        self.peeking = None;
                        return Ok(StoreEvent::Leading(checkpoint));
                    }
                    Err(ClaimError::Lost(_)) => self.claim(CLAIM_AGAIN),
                    Err(error) => return Err(error.into()),
                },
                stored = finished(&mut self.peeking) => {
                    self.peek(LOOK);
                    // An unreadable checkpoint is an error of the leader, or of this process once it leads.
                    if let Some(stored) = stored
                        && let Ok(Some(checkpoint)) = self.decode(Some(stored))
                    {
                        return Ok(StoreEvent::Standby(checkpoint));
                    }
                }
                saved = finished(&mut self.saving) => match saved {
                    Ok(()) => return Ok(StoreEvent::Saved),
                    Err(ClaimError::Lost(reason)) => {
                        self.stand_by();
                        return Ok(StoreEvent::Lost(reason));
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    fn decode(&self, stored: Option<Bytes>) -> Result<Option<Checkpoint>, String> {
        let decoded = stored.map(|bytes| Checkpoint::decode(bytes, self.limits.tombstones));
        decoded
            .transpose()
            .map_err(|problem| format!("{problem}. To start over as on the first start, delete it from the store"))
    }

    /// A checkpoint says which Jobs of some namespaces are reported, so it must be about all of this shard's.
    fn check_shard(&self, stored: Option<&[u8]>) -> Result<(), String> {
        let everything = Shard { index: 0, count: 1 };
        let own = self.shard.unwrap_or(everything);
        let stored = match stored.map(|text| String::from_utf8_lossy(text)) {
            None => everything,
            Some(text) => Shard::parse(&text).ok_or_else(|| format!("cannot read the stored shard {text:?}"))?,
        };
        match stored.covers(own) {
            true => Ok(()),
            false => Err(format!(
                "the stored checkpoint is that of shard {stored}, which lacks namespaces of shard {own}: set `sharding` as it was; \
                 only the shards of k8s_storage can be multiplied. To start over as on the first start, delete the checkpoint \
                 from the store"
            )),
        }
    }

    fn claim(&mut self, wait: Duration) {
        self.claiming = self.after(wait, |store| async move {
            store.claim().await?;
            Ok((store.get(KEY).await?, store.get(SHARD_KEY).await?))
        });
    }

    fn peek(&mut self, wait: Duration) {
        if self.is_shared() {
            self.peeking = self.after(wait, |store| async move { store.peek(KEY).await });
        }
    }

    fn after<T, F>(&self, wait: Duration, work: impl FnOnce(Arc<Claimed>) -> F + Send + 'static) -> Operation<T>
    where
        F: Future<Output = T> + Send,
    {
        let store = self.store.clone()?;
        Some(Box::pin(async move {
            sleep(wait).await;
            work(store).await
        }))
    }
}

/// Waits for the operation; forever if there is none.
async fn finished<T>(operation: &mut Operation<T>) -> T {
    let Some(future) = operation else {
        return pending().await;
    };
    let result = future.await;
    *operation = None;
    result
}
