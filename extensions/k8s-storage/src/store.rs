//! Claims and transactions on one ConfigMap.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::{Change, Leadership, Store, StoreError};
use escape::one_line;
use futures_util::future::BoxFuture;
use job_watch::client::{ErrorKind, error_kind, explain};
use job_watch::shard::Shard;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use pacing::Backoff;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::content::Content;
use crate::shards;

/// The attempts of a request before its caller sees the error.
const TRIES: u32 = 4;
const RETRY: Backoff = Backoff::new(Duration::from_millis(200), LONGEST_PAUSE);
/// The longest pause that the API server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct ConfigMapStore {
    api: Api<ConfigMap>,
    namespace: String,
    /// The ConfigMap's name without the shard.
    pub(crate) base: String,
    /// The ConfigMap's name.
    pub(crate) name: String,
    pub(crate) shard: Option<Shard>,
    /// The component's section in the configuration.
    path: String,
    leadership: Option<Leadership>,
    /// The name of this store in a claim; unique to each opened store.
    pub(crate) holder: String,
    /// The content last written under this store's claim.
    claimed: Mutex<Option<Content>>,
}

impl ConfigMapStore {
    pub(crate) fn new(
        api: Api<ConfigMap>,
        namespace: &str,
        name: String,
        path: String,
        leadership: Option<Leadership>,
    ) -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_default();
        ConfigMapStore {
            api,
            namespace: namespace.to_owned(),
            base: name.clone(),
            name,
            shard: None,
            path,
            leadership,
            holder: format!("{host}_{:016x}", RandomState::new().hash_one(std::process::id())),
            claimed: Mutex::new(None),
        }
    }

    /// The store of a shard.
    pub(crate) fn with_shard(self, shard: Option<Shard>) -> Self {
        let name = shard.map_or_else(|| self.base.clone(), |shard| shards::name_of(&self.base, shard));
        ConfigMapStore { name, shard, ..self }
    }

    /// Reads the content of a ConfigMap; empty if it does not exist.
    pub(crate) async fn read(&self, name: &str) -> Result<Content, StoreError> {
        let mut failures = 0;
        loop {
            match self.api.get_opt(name).await {
                Ok(None) => return Ok(Content::default()),
                Ok(Some(object)) => return Content::read(object).map_err(|problem| self.unreadable(name, &problem)),
                Err(error) => self.pause(&error, &mut failures).await?,
            }
        }
    }

    /// Writes the content over the version that it was made from. Returns it with its new version.
    pub(crate) async fn write(&self, name: &str, content: &Content) -> Result<Content, kube::Error> {
        let object = content.write(name, &self.path);
        let options = PostParams::default();
        let stored = match content.version.is_empty() {
            true => self.api.create(&options, &object).await?,
            false => self.api.replace(name, &options, &object).await?,
        };
        Ok(Content {
            version: stored.metadata.resource_version.unwrap_or_default(),
            ..content.clone()
        })
    }

    /// Waits before the next attempt, or returns the error.
    pub(crate) async fn pause(&self, error: &kube::Error, failures: &mut u32) -> Result<(), StoreError> {
        *failures += 1;
        match error_kind(error) {
            ErrorKind::Retry { after } if *failures < TRIES => {
                sleep(RETRY.delay_asked(*failures, 0.5, after, LONGEST_PAUSE)).await;
                Ok(())
            }
            _ => Err(self.error(error)),
        }
    }

    /// Waits after another writer was faster, or returns the error.
    pub(crate) async fn again(&self, error: &kube::Error, failures: &mut u32) -> Result<(), StoreError> {
        *failures += 1;
        if *failures >= TRIES {
            return Err(self.error(error));
        }
        sleep(RETRY.delay(1, 0.5)).await;
        Ok(())
    }

    fn error(&self, error: &kube::Error) -> StoreError {
        let Self { name, namespace, .. } = self;
        let text = format!("ConfigMap {namespace}/{name}: {}", one_line(&explain(error)));
        StoreError::Unavailable(match error_kind(error) {
            ErrorKind::Refused | ErrorKind::NotFound => format!(
                "{text}; the collector's account needs get, create and update on configmaps in namespace {namespace}"
            ),
            _ => text,
        })
    }

    fn changed(&self, content: &Content, changes: &[Change]) -> Result<Content, StoreError> {
        let Self { name, .. } = self;
        let changed = content.changed(changes);
        changed.map_err(|problem| self.permanent(name, &problem))
    }

    pub(crate) fn permanent(&self, name: &str, problem: &str) -> StoreError {
        StoreError::Permanent(format!("ConfigMap {}/{name}: {problem}", self.namespace))
    }

    fn unreadable(&self, name: &str, problem: &str) -> StoreError {
        StoreError::Permanent(format!("cannot read ConfigMap {}/{name}: {problem}", self.namespace))
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
        let mut failures = 0;
        loop {
            let found = self.read(&self.name).await?;
            let found = self.of_shard(found).await?;
            let wanted = found.claimed_by(&self.holder);
            match self.write(&self.name, &wanted).await {
                Ok(stored) => {
                    *claimed = Some(stored);
                    return Ok(());
                }
                Err(error) => self.conflict(&error, &mut failures).await?,
            }
        }
    }

    async fn do_apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut claimed = self.claimed.lock().await;
        let Some(before) = claimed.as_ref() else {
            let Self { namespace, name, .. } = self;
            return Err(StoreError::Fenced(format!(
                "ConfigMap {namespace}/{name}: this process has no claim on it"
            )));
        };
        let mut wanted = self.changed(before, &changes)?;
        let mut failures = 0;
        loop {
            let error = match self.write(&self.name, &wanted).await {
                Ok(stored) => {
                    *claimed = Some(stored);
                    return Ok(());
                }
                Err(error) => error,
            };
            // Another claim, a lost answer to this store, or somebody's `kubectl annotate` or `delete`.
            if !matches!(error_kind(&error), ErrorKind::Conflict | ErrorKind::NotFound) {
                self.pause(&error, &mut failures).await?;
                continue;
            }
            failures += 1;
            let found = self.read(&self.name).await?;
            if found.version.is_empty() {
                // Deleted by hand; its content is known here.
                wanted.version.clear();
            } else if found.holder != wanted.holder || found.claim != wanted.claim {
                *claimed = None;
                return Err(self.fenced(&found.holder));
            } else {
                // The stored content may include an earlier transaction whose answer was lost: the changes apply to it.
                wanted = self.changed(&found, &changes)?;
                if wanted == found {
                    *claimed = Some(found);
                    return Ok(());
                }
            }
            if failures >= TRIES {
                return Err(self.error(&error));
            }
        }
    }

    /// The content under this store's claim, else the stored content. A former leader may not know that it has lost its claim.
    async fn content(&self) -> Result<Content, StoreError> {
        let is_leader = self.leadership.as_ref().is_none_or(Leadership::is_leader);
        match &*self.claimed.lock().await {
            Some(content) if is_leader => Ok(content.clone()),
            _ => self.read(&self.name).await,
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
