//! What arrives before the object it belongs to is known. The streams are unordered among each other, so a Pod may
//! come before its Job and an Event before its Pod.

use std::collections::{HashMap, VecDeque};

use super::uid::Uid;

/// Things that wait for an owner to appear: at most so many owners and so many things for each, the oldest go first.
#[derive(Debug)]
pub struct Early<T> {
    waiting: HashMap<Uid, Vec<T>>,
    order: VecDeque<Uid>,
    owners: usize,
    each: usize,
}

impl<T> Early<T> {
    /// Room for `owners` owners with `each` things.
    pub fn new(owners: usize, each: usize) -> Self {
        Early {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            owners,
            each,
        }
    }

    /// The things that wait for `owner`, to be changed; makes room for a new owner.
    pub fn of(&mut self, owner: Uid) -> &mut Vec<T> {
        if !self.waiting.contains_key(&owner) {
            while self.order.len() >= self.owners {
                if let Some(oldest) = self.order.pop_front() {
                    self.waiting.remove(&oldest);
                }
            }
            self.order.push_back(owner);
        }
        let things = self.waiting.entry(owner).or_default();
        if things.len() >= self.each {
            things.remove(0);
        }
        things
    }

    /// Takes what waits for `owner`.
    pub fn take(&mut self, owner: Uid) -> Vec<T> {
        let Some(things) = self.waiting.remove(&owner) else {
            return Vec::new();
        };
        self.order.retain(|uid| *uid != owner);
        things
    }

    /// For how many owners something waits.
    pub fn len(&self) -> usize {
        self.order.len()
    }
}
