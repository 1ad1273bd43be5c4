//! A versioned store of objects: one counter of versions for all resources, as etcd has, and a bounded window of
//! changes per resource, as the watch cache of the API server has.

mod object;
mod seed;
pub(crate) mod selector;
mod window;

pub use seed::SeededJobs;

pub(crate) use object::{Pairs, Stored};
pub(crate) use window::{Change, TooOld};

use crate::resource::{ChangeType, Resource};
use selector::Selection;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use window::Window;

/// How a store is made.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// How many changes per resource a watch can be resumed over.
    pub window: usize,
    /// The version the empty store starts at; the first write gets the next one.
    pub first_version: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            window: 20_000,
            first_version: 1_000,
        }
    }
}

/// Why a write was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An object of that name is there already.
    #[error("{0} \"{1}\" already exists")]
    AlreadyExists(String, String),
    /// No object of that name is there.
    #[error("{0} \"{1}\" not found")]
    NotFound(String, String),
    /// The object has another resource version than the writer read.
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
pub struct Store {
    state: Arc<Mutex<State>>,
    version: Arc<watch::Sender<u64>>,
}

#[derive(Debug)]
struct State {
    version: u64,
    resources: HashMap<Resource, Objects>,
}

#[derive(Debug)]
struct Objects {
    live: BTreeMap<Box<str>, Arc<Stored>>,
    window: Window,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// The version the list is consistent with.
    pub version: u64,
    pub items: Vec<Arc<Stored>>,
    /// The key of the last item, and how many objects follow it unselected, if the page is not the last.
    pub next: Option<(Box<str>, usize)>,
}

impl Default for Store {
    fn default() -> Self {
        Store::new(StoreOptions::default())
    }
}

impl Store {
    /// An empty store.
    pub fn new(options: StoreOptions) -> Store {
        let first = options.first_version;
        let objects = || Objects {
            live: BTreeMap::new(),
            window: Window::new(first, options.window),
        };
        let resources = Resource::ALL
            .into_iter()
            .map(|resource| (resource, objects()))
            .collect();
        let state = State {
            version: first,
            resources,
        };
        Store {
            state: Arc::new(Mutex::new(state)),
            version: Arc::new(watch::Sender::new(first)),
        }
    }

    /// The version of the last write to any resource.
    pub fn resource_version(&self) -> u64 {
        self.lock().version
    }

    /// How many objects of `resource` there are.
    pub fn count(&self, resource: Resource) -> usize {
        self.lock()
            .resources
            .get(&resource)
            .map_or(0, |objects| objects.live.len())
    }

    /// The object of that name; the namespace is empty for cluster-scoped resources.
    pub fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Value> {
        self.stored(resource, namespace, name)
            .map(|stored| stored.to_value(resource))
    }

    /// Every object of `resource`, in the order of lists.
    pub fn list(&self, resource: Resource) -> Vec<Value> {
        let stored: Vec<_> = match self.lock().resources.get(&resource) {
            Some(objects) => objects.live.values().cloned().collect(),
            None => Vec::new(),
        };
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

    /// Writes an object whether or not it is there; returns its version.
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

    /// Removes an object, telling watches this last state; returns the version of the deletion.
    pub fn delete_with(&self, resource: Resource, last: Value) -> Result<u64, StoreError> {
        let key = key_of(resource, &last)?;
        let mut state = self.lock();
        if !state.objects(resource).live.contains_key(&key) {
            return Err(StoreError::NotFound(resource.qualified(), name_of(&key)));
        }
        Ok(self.remove(&mut state, resource, &key, last))
    }

    /// Forgets all changes so far: a watch from an older version gets 410.
    pub fn compact(&self) {
        let mut state = self.lock();
        let version = state.version;
        for objects in state.resources.values_mut() {
            objects.window.compact(version);
        }
    }

    /// Tells when the version of the store moves.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn stored(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        self.lock()
            .resources
            .get(&resource)?
            .live
            .get(&key(resource, namespace, name))
            .cloned()
    }

    /// The changes of `resource` after `version`, at most `limit`, and the version they lead to.
    pub(crate) fn changes(&self, resource: Resource, version: u64, limit: usize) -> Result<(Vec<Change>, u64), TooOld> {
        let mut state = self.lock();
        let now = state.version;
        let changes: Vec<Change> = state
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
    ) -> Result<Page, TooOld> {
        let mut state = self.lock();
        let version = at.unwrap_or(state.version);
        let objects = state.objects(resource);
        // What objects looked like at `version`: undo every later change. The first one after it knows.
        let mut then: BTreeMap<&str, Option<&Arc<Stored>>> = BTreeMap::new();
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
                    // Nobody counts the rest of a narrowed list.
                    break;
                }
                continue;
            }
            if selection.matches(stored) {
                items.push(stored.clone());
            }
        }
        let next = items.last().filter(|_| more).map(|last| (last.key.clone(), rest));
        Ok(Page { version, items, next })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, state: &mut State, resource: Resource, key: Box<str>, object: Value) -> u64 {
        let version = state.version + 1;
        self.insert(state, resource, Stored::new(resource, key, object, version));
        version
    }

    fn insert(&self, state: &mut State, resource: Resource, object: Arc<Stored>) {
        let version = object.version;
        let objects = state.objects(resource);
        let previous = objects.live.insert(object.key.clone(), object.clone());
        let kind = if previous.is_some() {
            ChangeType::Modified
        } else {
            ChangeType::Added
        };
        objects.window.push(Change {
            version,
            kind,
            object,
            previous,
        });
        self.advance(state, version);
    }

    fn remove(&self, state: &mut State, resource: Resource, key: &str, last: Value) -> u64 {
        let version = state.version + 1;
        let objects = state.objects(resource);
        let previous = objects.live.remove(key);
        let object = Stored::new(resource, key.into(), last, version);
        objects.window.push(Change {
            version,
            kind: ChangeType::Deleted,
            object,
            previous,
        });
        self.advance(state, version);
        version
    }

    fn advance(&self, state: &mut State, version: u64) {
        state.version = version;
        self.version.send_replace(version);
    }
}

impl State {
    fn objects(&mut self, resource: Resource) -> &mut Objects {
        let (floor, capacity) = (self.version, StoreOptions::default().window);
        let empty = || Objects {
            live: BTreeMap::new(),
            window: Window::new(floor, capacity),
        };
        self.resources.entry(resource).or_insert_with(empty)
    }
}

/// Merges two sequences sorted by key; no key is in both.
fn merged<'a>(
    left: impl Iterator<Item = (&'a str, &'a Arc<Stored>)>,
    right: impl Iterator<Item = (&'a str, &'a Arc<Stored>)>,
) -> impl Iterator<Item = (&'a str, &'a Arc<Stored>)> {
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
