//! State that survives the process: the interface between storage extensions and the other components.
//!
//! A component requests the store that its settings name while it is created ([`Provided::storage`]), so that
//! `validate` finds an invalid name, and opens it when it starts. It then holds a [`Store`]: a small map from keys to
//! bytes that belongs to this component alone, changed by transactions.
//!
//! Before it writes it must [`claim`](Store::claim) the store. A store that several replicas share can be claimed by
//! one of them at a time; a new claim makes every later write of the others fail with [`StoreError::Fenced`]. So a
//! component that has stored what it is about to do may do it, even if another replica has claimed the store in the
//! meantime: that replica has read the entry.

mod claimed;
pub mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::authentication::Authenticator;
use crate::component::Kind;
use collector_config::ComponentId;
use collector_config::{Diagnostic, component_id};

pub use claimed::{ClaimError, Claimed};

/// The key of a store whose content is a copy of what another process stored: that process was replaced by several, and one of
/// them, whose store lacks this key, sends what was still to be sent. The others forget it, and delete the key with it.
pub const COPIED: &str = "copied";

/// One change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets the value of a key.
    Set(String, Bytes),
    /// Removes a key; no effect if it is missing.
    Delete(String),
}

/// Why an operation of a store failed. The texts are for the operator of the collector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has claimed the store. Nothing was written; to continue, claim it again.
    #[error("{0}")]
    Fenced(String),
    /// It does not work at the moment and may work later: the API server is unreachable, the disk is full. Nothing was
    /// written, or, if only the answer got lost, everything.
    #[error("{0}")]
    Unavailable(String),
    /// It cannot work: the value is too large for it, or the stored content cannot be read.
    #[error("{0}")]
    Permanent(String),
}

/// An extension that stores the state of components.
pub trait Storage: Send + Sync {
    /// Opens the store of one component. Another component, or the same under another name, has another store.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>>;

    /// The id of the leader elector that decides who may claim a store, where several replicas share it.
    fn leader_elector(&self) -> Option<&ComponentId>;

    /// The most that one component may store, keys and values in bytes, where the store is small; `None`: as much as
    /// the disk holds.
    fn capacity(&self) -> Option<usize>;
}

/// The store of one component.
pub trait Store: Send + Sync {
    /// Waits until this process may write, which with a leader elector means: until it leads.
    ///
    /// # Errors
    /// If the store does not work. Waiting to lead is not an error.
    fn claim(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The keys that begin with `prefix`, in order of their bytes; as last written by the holder of the claim.
    ///
    /// # Errors
    /// If the store does not work.
    fn keys(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>>;

    /// The value of a key; as last written by the holder of the claim.
    ///
    /// # Errors
    /// If the store does not work.
    fn get(&self, key: &str) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Makes all changes or none. Once it returns `Ok` they survive the end of the process, and of the machine where the
    /// store promises that.
    ///
    /// # Errors
    /// If they were not made.
    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// The leadership of this process, now and later. Clones share it.
#[derive(Clone, Debug)]
pub struct Leadership(pub tokio::sync::watch::Receiver<bool>);

impl Leadership {
    /// True if this process leads now.
    pub fn is_leader(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until this process becomes the leader or is no longer the leader. Never resolves if the elector ends
    /// before that.
    pub async fn until(&mut self, leads: bool) {
        if self.0.wait_for(|now| *now == leads).await.is_err() {
            std::future::pending().await
        }
    }
}

/// The use of objects that other collectors can use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterWide {
    /// The shard whose collectors share the objects, such as `1 of 4`; `None`: all collectors do.
    pub shard: Option<String>,
}

/// The service that one extension offers to other components.
#[derive(Clone, Default)]
pub struct Offer {
    /// It stores state.
    pub storage: Option<Arc<dyn Storage>>,
    /// It elects a leader.
    pub leadership: Option<Leadership>,
    /// It authenticates requests.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// It uses objects that collectors elsewhere use too, if they have the same settings.
    pub cluster_wide: Option<ClusterWide>,
}

/// The services of the extensions, by id.
#[derive(Clone, Default)]
pub struct Provided {
    offers: BTreeMap<ComponentId, Offer>,
    /// Those that the component in creation has requested.
    named: Arc<Mutex<BTreeSet<ComponentId>>>,
    unavailable: BTreeSet<ComponentId>,
}

/// Marks the error about an extension that could not be created: the reason has its own error.
const UNAVAILABLE: &str = "this extension has errors of its own";

impl Provided {
    /// Nothing is offered.
    pub fn new() -> Self {
        Provided::default()
    }

    /// Registers the service of an extension; replaces an earlier one.
    pub fn add(&mut self, id: ComponentId, offer: Offer) {
        self.offers.insert(id, offer);
    }

    /// An extension could not be created, so the service that it would offer is unknown.
    pub(crate) fn add_unavailable(&mut self, id: ComponentId) {
        self.unavailable.insert(id);
    }

    /// True if an error only follows from an extension that could not be created.
    pub(crate) fn is_consequence(error: &Diagnostic) -> bool {
        error.message.contains(UNAVAILABLE)
    }

    /// The storage that a setting names.
    ///
    /// # Errors
    /// If there is no such extension, with the text for a diagnostic at that setting.
    pub fn storage(&self, name: &str) -> Result<Arc<dyn Storage>, String> {
        self.find(name, "stores anything", |offer| offer.storage.clone())
    }

    /// The leader elector that a setting names, and its id.
    ///
    /// # Errors
    /// If there is no such extension, with the text for a diagnostic at that setting.
    pub fn leadership(&self, name: &str) -> Result<(ComponentId, Leadership), String> {
        let found = self.find(name, "elects a leader", |offer| offer.leadership.clone())?;
        Ok((parsed(name)?, found))
    }

    /// The authenticator that a setting names.
    ///
    /// # Errors
    /// If there is no such extension, with the text for a diagnostic at that setting.
    pub fn authenticator(&self, name: &str) -> Result<Arc<dyn Authenticator>, String> {
        self.find(name, "authenticates requests", |offer| offer.authenticator.clone())
    }

    /// Checks that the extension that a setting names uses no cluster-wide objects of another shard than `expected`, which is
    /// `None` for a component without shards.
    ///
    /// # Errors
    /// With the text for a diagnostic at that setting. An extension that does not exist is no error here.
    pub fn check_shard(&self, name: &str, expected: Option<&str>) -> Result<(), String> {
        let offer = parsed(name).ok().and_then(|id| self.offers.get(&id));
        let Some(ClusterWide { shard: found }) = offer.and_then(|offer| offer.cluster_wide.as_ref()) else {
            return Ok(());
        };
        let text = |shard: Option<&str>| shard.map_or_else(|| "no shard".into(), |shard| format!("shard {shard}"));
        match found.as_deref() == expected {
            true => Ok(()),
            false => Err(format!(
                "each shard needs objects of its own: expected {name:?} of {expected}, found that of {found}; set the same \
                 `sharding` in this component and in extensions::{name}",
                expected = text(expected),
                found = text(found.as_deref()),
            )),
        }
    }

    /// The extensions that were requested since the last call.
    pub(crate) fn take_named(&self) -> BTreeSet<ComponentId> {
        std::mem::take(&mut *self.named.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The setting in which a component could name the extension, if it offers something.
    pub(crate) fn setting_of(&self, id: &ComponentId) -> Option<&'static str> {
        match self.offers.get(id)? {
            Offer { storage: Some(_), .. } => Some("storage"),
            Offer {
                leadership: Some(_), ..
            } => Some("k8s_leader_elector"),
            Offer { .. } => None,
        }
    }

    fn find<T>(&self, name: &str, does: &str, pick: impl Fn(&Offer) -> Option<T>) -> Result<T, String> {
        let id = parsed(name)?;
        if let Some(found) = self.offers.get(&id).and_then(&pick) {
            self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            return Ok(found);
        }
        if self.unavailable.contains(&id) {
            return Err(UNAVAILABLE.to_owned());
        }
        let able: Vec<String> = self
            .offers
            .iter()
            .filter(|(_, offer)| pick(offer).is_some())
            .map(|(id, _)| id.to_string())
            .collect();
        let able = match &able[..] {
            [] => format!("no extension in service::extensions {does}"),
            able => format!("expected {}", able.join(" or ")),
        };
        Err(match self.offers.contains_key(&id) {
            true => format!("the extension {name:?} is not one that {does}; {able}"),
            false => format!("{name:?} is not an extension in service::extensions; {able}"),
        })
    }
}

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.offers.keys()).finish()
    }
}

fn parsed(name: &str) -> Result<ComponentId, String> {
    component_id(name).map_err(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Storage for Nowhere {
        fn open(&self, _: Kind, _: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
            Box::pin(async { Err(StoreError::Permanent("nowhere".into())) })
        }

        fn leader_elector(&self) -> Option<&ComponentId> {
            None
        }

        fn capacity(&self) -> Option<usize> {
            None
        }
    }

    #[tokio::test]
    async fn who_claims_a_store_shuts_the_others_out() {
        let storage = memory::MemoryStorage::new();
        let id = parsed("a").unwrap();
        let first = storage.open(Kind::Receiver, &id).await.unwrap();
        let second = storage.open(Kind::Receiver, &id).await.unwrap();
        let set = |value: &'static str| vec![Change::Set("k".into(), Bytes::from(value))];
        assert!(matches!(first.apply(set("1")).await, Err(StoreError::Fenced(_))));
        first.claim().await.unwrap();
        first.apply(set("1")).await.unwrap();
        second.claim().await.unwrap();
        assert_eq!(second.get("k").await.unwrap().unwrap(), "1");
        assert!(matches!(first.apply(set("2")).await, Err(StoreError::Fenced(_))));
        let other = storage.open(Kind::Exporter, &id).await.unwrap();
        assert_eq!(other.keys("").await.unwrap(), [""; 0]);
    }

    #[test]
    fn a_name_that_leads_nowhere_says_what_would() {
        let mut provided = Provided::new();
        assert_eq!(
            provided.storage("file_storage").err().unwrap(),
            "\"file_storage\" is not an extension in service::extensions; no extension in service::extensions stores anything"
        );
        let offer = Offer {
            storage: Some(Arc::new(Nowhere)),
            ..Offer::default()
        };
        provided.add(parsed("file_storage/a").unwrap(), offer);
        provided.add(parsed("health_check").unwrap(), Offer::default());
        assert!(provided.storage("file_storage/a").is_ok());
        assert_eq!(
            provided.storage("file_storage").err().unwrap(),
            "\"file_storage\" is not an extension in service::extensions; expected file_storage/a"
        );
        assert_eq!(
            provided.storage("health_check").err().unwrap(),
            "the extension \"health_check\" is not one that stores anything; expected file_storage/a"
        );
        assert!(provided.leadership("file_storage/a").is_err());
    }
}
