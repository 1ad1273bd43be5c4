//! Jobs of which nothing is left but Events: they ended and were deleted while nobody watched.
//!
//! The Job controller's Event about a Job's end outlives the Job, for an hour by default. When such an Event is about a
//! Job that no list of Jobs has shown, the Job has come and gone unseen, or the Job's own stream is late. So an Event is
//! only taken for the last trace of a Job after a while, and, unless it stood in a list, after another list of Jobs.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;

use super::event::EventRecord;
use crate::model;

/// How long the Job's own stream may be late.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
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
    /// When it may be told of; `None`: not before another list of Jobs.
    due: Option<Timestamp>,
    since: Timestamp,
}

/// The Jobs that may have come and gone unseen.
#[derive(Debug, Default)]
pub struct Recoveries {
    waiting: HashMap<Uid, Waiting>,
    due: BTreeSet<(Timestamp, Uid)>,
}

impl Recoveries {
    /// An Event about the end of a Job that is not known. `listed`: it stood in a list, which follows one of Jobs.
    pub fn add(&mut self, uid: Uid, remains: Remains, listed: bool, now: Timestamp) {
        if self.waiting.contains_key(&uid) || self.waiting.len() >= WAITING {
            return;
        }
        let due = listed.then(|| later(now));
        if let Some(due) = due {
            self.due.insert((due, uid));
        }
        let since = now;
        self.waiting.insert(
            uid,
            Waiting {
                remains: Box::new(remains),
                due,
                since,
            },
        );
    }

    /// The Job is there after all. Whether it was waited for.
    pub fn forget(&mut self, uid: &Uid) -> bool {
        let Some(waiting) = self.waiting.remove(uid) else {
            return false;
        };
        if let Some(due) = waiting.due {
            self.due.remove(&(due, *uid));
        }
        true
    }

    /// A list of all Jobs of a part of the cluster has ended: those that are not in it are gone. Gives those that are due
    /// from now on, and when they ended.
    pub fn jobs_listed(&mut self, scope: u16) -> Vec<(Uid, Timestamp)> {
        let mut gone = Vec::new();
        for (uid, waiting) in &mut self.waiting {
            if waiting.due.is_none() && waiting.remains.scope == scope {
                let due = later(waiting.since);
                waiting.due = Some(due);
                self.due.insert((due, *uid));
                gone.push((*uid, waiting.remains.at));
            }
        }
        gone
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

fn later(now: Timestamp) -> Timestamp {
    now.checked_add(PATIENCE).unwrap_or(Timestamp::MAX)
}
