//! Objects that arrive before their owner is known. The streams are unordered among each other, so a Pod may
//! come before its Job and an Event before its Pod.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use job_event::Uid;

/// Objects that wait for an owner in their own namespace, for a bounded number of owners. At the limit a new owner replaces
/// the oldest one of the namespace that has the most, so that no namespace can evict the objects of others. The caller
/// bounds the number of objects of each owner.
#[derive(Debug)]
pub(crate) struct Early<T> {
    namespaces: HashMap<Arc<str>, WaitingObjects<T>>,
    len: usize,
    owners: usize,
}

#[derive(Debug)]
struct WaitingObjects<T> {
    things: HashMap<Uid, Vec<T>>,
    /// The owners, oldest first.
    order: VecDeque<Uid>,
}

impl<T> Early<T> {
    /// Room for `owners` owners.
    pub(crate) fn new(owners: usize) -> Self {
        Early {
            namespaces: HashMap::new(),
            len: 0,
            owners,
        }
    }

    /// The objects that wait for `owner`, to be changed; makes room for a new owner.
    pub(crate) fn of(&mut self, namespace: &Arc<str>, owner: Uid) -> &mut Vec<T> {
        if self.known(namespace, owner).is_none() {
            while self.len >= self.owners {
                self.remove_oldest();
            }
            self.len += 1;
        }
        let waiting = self
            .namespaces
            .entry(namespace.clone())
            .or_insert_with(|| WaitingObjects {
                things: HashMap::new(),
                order: VecDeque::new(),
            });
        waiting.things.entry(owner).or_insert_with(|| {
            waiting.order.push_back(owner);
            Vec::new()
        })
    }

    /// The objects that wait for `owner`, if there are any.
    pub(crate) fn known(&mut self, namespace: &str, owner: Uid) -> Option<&mut Vec<T>> {
        self.namespaces.get_mut(namespace)?.things.get_mut(&owner)
    }

    /// Takes the objects that wait for `owner`.
    pub(crate) fn take(&mut self, namespace: &str, owner: Uid) -> Vec<T> {
        let Some(waiting) = self.namespaces.get_mut(namespace) else {
            return Vec::new();
        };
        let Some(things) = waiting.things.remove(&owner) else {
            return Vec::new();
        };
        waiting.order.retain(|uid| *uid != owner);
        if waiting.order.is_empty() {
            self.namespaces.remove(namespace);
        }
        self.len -= 1;
        things
    }

    /// The number of owners with waiting objects.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn remove_oldest(&mut self) {
        let largest = self
            .namespaces
            .iter_mut()
            .max_by_key(|(_, waiting)| waiting.order.len());
        let Some((namespace, waiting)) = largest else {
            self.len = 0;
            return;
        };
        if let Some(oldest) = waiting.order.pop_front() {
            waiting.things.remove(&oldest);
            self.len -= 1;
        }
        if waiting.order.is_empty() {
            let namespace = namespace.clone();
            self.namespaces.remove(&namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_in_one_namespace_pushes_out_its_own() {
        let mut early = Early::new(8);
        let [own, evil]: [Arc<str>; 2] = ["own".into(), "evil".into()];
        early.of(&own, Uid::new("job")).push(0);
        for n in 0..1000 {
            early.of(&evil, Uid::new(&n.to_string())).push(n);
        }
        assert_eq!(early.len(), 8);
        assert!(early.take("evil", Uid::new("job")).is_empty(), "of another namespace");
        assert_eq!(early.take("own", Uid::new("job")), [0]);
        assert_eq!(early.take("evil", Uid::new("999")), [999]);
        assert_eq!(early.len(), 6);
    }
}
