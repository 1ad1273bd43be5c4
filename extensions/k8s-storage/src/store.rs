//! Claims and transactions on one ConfigMap.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::{Change, Leadership, Store, StoreError};
use escape::one_line;
use futures_util::future::BoxFuture;
use job_watch::client::objects::{Failure, Objects};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::content::Content;

/// How often a request is tried before the caller hears of it.
const TRIES: u32 = 4;
/// The pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that the API server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct ConfigMapStore {
    objects: Objects,
    namespace: String,
    /// The ConfigMap's name.
    name: String,
    /// The component it belongs to.
    path: String,
    leadership: Option<Leadership>,
    /// Who claims; another one for every store that is opened.
    holder: String,
    /// What was last written under the claim that this store has.
    claimed: Mutex<Option<Content>>,
}

impl ConfigMapStore {
    pub(crate) fn new(
        objects: Objects,
        namespace: &str,
        name: String,
        path: String,
        leadership: Option<Leadership>,
    ) -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_default();
        ConfigMapStore {
            objects,
            namespace: namespace.to_owned(),
            name,
            path,
            leadership,
            holder: format!("{host}_{:016x}", RandomState::new().hash_one(std::process::id())),
            claimed: Mutex::new(None),
        }
    }

    /// What is stored; nothing if there is no ConfigMap.
    async fn read(&self) -> Result<Content, StoreError> {
        for tried in 1.. {
            match self.objects.get(&self.name).await {
                Ok(object) => return Content::read(&object).map_err(|problem| self.unreadable(&problem)),
                Err(Failure::NotFound(_)) => return Ok(Content::default()),
                Err(failure) => self.pause(failure, tried).await?,
            }
        }
        Ok(Content::default())
    }

    /// Writes it over the version that it was made from; as it is stored then.
    async fn write(&self, content: &Content) -> Result<Content, Failure> {
        let object = content.write(&self.name, &self.path);
        let stored = match content.version.is_empty() {
            true => self.objects.create(&object).await?,
            false => self.objects.replace(&self.name, &object).await?,
        };
        let version = stored["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        Ok(Content {
            version: version.to_owned(),
            ..content.clone()
        })
    }

    /// Waits before the next try, or says that there is none.
    async fn pause(&self, failure: Failure, tried: u32) -> Result<(), StoreError> {
        let Failure::Unavailable { retry_after, .. } = &failure else {
            return Err(self.error(&failure));
        };
        if tried >= TRIES {
            return Err(self.error(&failure));
        }
        let asked = retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        sleep(asked.max(PAUSE * 2u32.pow(tried - 1))).await;
        Ok(())
    }

    fn error(&self, failure: &Failure) -> StoreError {
        let Self { name, namespace, .. } = self;
        let text = format!("ConfigMap {namespace}/{name}: {}", one_line(&failure.to_string()));
        StoreError::Unavailable(match failure {
            Failure::Refused(_) | Failure::NotFound(_) => format!(
                "{text}; the collector's account needs get, create and update on configmaps in namespace {namespace}"
            ),
            _ => text,
        })
    }

    fn changed(&self, content: &Content, changes: &[Change]) -> Result<Content, StoreError> {
        let Self { name, namespace, .. } = self;
        let changed = content.changed(changes);
        changed.map_err(|problem| StoreError::Permanent(format!("ConfigMap {namespace}/{name}: {problem}")))
    }

    fn unreadable(&self, problem: &str) -> StoreError {
        let Self { name, namespace, .. } = self;
        StoreError::Permanent(format!("ConfigMap {namespace}/{name} cannot be read: {problem}"))
    }

    fn fenced(&self, by: &str) -> StoreError {
        let by = one_line(by);
        StoreError::Fenced(format!("ConfigMap {}/{} is claimed by {by}", self.namespace, self.name))
    }

    async fn do_claim(&self) -> Result<(), StoreError> {
        if let Some(leadership) = &self.leadership {
            leadership.clone().until(true).await;
        }
        let mut claimed = self.claimed.lock().await;
        for tried in 1.. {
            let found = self.read().await?;
            let wanted = Content {
                holder: self.holder.clone(),
                claim: found.claim + 1,
                ..found
            };
            match self.write(&wanted).await {
                Ok(stored) => {
                    *claimed = Some(stored);
                    return Ok(());
                }
                // Somebody has written meanwhile; look again.
                Err(Failure::Conflict(_) | Failure::AlreadyExists(_)) if tried < TRIES => sleep(PAUSE).await,
                Err(failure) => self.pause(failure, tried).await?,
            }
        }
        Ok(())
    }

    async fn do_apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut claimed = self.claimed.lock().await;
        let Some(before) = claimed.as_ref() else {
            return Err(self.fenced("nobody here"));
        };
        let mut wanted = self.changed(before, &changes)?;
        for tried in 1.. {
            let failure = match self.write(&wanted).await {
                Ok(stored) => {
                    *claimed = Some(stored);
                    return Ok(());
                }
                Err(failure) => failure,
            };
            match failure {
                // Another claim, an answer of ours that got lost, or somebody's `kubectl annotate` or `delete`.
                Failure::Conflict(_) | Failure::NotFound(_) | Failure::AlreadyExists(_) => {
                    let found = self.read().await?;
                    if found.version.is_empty() {
                        // Deleted by hand: what it held is known here.
                        wanted.version.clear();
                    } else if found.holder != wanted.holder || found.claim != wanted.claim {
                        *claimed = None;
                        return Err(self.fenced(&found.holder));
                    } else {
                        // What is stored may hold an earlier transaction whose answer got lost, so it is what is changed.
                        wanted = self.changed(&found, &changes)?;
                        if wanted == found {
                            *claimed = Some(found);
                            return Ok(());
                        }
                    }
                    if tried >= TRIES {
                        return Err(self.error(&failure));
                    }
                }
                failure => self.pause(failure, tried).await?,
            }
        }
        Ok(())
    }

    /// What callers see: what this store has written, or else what others have.
    async fn content(&self) -> Result<Content, StoreError> {
        match &*self.claimed.lock().await {
            Some(content) => Ok(content.clone()),
            None => self.read().await,
        }
    }
}

impl Store for ConfigMapStore {
    fn claim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.do_claim())
    }

    fn keys(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        let prefix = prefix.to_owned();
        Box::pin(async move {
            let content = self.content().await?;
            let keys = content.values.into_keys().filter(|key| key.starts_with(&prefix));
            Ok(keys.collect())
        })
    }

    fn get(&self, key: &str) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let key = key.to_owned();
        Box::pin(async move { Ok(self.content().await?.values.remove(&key)) })
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.do_apply(changes))
    }
}
