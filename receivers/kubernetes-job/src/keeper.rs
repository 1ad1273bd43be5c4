//! Keeps the checkpoint in a store: reads it, claims it, writes it, and notices when another replica has taken over.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::{Change, Store, StoreError};
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use job_tracker::checkpoint::{Checkpoint, Unreadable};

/// Under which key it is stored.
const KEY: &str = "checkpoint";
/// How long after one write the next begins, so that many Jobs share one.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// How often a replica that does not lead looks at what the leader has stored.
const LOOK: Duration = Duration::from_secs(3);
/// How long to wait before a store that does not work is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How many Jobs that were told of are listed, and how many may be told of before that is stored. The latter is less
/// than what `job_metrics` remembers.
const LIMITS: Limits = Limits {
    listed: 32_768,
    unstored: 4096,
};
/// The same where the store is small.
const SMALL: Limits = Limits {
    listed: 10_000,
    unstored: 1024,
};

/// How much the checkpoint may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs that were told of and are listed one by one.
    pub listed: usize,
    /// Jobs that may be told of before it is stored.
    pub unstored: usize,
}

/// What has happened to the checkpoint.
#[derive(Debug)]
pub enum News {
    /// This process may tell of Jobs now; with what was stored, if anything ever was.
    Leads(Option<Checkpoint>),
    /// Another process leads, and has stored this.
    Follows(Checkpoint),
    /// What was given to [`Keeper::store`] is stored.
    Stored,
    /// Another process has claimed the store.
    Fenced(String),
    /// The store does not work at the moment.
    Trouble(String),
    /// The store cannot work, or holds what cannot be read.
    Broken(String),
}

type Doing<T> = Option<BoxFuture<'static, Result<T, StoreError>>>;

/// The checkpoint's place in a store, if there is one.
pub struct Keeper {
    store: Option<Arc<dyn Store>>,
    /// Whether other replicas may claim it.
    is_shared: bool,
    limits: Limits,
    leads: bool,
    claiming: Doing<Option<Bytes>>,
    looking: Doing<Option<Bytes>>,
    writing: Doing<()>,
    /// What is being written, to be written again should it fail.
    written: Bytes,
}

impl Keeper {
    /// Without a store this process leads at once. `is_small`: the store cannot hold much; `is_shared`: replicas share it.
    pub fn new(store: Option<Arc<dyn Store>>, is_small: bool, is_shared: bool) -> Self {
        let mut keeper = Keeper {
            leads: store.is_none(),
            store,
            is_shared,
            limits: if is_small { SMALL } else { LIMITS },
            claiming: None,
            looking: None,
            writing: None,
            written: Bytes::new(),
        };
        keeper.claim(Duration::ZERO);
        keeper.look(Duration::ZERO);
        keeper
    }

    /// Whether this process may tell of Jobs.
    pub fn leads(&self) -> bool {
        self.leads
    }

    /// Whether there is a store.
    pub fn is_kept(&self) -> bool {
        self.store.is_some()
    }

    /// Whether replicas share the store.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// How much the checkpoint may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether [`store`](Self::store) may be called.
    pub fn is_idle(&self) -> bool {
        self.leads && self.store.is_some() && self.writing.is_none()
    }

    /// Begins to write the checkpoint.
    pub fn store(&mut self, checkpoint: Bytes, hurry: bool) {
        self.written = checkpoint;
        self.write(if hurry { Duration::ZERO } else { BETWEEN_WRITES });
    }

    /// Gives up the lead and waits to be given it anew.
    pub fn follow(&mut self) {
        if self.store.is_some() {
            self.leads = false;
            self.writing = None;
            self.claim(RETRY);
            self.look(LOOK);
        }
    }

    /// Waits for the next news; forever if none can come. May be dropped and called again.
    pub async fn next(&mut self) -> News {
        loop {
            tokio::select! {
                claimed = done(&mut self.claiming) => match claimed {
                    Ok(stored) => match self.decode(stored) {
                        Ok(checkpoint) => {
                            self.leads = true;
                            self.looking = None;
                            return News::Leads(checkpoint);
                        }
                        Err(problem) => return News::Broken(problem),
                    },
                    Err(StoreError::Permanent(why)) => return News::Broken(why),
                    Err(StoreError::Fenced(_)) => self.claim(RETRY),
                    Err(StoreError::Unavailable(why)) => {
                        self.claim(RETRY);
                        return News::Trouble(why);
                    }
                },
                looked = done(&mut self.looking) => {
                    self.look(LOOK);
                    // Whoever claims it hears of problems; what the leader is writing may be read next time.
                    if let Ok(Some(stored)) = looked
                        && let Ok(Some(checkpoint)) = self.decode(Some(stored))
                    {
                        return News::Follows(checkpoint);
                    }
                }
                written = done(&mut self.writing) => match written {
                    Ok(()) => return News::Stored,
                    Err(StoreError::Fenced(why)) if self.is_shared => {
                        self.follow();
                        return News::Fenced(why);
                    }
                    Err(StoreError::Fenced(why)) => return News::Broken(format!(
                        "{why}; two collectors cannot use one store without a leader elector"
                    )),
                    Err(StoreError::Permanent(why)) => return News::Broken(why),
                    Err(StoreError::Unavailable(why)) => {
                        self.write(RETRY);
                        return News::Trouble(why);
                    }
                },
            }
        }
    }

    fn decode(&self, stored: Option<Bytes>) -> Result<Option<Checkpoint>, String> {
        let decoded = stored
            .map(|bytes| Checkpoint::decode(bytes, self.limits.listed))
            .transpose();
        decoded.map_err(|problem: Unreadable| {
            format!(
                "{problem}; what Jobs were told of is not known. To begin anew, as at the first start, delete it from the \
                 store"
            )
        })
    }

    fn claim(&mut self, wait: Duration) {
        self.claiming = self.after(wait, |store| async move {
            store.claim().await?;
            store.get(KEY).await
        });
    }

    fn look(&mut self, wait: Duration) {
        if self.is_shared {
            self.looking = self.after(wait, |store| async move { store.get(KEY).await });
        }
    }

    fn write(&mut self, wait: Duration) {
        let checkpoint = self.written.clone();
        self.writing = self.after(wait, |store| async move {
            store.apply(vec![Change::Set(KEY.into(), checkpoint)]).await
        });
    }

    fn after<T, F>(&self, wait: Duration, work: impl FnOnce(Arc<dyn Store>) -> F + Send + 'static) -> Doing<T>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let store = self.store.clone()?;
        Some(Box::pin(async move {
            sleep(wait).await;
            work(store).await
        }))
    }
}

/// Waits for what is being done; forever if nothing is.
async fn done<T>(doing: &mut Doing<T>) -> Result<T, StoreError> {
    let Some(future) = doing else { return pending().await };
    let result = future.await;
    *doing = None;
    result
}
