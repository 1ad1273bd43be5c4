//! The changes a watch can still be resumed from: a bounded window, per resource.

use super::object::Stored;
use crate::resource::ChangeType;
use std::collections::VecDeque;
use std::sync::Arc;

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The global version the change has.
    pub version: u64,
    pub kind: ChangeType,
    /// The object after the change; for a deletion its last state, stamped with `version`.
    pub object: Arc<Stored>,
    /// The object before the change, if there was one.
    pub previous: Option<Arc<Stored>>,
}

/// The requested version lies before the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// The oldest version a watch could start from.
    pub floor: u64,
}

#[derive(Debug)]
pub(crate) struct Window {
    changes: VecDeque<Change>,
    /// Changes after this version are all here.
    floor: u64,
    capacity: usize,
}

impl Window {
    pub fn new(floor: u64, capacity: usize) -> Window {
        Window {
            changes: VecDeque::new(),
            floor,
            capacity: capacity.max(1),
        }
    }

    pub fn push(&mut self, change: Change) {
        while self.changes.len() >= self.capacity {
            if let Some(dropped) = self.changes.pop_front() {
                self.floor = dropped.version;
            }
        }
        self.changes.push_back(change);
    }

    /// Forgets every change, as if the window had moved past them.
    pub fn compact(&mut self, version: u64) {
        self.changes.clear();
        self.floor = version;
    }

    /// The changes after `version`.
    pub fn after(&self, version: u64) -> Result<impl Iterator<Item = &Change>, TooOld> {
        if version < self.floor {
            return Err(TooOld { floor: self.floor });
        }
        let start = self.changes.partition_point(|change| change.version <= version);
        Ok(self.changes.range(start..))
    }
}
