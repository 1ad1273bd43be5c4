//! A storage in memory, for the tests of components that store state: its content survives the component but not the
//! process, and it fails on command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{Change, Leadership, Storage, Store, StoreError};
use crate::component::Kind;
use collector_config::ComponentId;

/// One replica's access to a storage in memory.
#[derive(Clone)]
pub struct MemoryStorage {
    shared: Arc<Mutex<SharedStores>>,
    leads: watch::Receiver<bool>,
    elector: Option<ComponentId>,
    capacity: Option<usize>,
}

#[derive(Default)]
struct SharedStores {
    stores: BTreeMap<String, Content>,
    failing: Option<StoreError>,
    writes: usize,
}

#[derive(Default)]
struct Content {
    values: BTreeMap<String, Bytes>,
    /// The number of the last claim.
    claim: u64,
}

impl MemoryStorage {
    /// An empty storage that its only user may always claim.
    pub fn new() -> Self {
        MemoryStorage {
            shared: Arc::default(),
            leads: watch::Sender::new(true).subscribe(),
            elector: None,
            capacity: None,
        }
    }

    /// The same storage for a replica that may claim it only while it leads.
    #[must_use]
    pub fn replica(&self, elector: ComponentId, leadership: Leadership) -> Self {
        MemoryStorage {
            shared: Arc::clone(&self.shared),
            leads: leadership.0,
            elector: Some(elector),
            capacity: self.capacity,
        }
    }

    /// The same storage with this limit on its size.
    #[must_use]
    pub fn with_capacity(self, capacity: usize) -> Self {
        MemoryStorage {
            capacity: Some(capacity),
            ..self
        }
    }

    /// From now on every call fails like this; `None`: works again.
    pub fn fail(&self, with: Option<StoreError>) {
        self.locked().failing = with;
    }

    /// How many transactions were written.
    pub fn writes(&self) -> usize {
        self.locked().writes
    }

    /// The stored keys and values of a component.
    pub fn content(&self, kind: Kind, id: &ComponentId) -> BTreeMap<String, Bytes> {
        let shared = self.locked();
        shared
            .stores
            .get(&kind.path(id))
            .map(|content| content.values.clone())
            .unwrap_or_default()
    }

    fn locked(&self) -> MutexGuard<'_, SharedStores> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        MemoryStorage::new()
    }
}

impl Storage for MemoryStorage {
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
        let store = MemoryStore {
            storage: self.clone(),
            path: kind.path(id),
            claim: Mutex::new(None),
        };
        Box::pin(async { Ok(Arc::new(store) as Arc<dyn Store>) })
    }

    fn leader_elector(&self) -> Option<&ComponentId> {
        self.elector.as_ref()
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}

struct MemoryStore {
    storage: MemoryStorage,
    path: String,
    claim: Mutex<Option<u64>>,
}

impl MemoryStore {
    fn with<T>(&self, work: impl FnOnce(&mut Content) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut shared = self.storage.locked();
        if let Some(failure) = &shared.failing {
            return Err(failure.clone());
        }
        work(shared.stores.entry(self.path.clone()).or_default())
    }
}

impl Store for MemoryStore {
    fn claim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            let mut leadership = Leadership(self.storage.leads.clone());
            if !leadership.is_leader() {
                leadership.until(true).await;
            }
            let claim = self.with(|content| {
                content.claim += 1;
                Ok(content.claim)
            })?;
            *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim);
            Ok(())
        })
    }

    fn keys(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        let keys = self.with(|content| {
            let keys = content.values.keys().filter(|key| key.starts_with(prefix));
            Ok(keys.cloned().collect())
        });
        Box::pin(async { keys })
    }

    fn get(&self, key: &str) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        let value = self.with(|content| Ok(content.values.get(key).cloned()));
        Box::pin(async { value })
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<(), StoreError>> {
        let claim = *self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.with(|content| {
            if claim != Some(content.claim) {
                return Err(StoreError::Fenced("another replica has claimed the store".into()));
            }
            for change in changes {
                match change {
                    Change::Set(key, value) => content.values.insert(key, value),
                    Change::Delete(key) => content.values.remove(&key),
                };
            }
            Ok(())
        });
        if done.is_ok() {
            self.storage.locked().writes += 1;
        }
        Box::pin(async { done })
    }
}
