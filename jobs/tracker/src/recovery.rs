//! Jobs known from Events only: they finished and were deleted while no watch was running.
//!
//! The Job controller's Event about a Job's end outlives the Job, for an hour by default. When such an Event is about a
//! Job that no list of Jobs has shown, the Job was created and deleted unobserved, or the Job's watch is late. So an Event
//! counts as the last trace of a Job only after a delay: a short one if a list of Jobs that began after the Job's end is
//! complete, because the Job was deleted before that list; otherwise one longer than a watch can be silent undetected.
//!
//! Anyone who may create Events in a namespace can forge such an Event. So the namespaces take turns, observed Jobs come
//! first, and at the limit Jobs of the namespace that has the most are dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;

use super::event::EventRecord;
use super::time::{later, pop_due};

/// How long the Job's own watch may be late: the controller writes the Job's status before the Event.
const PATIENCE: SignedDuration = SignedDuration::from_millis(1500);
/// How long it may be late if no complete list of Jobs began after the Job's end.
const LONG_PATIENCE: SignedDuration = SignedDuration::from_secs(150);
/// Times in Events are cut to whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);
/// How many Jobs may wait to be reported from their Events.
const WAITING: usize = 50_000;

/// A Job known from its Events only.
#[derive(Debug)]
pub(crate) struct DeletedJob {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its UID as written.
    pub uid: Box<str>,
    /// The scope of the watch that delivered the Event.
    pub scope: u16,
    /// When it finished, by the Event.
    pub at: Timestamp,
    /// The Event about its end.
    pub verdict: EventRecord,
}

impl DeletedJob {
    /// True if it finished before `time`, as far as the times in Events show.
    fn is_before(&self, time: Timestamp) -> bool {
        self.at <= later(time, ROUNDING)
    }
}

/// The outcome of a Job that may have been created and deleted unobserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It waits from now on; another one may have been dropped to make room.
    Waits(Option<Uid>),
    /// It already waits.
    Known,
    /// There are too many: it is dropped.
    Dropped,
}

#[derive(Debug)]
struct WaitingJob {
    deleted: Box<DeletedJob>,
    /// When it may be reported.
    due: Timestamp,
}

/// Jobs that may have been created and deleted unobserved.
#[derive(Debug)]
pub(crate) struct Recoveries {
    waiting: HashMap<Uid, WaitingJob>,
    /// Those that are not due yet.
    due: BTreeSet<(Timestamp, Uid)>,
    /// Those that are due, by namespace. Those that no longer wait are skipped.
    ready: BTreeMap<Arc<str>, VecDeque<Uid>>,
    /// Since when there are such.
    ready_since: Timestamp,
    /// The namespace whose turn it was last.
    last: Option<Arc<str>>,
    /// Those that wait, by namespace.
    namespaces: HashMap<Arc<str>, BTreeSet<Uid>>,
    capacity: usize,
    /// When the current list of all Jobs of each scope began.
    listing: HashMap<u16, Timestamp>,
    /// When the last complete one began.
    listed: HashMap<u16, Timestamp>,
}

impl Default for Recoveries {
    fn default() -> Self {
        Recoveries {
            waiting: HashMap::new(),
            due: BTreeSet::new(),
            ready: BTreeMap::new(),
            ready_since: Timestamp::MIN,
            last: None,
            namespaces: HashMap::new(),
            capacity: WAITING,
            listing: HashMap::new(),
            listed: HashMap::new(),
        }
    }
}

impl Recoveries {
    /// An Event about the end of a Job that is not known. `follows_jobs`: it is from a list that was read after that of Jobs, and the
    /// watch of Jobs works.
    pub(crate) fn add(&mut self, uid: Uid, deleted: DeletedJob, follows_jobs: bool, now: Timestamp) -> Added {
        if self.waiting.contains_key(&uid) {
            return Added::Known;
        }
        let dropped = match self.make_room(&deleted.namespace) {
            Ok(dropped) => dropped,
            Err(Full) => return Added::Dropped,
        };
        let scope = &deleted.scope;
        let is_listed = self.listed.get(scope).is_some_and(|began| deleted.is_before(*began));
        let is_gone = is_listed || (follows_jobs && !self.listing.contains_key(scope));
        let due = later(now, if is_gone { PATIENCE } else { LONG_PATIENCE });
        self.due.insert((due, uid));
        self.namespaces
            .entry(deleted.namespace.clone())
            .or_default()
            .insert(uid);
        let waiting = WaitingJob {
            deleted: Box::new(deleted),
            due,
        };
        self.waiting.insert(uid, waiting);
        Added::Waits(dropped)
    }

    /// Drops one of the namespace that has the most, unless that is the namespace of the new one.
    fn make_room(&mut self, namespace: &str) -> Result<Option<Uid>, Full> {
        if self.waiting.len() < self.capacity {
            return Ok(None);
        }
        let own = self.namespaces.get(namespace).map_or(0, BTreeSet::len);
        let most = self.namespaces.values().max_by_key(|uids| uids.len());
        let most = most.filter(|uids| uids.len() > own + 1).and_then(|uids| uids.last());
        let uid = *most.ok_or(Full)?;
        self.remove(&uid);
        Ok(Some(uid))
    }

    /// The Job exists after all. Returns true if it was waiting.
    pub(crate) fn forget(&mut self, uid: &Uid) -> bool {
        self.remove(uid).is_some()
    }

    /// Forgets those that `is_reported` says were reported, and returns their UIDs.
    pub(crate) fn forget_reported(&mut self, is_reported: impl Fn(&Uid, &DeletedJob) -> bool) -> Vec<Uid> {
        let waiting = self.waiting.iter();
        let reported = waiting.filter(|(uid, waiting)| is_reported(uid, &waiting.deleted));
        let reported: Vec<Uid> = reported.map(|(uid, _)| *uid).collect();
        for uid in &reported {
            self.remove(uid);
        }
        reported
    }

    fn remove(&mut self, uid: &Uid) -> Option<WaitingJob> {
        let waiting = self.waiting.remove(uid)?;
        self.due.remove(&(waiting.due, *uid));
        let namespace = &waiting.deleted.namespace;
        if let Some(uids) = self.namespaces.get_mut(namespace) {
            uids.remove(uid);
            if uids.is_empty() {
                self.namespaces.remove(namespace);
                self.ready.remove(namespace);
            }
        }
        Some(waiting)
    }

    /// A list of all Jobs of a scope begins.
    pub(crate) fn list_begins(&mut self, scope: u16, now: Timestamp) {
        self.listing.insert(scope, now);
    }

    /// It has ended: Jobs that finished before it and are not in it are gone.
    pub(crate) fn list_ends(&mut self, scope: u16, now: Timestamp) {
        let Some(began) = self.listing.remove(&scope) else {
            return;
        };
        self.listed.insert(scope, began);
        // The watch after it may still deliver a Job that was created after the beginning.
        let due = later(now, PATIENCE);
        for (uid, waiting) in &mut self.waiting {
            let is_gone = waiting.deleted.scope == scope && waiting.deleted.is_before(began);
            if is_gone && due < waiting.due && self.due.remove(&(waiting.due, *uid)) {
                self.due.insert((due, *uid));
                waiting.due = due;
            }
        }
    }

    /// When the next one may be reported.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        match self.ready.is_empty() {
            true => self.due.first().map(|(at, _)| *at),
            false => Some(self.ready_since),
        }
    }

    /// How many may be reported.
    pub(crate) fn ready(&self) -> usize {
        self.waiting.len().saturating_sub(self.due.len())
    }

    /// The next one that may be reported at `now`; the namespaces take turns.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<(Uid, Box<DeletedJob>)> {
        while let Some(uid) = pop_due(&mut self.due, LONG_PATIENCE, now) {
            if let Some(waiting) = self.waiting.get(&uid) {
                if self.ready.is_empty() {
                    self.ready_since = waiting.due;
                }
                let namespace = waiting.deleted.namespace.clone();
                self.ready.entry(namespace).or_default().push_back(uid);
            }
        }
        loop {
            let after = self.last.take().map_or(Bound::Unbounded, Bound::Excluded);
            let turn = self.ready.range::<Arc<str>, _>((after, Bound::Unbounded)).next();
            let (namespace, _) = turn.or_else(|| self.ready.first_key_value())?;
            let namespace = namespace.clone();
            let queue = self.ready.get_mut(&namespace)?;
            let uid = queue.pop_front();
            if queue.is_empty() {
                self.ready.remove(&namespace);
            }
            self.last = Some(namespace);
            if let Some((uid, waiting)) = uid.and_then(|uid| Some((uid, self.remove(&uid)?))) {
                return Some((uid, waiting.deleted));
            }
        }
    }
}

/// There is no room.
struct Full;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pools;
    use job_watch::model;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn add(recoveries: &mut Recoveries, namespace: &str, name: &str) -> Added {
        let deleted = DeletedJob {
            namespace: namespace.into(),
            name: name.into(),
            uid: name.into(),
            scope: 0,
            at: at(0),
            verdict: EventRecord::new(&model::Event::default(), &mut Pools::default()),
        };
        recoveries.add(Uid::new(name), deleted, true, at(0))
    }

    fn names(recoveries: &mut Recoveries) -> Vec<String> {
        let next = || recoveries.next(at(10)).map(|(_, deleted)| deleted.name.to_string());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn namespaces_take_turns() {
        let mut recoveries = Recoveries::default();
        for n in 0..100 {
            add(&mut recoveries, "evil", &format!("false-{n}"));
        }
        add(&mut recoveries, "a", "first");
        add(&mut recoveries, "z", "last");
        assert!(recoveries.next(at(1)).is_none(), "not due yet");
        let names = names(&mut recoveries);
        assert_eq!(names.len(), 102);
        assert!(names[..3].contains(&"first".to_owned()) && names[..3].contains(&"last".to_owned()));
        assert_eq!((recoveries.ready(), recoveries.next_deadline()), (0, None));
    }

    #[test]
    fn those_that_are_due_count_from_the_first_one() {
        let mut recoveries = Recoveries::default();
        for name in ["a", "b"] {
            add(&mut recoveries, "n", name);
        }
        let due = Some(later(at(0), PATIENCE));
        assert_eq!(recoveries.next_deadline(), due);
        assert!(recoveries.next(at(10)).is_some());
        assert_eq!((recoveries.ready(), recoveries.next_deadline()), (1, due));
    }

    #[test]
    fn the_namespace_with_most_jobs_makes_room() {
        let mut recoveries = Recoveries {
            capacity: 10,
            ..Recoveries::default()
        };
        for n in 0..10 {
            assert_eq!(add(&mut recoveries, "evil", &format!("false-{n}")), Added::Waits(None));
        }
        assert_eq!(add(&mut recoveries, "evil", "one-more"), Added::Dropped);
        assert!(matches!(add(&mut recoveries, "own", "a"), Added::Waits(Some(_))));
        assert_eq!(add(&mut recoveries, "own", "a"), Added::Known);
        assert!(recoveries.next(at(10)).is_some());
        assert_eq!(add(&mut recoveries, "own", "b"), Added::Waits(None));
        assert!(matches!(add(&mut recoveries, "own", "c"), Added::Waits(Some(_))));
        let names = names(&mut recoveries);
        assert_eq!(names.len(), 10);
        for own in ["b", "c"] {
            assert!(names.contains(&own.to_owned()), "{names:?}");
        }
    }
}
