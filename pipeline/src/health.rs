//! The condition of every component, as components report it and the health endpoint shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::component::ComponentId;

/// A component's condition; the names are the collector's component statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It runs, but cannot do its work yet: the first list has not arrived.
    Starting,
    /// It does its work.
    Ok,
    /// It cannot do its work at the moment and tries again. Holds why.
    RecoverableError(String),
    /// It is dead. Holds why.
    PermanentError(String),
    /// It ended as asked.
    Stopped,
}

/// The conditions of all components; a clone looks at the same ones.
#[derive(Clone, Debug)]
pub struct Health {
    statuses: Arc<watch::Sender<BTreeMap<ComponentId, Status>>>,
}

impl Health {
    /// No component yet.
    pub fn new() -> Self {
        Health {
            statuses: Arc::new(watch::Sender::new(BTreeMap::new())),
        }
    }

    /// A handle through which the component `id` reports. It stands as [`Status::Starting`] from now on.
    pub fn reporter(&self, id: ComponentId) -> Reporter {
        self.statuses.send_modify(|statuses| {
            statuses.insert(id.clone(), Status::Starting);
        });
        Reporter {
            id,
            health: self.clone(),
        }
    }

    /// The conditions now, and a way to wait for them to change.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<ComponentId, Status>> {
        self.statuses.subscribe()
    }

    /// Whether every component does its work.
    pub fn is_ready(&self) -> bool {
        self.statuses.borrow().values().all(|status| *status == Status::Ok)
    }
}

impl Default for Health {
    fn default() -> Self {
        Health::new()
    }
}

/// One component's handle to report its condition.
#[derive(Clone, Debug)]
pub struct Reporter {
    id: ComponentId,
    health: Health,
}

impl Reporter {
    /// Sets the component's condition.
    pub fn report(&self, status: Status) {
        self.health.statuses.send_if_modified(|statuses| {
            let changed = statuses.get(&self.id) != Some(&status);
            statuses.insert(self.id.clone(), status);
            changed
        });
    }
}
