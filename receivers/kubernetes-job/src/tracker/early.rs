//! What arrives before the object it belongs to is known. The streams are unordered among each other, so a Pod may
//! come before its Job and an Event before its Pod.

use std::collections::{HashMap, VecDeque};

use job_event::Uid;

/// Things that wait for an owner to appear: at most so many owners, the oldest go first. Who adds things bounds how many
/// each owner has.
#[derive(Debug)]
pub struct Early<T> {
    waiting: HashMap<Uid, Vec<T>>,
    order: VecDeque<Uid>,
    owners: usize,
}

impl<T> Early<T> {
    /// Room for `owners` owners.
    pub fn new(owners: usize) -> Self {
        Early {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            owners,
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
        self.waiting.entry(owner).or_default()
    }

    /// The things that wait for `owner`, if any do.
    pub fn known(&mut self, owner: Uid) -> Option<&mut Vec<T>> {
        self.waiting.get_mut(&owner)
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
