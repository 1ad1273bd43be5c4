//! The changes that a watch can resume from: a bounded window for each resource.

use super::object::StoredObject;
use crate::resource::ChangeType;
use std::collections::VecDeque;
use std::sync::Arc;

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct StoreChange {
    /// The version of the change, in the count of all resources.
    pub version: u64,
    pub kind: ChangeType,
    /// The object after the change; for a deletion its last state, stamped with `version`.
    pub object: Arc<StoredObject>,
    /// The object before the change, if there was one.
    pub previous: Option<Arc<StoredObject>>,
}

/// The requested version lies before the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// The oldest version a watch could start from.
    pub floor: u64,
}

#[derive(Debug)]
pub(crate) struct Window {
    changes: VecDeque<StoreChange>,
    /// The window holds every change after this version.
    floor: u64,
    capacity: usize,
}

impl Window {
    pub(super) fn new(floor: u64, capacity: usize) -> Window {
        Window {
            changes: VecDeque::new(),
            floor,
            capacity: capacity.max(1),
        }
    }

    pub(super) fn push(&mut self, change: StoreChange) {
        while self.changes.len() >= self.capacity {
            if let Some(dropped) = self.changes.pop_front() {
                self.floor = dropped.version;
            }
        }
        self.changes.push_back(change);
    }

    /// Drops every change, as if the window had moved past them.
    pub(super) fn compact(&mut self, version: u64) {
        self.changes.clear();
        self.floor = version;
    }

    /// The changes after `version`.
    pub(super) fn after(&self, version: u64) -> Result<impl Iterator<Item = &StoreChange>, TooOld> {
        if version < self.floor {
            return Err(TooOld { floor: self.floor });
        }
        let start = self.changes.partition_point(|change| change.version <= version);
        Ok(self.changes.range(start..))
    }
}
