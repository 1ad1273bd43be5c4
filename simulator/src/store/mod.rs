//! A versioned store of objects: one counter of versions for all resources, as etcd has, and a bounded window of
//! changes per resource, as the watch cache of the API server has.

mod object;
pub(crate) mod selector;
pub(crate) mod shard;
mod window;

pub(crate) use object::StoredObject;
pub(crate) use window::{StoreChange, TooOld};

use crate::locked;
use crate::resource::{ChangeType, Resource};
use selector::Selection;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;
use window::Window;

/// The version of an empty store; the first write gets the next one.
const FIRST_VERSION: u64 = 1_000;

/// The options of a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// How many changes of each resource are kept; a watch resumes from these only.
    pub window: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { window: 20_000 }
    }
}

/// The reason a write was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An object of that name exists.
    #[error("{0} \"{1}\" already exists")]
    AlreadyExists(String, String),
    /// No object of that name exists.
    #[error("{0} \"{1}\" not found")]
    NotFound(String, String),
    /// The resource version of the object is not the one that the writer read.
    #[error(
        "Operation cannot be fulfilled on {0} \"{1}\": the object has been modified; please apply your changes to the latest version and try again"
    )]
    Conflict(String, String),
    /// The object lacks `metadata.name`, or `metadata.namespace` where its resource needs one.
    #[error("an object of {0} needs metadata.name, and metadata.namespace if it is namespaced; found {1}")]
    Unnamed(String, String),
}

/// A versioned object store. Clones share one state.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    state: Arc<Mutex<StoreState>>,
    version: Arc<watch::Sender<u64>>,
}

#[derive(Debug)]
struct StoreState {
    version: u64,
    /// The capacity of each resource's window.
    window: usize,
    resources: HashMap<Resource, ResourceObjects>,
}

#[derive(Debug)]
struct ResourceObjects {
    live: BTreeMap<Box<str>, Arc<StoredObject>>,
    window: Window,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct ListPage {
    /// The version the list is consistent with.
    pub version: u64,
    pub items: Vec<Arc<StoredObject>>,
    /// The key of the last item, and how many objects follow it unselected, if the page is not the last.
    pub next: Option<(Box<str>, usize)>,
}

impl Default for ObjectStore {
    fn default() -> Self {
        ObjectStore::new(StoreOptions::default())
    }
}

impl ObjectStore {
    /// An empty store.
    pub fn new(options: StoreOptions) -> ObjectStore {
        let first = FIRST_VERSION;
        let state = StoreState {
            version: first,
            window: options.window,
            resources: HashMap::new(),
        };
        ObjectStore {
            state: Arc::new(Mutex::new(state)),
            version: Arc::new(watch::Sender::new(first)),
        }
    }

    /// The version of the last write to any resource.
    pub fn resource_version(&self) -> u64 {
        self.lock().version
    }

    /// The number of objects of `resource`.
    pub fn count(&self, resource: Resource) -> usize {
        self.lock().objects(resource).live.len()
    }

    /// The object of that name; the namespace is empty for cluster-scoped resources.
    pub fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Value> {
        self.stored(resource, namespace, name)
            .map(|stored| stored.to_value(resource))
    }

    /// Every object of `resource`, in the order of lists.
    pub fn list(&self, resource: Resource) -> Vec<Value> {
        let stored: Vec<_> = self.lock().objects(resource).live.values().cloned().collect();
        stored.iter().map(|stored| stored.to_value(resource)).collect()
    }

    /// Adds an object; returns its version.
    pub fn create(&self, resource: Resource, object: Value) -> Result<u64, StoreError> {
        let key = key_of(resource, &object)?;
        let mut state = self.lock();
        if state.objects(resource).live.contains_key(&key) {
            return Err(StoreError::AlreadyExists(resource.qualified(), name_of(&key)));
        }
        Ok(self.write(&mut state, resource, key, object))
    }

    /// Replaces an object; a `metadata.resourceVersion` in it must be the current one. Returns the new version.
    pub fn update(&self, resource: Resource, object: Value) -> Result<u64, StoreError> {
        let key = key_of(resource, &object)?;
        let mut state = self.lock();
        let Some(current) = state.objects(resource).live.get(&key) else {
            return Err(StoreError::NotFound(resource.qualified(), name_of(&key)));
        };
        let read = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !read.is_empty() && read != current.version.to_string() {
            return Err(StoreError::Conflict(resource.qualified(), name_of(&key)));
        }
        Ok(self.write(&mut state, resource, key, object))
    }

    /// Creates or replaces an object; returns its version.
    pub fn put(&self, resource: Resource, object: Value) -> Result<u64, StoreError> {
        let key = key_of(resource, &object)?;
        let mut state = self.lock();
        Ok(self.write(&mut state, resource, key, object))
    }

    /// Removes an object; returns its last state.
    pub fn delete(&self, resource: Resource, namespace: &str, name: &str) -> Result<Value, StoreError> {
        let key = key(resource, namespace, name);
        let mut state = self.lock();
        let Some(current) = state.objects(resource).live.get(&key).cloned() else {
            return Err(StoreError::NotFound(resource.qualified(), name.to_owned()));
        };
        let last = current.to_value(resource);
        self.remove(&mut state, resource, &key, last.clone());
        Ok(last)
    }

    /// Removes an object whose last state, as watches show it, is this one; returns the version of the deletion.
    pub fn delete_with(&self, resource: Resource, last: Value) -> Result<u64, StoreError> {
        let key = key_of(resource, &last)?;
        let mut state = self.lock();
        if !state.objects(resource).live.contains_key(&key) {
            return Err(StoreError::NotFound(resource.qualified(), name_of(&key)));
        }
        Ok(self.remove(&mut state, resource, &key, last))
    }

    /// Drops all changes so far: a watch from an older version ends with 410.
    pub fn compact(&self) {
        let mut state = self.lock();
        let version = state.version;
        for objects in state.resources.values_mut() {
            objects.window.compact(version);
        }
    }

    /// The version of the store, as it moves.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn stored(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<StoredObject>> {
        let key = key(resource, namespace, name);
        self.lock().objects(resource).live.get(&key).cloned()
    }

    /// The changes of `resource` after `version`, at most `limit`, and the version they lead to.
    pub(crate) fn changes(
        &self,
        resource: Resource,
        version: u64,
        limit: usize,
    ) -> Result<(Vec<StoreChange>, u64), TooOld> {
        let mut state = self.lock();
        let now = state.version;
        let changes: Vec<StoreChange> = state
            .objects(resource)
            .window
            .after(version)?
            .take(limit)
            .cloned()
            .collect();
        let upto = match changes.last() {
            Some(last) if changes.len() == limit => last.version,
            _ => now.max(version),
        };
        Ok((changes, upto))
    }

    /// A page of `resource` as of version `at` (now, if none), beginning after the key `after`.
    pub(crate) fn page(
        &self,
        resource: Resource,
        selection: &Selection,
        at: Option<u64>,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> Result<ListPage, TooOld> {
        let mut state = self.lock();
        let version = at.unwrap_or(state.version);
        let objects = state.objects(resource);
        // The objects at `version`: undo every later change. The first one after it holds the object as it was then.
        let mut then: BTreeMap<&str, Option<&Arc<StoredObject>>> = BTreeMap::new();
        for change in objects.window.after(version)? {
            then.entry(&change.object.key).or_insert(change.previous.as_ref());
        }
        let prefix = selection.key_prefix();
        let from = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix.as_str()),
        };
        let live = objects
            .live
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(key, stored)| (key.as_ref(), stored));
        let gone = then
            .range::<str, _>((from, Bound::Unbounded))
            .filter_map(|(key, old)| Some((*key, (*old)?)));
        let unchanged = live.filter(|(key, _)| !then.contains_key(key));
        let mut items = Vec::new();
        let mut rest = 0;
        let mut more = false;
        for (key, stored) in merged(unchanged, gone) {
            if !key.starts_with(&prefix) {
                break;
            }
            if limit.is_some_and(|limit| items.len() >= limit) {
                more |= selection.matches(stored);
                rest += 1;
                if more && selection.has_selectors() {
                    // A list with selectors carries no count of the rest.
                    break;
                }
                continue;
            }
            if selection.matches(stored) {
                items.push(stored.clone());
            }
        }
        let next = items.last().filter(|_| more).map(|last| (last.key.clone(), rest));
        Ok(ListPage { version, items, next })
    }

    fn lock(&self) -> MutexGuard<'_, StoreState> {
        locked(&self.state)
    }

    fn write(&self, state: &mut StoreState, resource: Resource, key: Box<str>, object: Value) -> u64 {
        let object = StoredObject::new(resource, key.clone(), object, state.version + 1);
        let objects = state.objects(resource);
        let previous = objects.live.insert(key, object.clone());
        let kind = match previous {
            Some(_) => ChangeType::Modified,
            None => ChangeType::Added,
        };
        self.push(state, resource, kind, object, previous)
    }

    fn remove(&self, state: &mut StoreState, resource: Resource, key: &str, last: Value) -> u64 {
        let object = StoredObject::new(resource, key.into(), last, state.version + 1);
        let previous = state.objects(resource).live.remove(key);
        self.push(state, resource, ChangeType::Deleted, object, previous)
    }

    fn push(
        &self,
        state: &mut StoreState,
        resource: Resource,
        kind: ChangeType,
        object: Arc<StoredObject>,
        previous: Option<Arc<StoredObject>>,
    ) -> u64 {
        let version = object.version;
        state.objects(resource).window.push(StoreChange {
            version,
            kind,
            object,
            previous,
        });
        state.version = version;
        self.version.send_replace(version);
        version
    }
}

impl StoreState {
    fn objects(&mut self, resource: Resource) -> &mut ResourceObjects {
        self.resources.entry(resource).or_insert_with(|| ResourceObjects {
            live: BTreeMap::new(),
            window: Window::new(FIRST_VERSION, self.window),
        })
    }
}

/// Merges two sequences sorted by key; no key is in both.
fn merged<'a>(
    left: impl Iterator<Item = (&'a str, &'a Arc<StoredObject>)>,
    right: impl Iterator<Item = (&'a str, &'a Arc<StoredObject>)>,
) -> impl Iterator<Item = (&'a str, &'a Arc<StoredObject>)> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some((l, _)), Some((r, _))) if r < l => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    })
}

/// The key of an object: lists are in the order of keys, as they are in etcd.
pub(crate) fn key(resource: Resource, namespace: &str, name: &str) -> Box<str> {
    if resource.namespaced() {
        format!("{namespace}/{name}").into()
    } else {
        name.into()
    }
}

fn key_of(resource: Resource, object: &Value) -> Result<Box<str>, StoreError> {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    match metadata["name"].as_str() {
        Some(name) if !name.is_empty() && (!resource.namespaced() || !namespace.is_empty()) => {
            Ok(key(resource, namespace, name))
        }
        name => Err(StoreError::Unnamed(
            resource.qualified(),
            format!("\"{namespace}/{}\"", name.unwrap_or_default()),
        )),
    }
}

fn name_of(key: &str) -> String {
    key.rsplit('/').next().unwrap_or_default().to_owned()
}
