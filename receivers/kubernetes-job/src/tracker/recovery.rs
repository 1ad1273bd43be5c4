//! Jobs of which nothing is left but Events: they ended and were deleted while nobody watched.
//!
//! The Job controller's Event about a Job's end outlives the Job, for an hour by default. When such an Event is about a
//! Job that no list of Jobs has shown, the Job has come and gone unseen, or the Job's own stream is late. So an Event is
//! only taken for the last trace of a Job after a while: a short one if a list of Jobs is younger than the Job's end, for then
//! the Job was gone before that list; else one that is longer than a watch can be silent unnoticed.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;

use super::event::EventRecord;
use crate::model;

/// How long the Job's own stream may be late: its controller writes the end into the Job before it tells of it.
const PATIENCE: SignedDuration = SignedDuration::from_millis(1500);
/// How long it may be late if no list of Jobs is younger than the Job's end.
const LONG_PATIENCE: SignedDuration = SignedDuration::from_secs(150);
/// Times in Events are cut to whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);
/// How many Jobs may wait to be told from their Events.
const WAITING: usize = 50_000;

/// What is left of a Job.
#[derive(Debug)]
pub struct Remains {
    /// Its namespace, name and UID.
    pub metadata: model::Metadata,
    /// The part of the cluster in which the Event was seen.
    pub scope: u16,
    /// When it ended, as far as the Event tells.
    pub at: Timestamp,
    /// The Event about its end.
    pub verdict: EventRecord,
}

#[derive(Debug)]
struct Waiting {
    remains: Box<Remains>,
    /// When it may be told of.
    due: Timestamp,
    since: Timestamp,
}

/// The Jobs that may have come and gone unseen.
#[derive(Debug, Default)]
pub struct Recoveries {
    waiting: HashMap<Uid, Waiting>,
    due: BTreeSet<(Timestamp, Uid)>,
    /// When the last list of all Jobs of each part of the cluster ended.
    listed: HashMap<u16, Timestamp>,
}

impl Recoveries {
    /// An Event about the end of a Job that is not known. `listed`: it stood in a list, which follows one of Jobs. Whether
    /// the Job waits from now on.
    pub fn add(&mut self, uid: Uid, remains: Remains, listed: bool, now: Timestamp) -> bool {
        if self.waiting.contains_key(&uid) || self.waiting.len() >= WAITING {
            return false;
        }
        let is_older = |list: &Timestamp| remains.at <= later(*list, ROUNDING);
        let is_gone = listed || self.listed.get(&remains.scope).is_some_and(is_older);
        let due = later(now, if is_gone { PATIENCE } else { LONG_PATIENCE });
        self.due.insert((due, uid));
        let waiting = Waiting {
            remains: Box::new(remains),
            due,
            since: now,
        };
        self.waiting.insert(uid, waiting);
        true
    }

    /// The Job is there after all. Whether it was waited for.
    pub fn forget(&mut self, uid: &Uid) -> bool {
        let Some(waiting) = self.waiting.remove(uid) else {
            return false;
        };
        self.due.remove(&(waiting.due, *uid));
        true
    }

    /// A list of all Jobs of a part of the cluster has ended: those that are not in it are gone.
    pub fn jobs_listed(&mut self, scope: u16, now: Timestamp) {
        self.listed.insert(scope, now);
        for (uid, waiting) in &mut self.waiting {
            let due = later(waiting.since, PATIENCE);
            if waiting.remains.scope == scope && due < waiting.due {
                self.due.remove(&(waiting.due, *uid));
                self.due.insert((due, *uid));
                waiting.due = due;
            }
        }
    }

    /// When the next one may be told of.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next one that may be told of at `now`.
    pub fn next(&mut self, now: Timestamp) -> Option<(Uid, Box<Remains>)> {
        let (at, uid) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.waiting.remove(&uid).map(|waiting| (uid, waiting.remains))
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
