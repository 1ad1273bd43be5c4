//! Claims and transactions on one ConfigMap.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use collector_runtime::storage::{Change, Leadership, Store, StoreError};
use escape::one_line;
use futures_util::future::BoxFuture;
use job_watch::client::{ErrorKind, error_kind, explain};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use pacing::Backoff;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::content::Content;

/// The attempts of a request before its caller sees the error.
const TRIES: u32 = 4;
const RETRY: Backoff = Backoff::new(Duration::from_millis(200), LONGEST_PAUSE);
/// The longest pause that the API server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct ConfigMapStore {
    api: Api<ConfigMap>,
    namespace: String,
    /// The ConfigMap's name.
    name: String,
    /// The component's section in the configuration.
    path: String,
    leadership: Option<Leadership>,
    /// The name of this store in a claim; unique to each opened store.
    holder: String,
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
            name,
            path,
            leadership,
            holder: format!("{host}_{:016x}", RandomState::new().hash_one(std::process::id())),
            claimed: Mutex::new(None),
        }
    }

    /// Reads the stored content; empty without a ConfigMap.
    async fn read(&self) -> Result<Content, StoreError> {
        let mut failures = 0;
        loop {
            match self.api.get_opt(&self.name).await {
                Ok(None) => return Ok(Content::default()),
                Ok(Some(object)) => return Content::read(object).map_err(|problem| self.unreadable(&problem)),
                Err(error) => self.pause(&error, &mut failures).await?,
            }
        }
    }

    /// Writes the content over the version that it was made from. Returns it with its new version.
    async fn write(&self, content: &Content) -> Result<Content, kube::Error> {
        let object = content.write(&self.name, &self.path);
        let options = PostParams::default();
        let stored = match content.version.is_empty() {
            true => self.api.create(&options, &object).await?,
            false => self.api.replace(&self.name, &options, &object).await?,
        };
        Ok(Content {
            version: stored.metadata.resource_version.unwrap_or_default(),
            ..content.clone()
        })
    }

    /// Waits before the next attempt, or returns the error.
    async fn pause(&self, error: &kube::Error, failures: &mut u32) -> Result<(), StoreError> {
        *failures += 1;
        match error_kind(error) {
            ErrorKind::Retry { after } if *failures < TRIES => {
                sleep(RETRY.delay_asked(*failures, 0.5, after, LONGEST_PAUSE)).await;
                Ok(())
            }
            _ => Err(self.error(error)),
        }
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
        let Self { name, namespace, .. } = self;
        let changed = content.changed(changes);
        changed.map_err(|problem| StoreError::Permanent(format!("ConfigMap {namespace}/{name}: {problem}")))
    }

    fn unreadable(&self, problem: &str) -> StoreError {
        let Self { name, namespace, .. } = self;
        StoreError::Permanent(format!("cannot read ConfigMap {namespace}/{name}: {problem}"))
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
                // Another writer was faster.
                Err(error) if error_kind(&error) == ErrorKind::Conflict && failures + 1 < TRIES => {
                    failures += 1;
                    sleep(RETRY.delay(1, 0.5)).await;
                }
                Err(error) => self.pause(&error, &mut failures).await?,
            }
        }
    }

    async fn do_apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut claimed = self.claimed.lock().await;
        let Some(before) = claimed.as_ref() else {
            return Err(self.fenced("no store of this process"));
        };
        let mut wanted = self.changed(before, &changes)?;
        let mut failures = 0;
        loop {
            let error = match self.write(&wanted).await {
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
            let found = self.read().await?;
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

    /// The content under this store's claim, else the stored content.
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
