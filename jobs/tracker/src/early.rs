//! Objects that arrive before their owner is known. The streams are unordered among each other, so a Pod may
//! come before its Job and an Event before its Pod.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use job_event::Uid;

/// Objects that wait for an owner in their own namespace, for a bounded number of owners. At the limit a new owner replaces
/// the oldest one of the namespace that has the most, so that no namespace can evict the objects of others. The caller
/// bounds the number of objects of each owner.
#[derive(Debug)]
pub(crate) struct Early<T> {
    namespaces: HashMap<Arc<str>, WaitingObjects<T>>,
    len: usize,
    owners: usize,
    dropped: Option<Timestamp>,
}

#[derive(Debug)]
struct WaitingObjects<T> {
    things: HashMap<Uid, Unowned<T>>,
    /// The owners with a name; several may claim the same one.
    names: HashMap<Box<str>, Vec<Uid>>,
    /// The owners, oldest first.
    order: VecDeque<Uid>,
}

#[derive(Debug)]
struct Unowned<T> {
    things: Vec<T>,
    name: Box<str>,
    /// The UID of the owner if that is not a UUID.
    odd_uid: Option<Box<str>>,
}

/// An owner as an object that waits for it names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerRef<'a> {
    pub uid: Uid,
    pub uid_text: &'a str,
    /// Empty if it is never looked up by its name.
    pub name: &'a str,
}

impl<T> Early<T> {
    /// Room for `owners` owners.
    pub(crate) fn new(owners: usize) -> Self {
        Early {
            namespaces: HashMap::new(),
            len: 0,
            owners,
            dropped: None,
        }
    }

    /// Sets the room, in owners, from now on.
    pub(crate) fn make_room(&mut self, owners: usize) {
        self.owners = owners;
    }

    /// When objects were last dropped at the limit.
    pub(crate) fn dropped(&self) -> Option<Timestamp> {
        self.dropped
    }

    /// The objects that wait for `owner` at `now`, to be changed; makes room for a new owner.
    pub(crate) fn of(&mut self, namespace: &Arc<str>, owner: OwnerRef<'_>, now: Timestamp) -> &mut Vec<T> {
        if self.known(namespace, owner.uid).is_none() {
            while self.len >= self.owners {
                self.remove_oldest();
                self.dropped = Some(now);
            }
            self.len += 1;
        }
        let waiting = self
            .namespaces
            .entry(namespace.clone())
            .or_insert_with(|| WaitingObjects {
                things: HashMap::new(),
                names: HashMap::new(),
                order: VecDeque::new(),
            });
        let entry = waiting.things.entry(owner.uid).or_insert_with(|| {
            waiting.order.push_back(owner.uid);
            if !owner.name.is_empty() {
                waiting.names.entry(owner.name.into()).or_default().push(owner.uid);
            }
            Unowned {
                things: Vec::new(),
                name: owner.name.into(),
                odd_uid: Uid::odd_text(owner.uid_text),
            }
        });
        &mut entry.things
    }

    /// All objects that wait in a namespace; in every namespace if it is empty.
    pub(crate) fn waiting(&mut self, namespace: &str) -> impl Iterator<Item = &mut T> {
        let namespaces = self.namespaces.iter_mut();
        let of = namespaces.filter(move |(name, _)| namespace.is_empty() || ***name == *namespace);
        let owners = of.flat_map(|(_, waiting)| waiting.things.values_mut());
        owners.flat_map(|owner| &mut owner.things)
    }

    /// The objects that wait for `owner`, if there are any.
    pub(crate) fn known(&mut self, namespace: &str, owner: Uid) -> Option<&mut Vec<T>> {
        let waiting = self.namespaces.get_mut(namespace)?.things.get_mut(&owner)?;
        Some(&mut waiting.things)
    }

    /// Takes the objects that wait for `owner`.
    pub(crate) fn take(&mut self, namespace: &str, owner: Uid) -> Vec<T> {
        self.remove(namespace, owner)
            .map_or_else(Vec::new, |waiting| waiting.things)
    }

    /// Takes the objects that wait for the owner of that name, with its UID. Nothing if several owners claim the name: a
    /// name belongs to one object at a time, and nothing shows which of them is meant.
    pub(crate) fn take_named(&mut self, namespace: &str, name: &str) -> Option<(Box<str>, Vec<T>)> {
        let [uid] = self.namespaces.get(namespace)?.names.get(name)?[..] else {
            return None;
        };
        let waiting = self.remove(namespace, uid)?;
        Some((waiting.odd_uid.unwrap_or_else(|| uid.to_text()), waiting.things))
    }

    /// The same without taking them.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Option<(Box<str>, &[T])> {
        let waiting = self.namespaces.get(namespace)?;
        let [uid] = waiting.names.get(name)?[..] else {
            return None;
        };
        let waiting = waiting.things.get(&uid)?;
        Some((
            waiting.odd_uid.clone().unwrap_or_else(|| uid.to_text()),
            &waiting.things,
        ))
    }

    /// The number of owners with waiting objects.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn remove(&mut self, namespace: &str, owner: Uid) -> Option<Unowned<T>> {
        let objects = self.namespaces.get_mut(namespace)?;
        let waiting = objects.remove(owner)?;
        objects.order.retain(|uid| *uid != owner);
        if objects.order.is_empty() {
            self.namespaces.remove(namespace);
        }
        self.len -= 1;
        Some(waiting)
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
            waiting.remove(oldest);
            self.len -= 1;
        }
        if waiting.order.is_empty() {
            let namespace = namespace.clone();
            self.namespaces.remove(&namespace);
        }
    }
}

impl<T> WaitingObjects<T> {
    /// Removes an owner from everything but the order.
    fn remove(&mut self, owner: Uid) -> Option<Unowned<T>> {
        let waiting = self.things.remove(&owner)?;
        if let Some(uids) = self.names.get_mut(&waiting.name) {
            uids.retain(|uid| *uid != owner);
            if uids.is_empty() {
                self.names.remove(&waiting.name);
            }
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner<'a>(uid: &'a str, name: &'a str) -> OwnerRef<'a> {
        OwnerRef {
            uid: Uid::new(uid),
            uid_text: uid,
            name,
        }
    }

    #[test]
    fn a_flood_in_one_namespace_pushes_out_its_own() {
        let mut early = Early::new(8);
        let [own, evil]: [Arc<str>; 2] = ["own".into(), "evil".into()];
        early.of(&own, owner("job", ""), Timestamp::MIN).push(0);
        let at = |n| Timestamp::from_second(n).unwrap();
        for n in 0..1000 {
            early.of(&evil, owner(&n.to_string(), "pod"), at(n)).push(n);
            assert_eq!(early.dropped(), (n >= 7).then_some(at(n)));
        }
        assert_eq!(early.len(), 8);
        assert!(early.take("evil", Uid::new("job")).is_empty(), "of another namespace");
        assert_eq!(early.take("own", Uid::new("job")), [0]);
        assert_eq!(early.take("evil", Uid::new("999")), [999]);
        assert_eq!(early.len(), 6);
        assert_eq!(early.namespaces["evil"].names["pod"].len(), 6);
    }

    #[test]
    fn a_name_claimed_twice_finds_nothing() {
        let mut early = Early::new(8);
        let namespace: Arc<str> = "own".into();
        early.of(&namespace, owner("p", "pod"), Timestamp::MIN).push(1);
        assert_eq!(early.take_named("evil", "pod"), None, "another namespace");
        early.of(&namespace, owner("q", "pod"), Timestamp::MIN).push(2);
        assert_eq!(early.take_named("own", "pod"), None);
        assert_eq!(early.take("own", Uid::new("q")), [2]);
        assert_eq!(early.take_named("own", "pod"), Some(("p".into(), vec![1])));
        assert_eq!((early.len(), early.namespaces.len()), (0, 0));
    }
}
