//! The events that were counted lately, so that one that comes again is not counted again.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// How many events are remembered.
pub const CAPACITY: usize = 10_000;

/// A bounded set: the oldest entry gives way.
#[derive(Debug)]
pub struct Recent {
    capacity: usize,
    order: VecDeque<Arc<str>>,
    set: HashSet<Arc<str>>,
}

impl Recent {
    /// An empty set for that many entries.
    pub fn new(capacity: usize) -> Self {
        Recent {
            capacity,
            order: VecDeque::new(),
            set: HashSet::new(),
        }
    }

    /// Remembers an entry; `None` if it was there already.
    pub fn insert(&mut self, uid: &str) -> Option<Arc<str>> {
        if self.set.contains(uid) {
            return None;
        }
        let uid: Arc<str> = uid.into();
        self.set.insert(Arc::clone(&uid));
        self.order.push_back(Arc::clone(&uid));
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        Some(uid)
    }

    /// Forgets entries, so that they count again.
    pub fn forget(&mut self, uids: &[Arc<str>]) {
        let gone: HashSet<&Arc<str>> = uids.iter().filter(|uid| self.set.remove(*uid)).collect();
        if !gone.is_empty() {
            self.order.retain(|uid| !gone.contains(uid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_and_what_is_forgotten_counts_again() {
        let mut recent = Recent::new(2);
        let a = recent.insert("a").unwrap();
        assert!(recent.insert("b").is_some());
        assert!(recent.insert("a").is_none());
        recent.forget(&[a]);
        assert!(recent.insert("c").is_some());
        assert!(recent.insert("b").is_none());
        assert!(recent.insert("d").is_some());
        assert!(recent.insert("b").is_some(), "b was the oldest of three");
        assert_eq!((recent.order.len(), recent.set.len()), (2, 2));
    }
}
