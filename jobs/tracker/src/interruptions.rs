//! Lists and watches that fail, or are silent. Meanwhile Jobs whose end was not seen wait for their Events, and while one fails no
//! notice is sent.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use job_event::evidence::Gap;
use job_watch::{Kind, Source};

use super::time::later;
use super::{JobEntry, Tracker, WAIT_FOR_EVENTS};

/// How often a Job that waits is looked at.
const LOOK: SignedDuration = SignedDuration::from_secs(1);
/// The longest wait for a watch that fails or is silent. A Job whose end is not known is then reported as deleted.
const LONGEST: SignedDuration = SignedDuration::from_secs(150);

/// The lists and watches that fail, when others recovered, and which ones are silent.
#[derive(Debug, Default)]
pub(crate) struct Interruptions {
    lasting: HashSet<Source>,
    recovered: HashMap<Source, Timestamp>,
    /// When the current list of Events about Jobs began.
    list_began: HashMap<Source, Timestamp>,
    /// Until when the watches of these Events have surely delivered everything: a connection may be dead without an error.
    proven: HashMap<Source, Timestamp>,
}

impl Interruptions {
    pub(crate) fn begin(&mut self, source: Source) {
        self.lasting.insert(source);
    }

    pub(crate) fn end(&mut self, source: Source, now: Timestamp) {
        if self.lasting.remove(&source) {
            self.recovered.insert(source, now);
        }
    }

    pub(crate) fn list_begins(&mut self, source: Source, now: Timestamp) {
        if source.kind == Kind::JobEvents {
            self.list_began.insert(source, now);
        }
    }

    pub(crate) fn list_ends(&mut self, source: Source) {
        if let Some(began) = self.list_began.remove(&source) {
            self.proven(source, began);
        }
    }

    /// A source has delivered everything that happened before `at`.
    pub(crate) fn proven(&mut self, source: Source, at: Timestamp) {
        if source.kind == Kind::JobEvents {
            let proven = self.proven.entry(source).or_insert(at);
            *proven = at.max(*proven);
        }
    }

    /// True if the list or watch of this source fails now.
    pub(crate) fn fails(&self, source: Source) -> bool {
        self.lasting.contains(&source)
    }

    /// True if what this source would have delivered before `at` may still arrive.
    fn is_silent(&self, source: Source, at: Timestamp) -> bool {
        self.proven.get(&source).is_some_and(|proven| *proven < at)
    }

    /// The sources that fail or have recovered.
    fn sources(&self) -> impl Iterator<Item = Source> {
        self.lasting.iter().chain(self.recovered.keys()).copied()
    }

    /// True if what this source missed may still arrive.
    fn is_behind(&self, source: Source, now: Timestamp) -> bool {
        let arrives = |at: &Timestamp| {
            let since = now.duration_since(*at);
            !since.is_negative() && since < WAIT_FOR_EVENTS
        };
        self.lasting.contains(&source) || self.recovered.get(&source).is_some_and(arrives)
    }
}

impl Tracker {
    /// True if a watch of these kinds fails, or has recovered moments ago, so that changes may be unobserved. A forbidden one has
    /// none to observe.
    pub fn is_behind(&self, kinds: &[Kind], now: Timestamp) -> bool {
        self.interruptions.sources().any(|source| {
            kinds.contains(&source.kind)
                && !self.forbidden.contains(&source)
                && self.interruptions.is_behind(source, now)
        })
    }

    /// When to look again at a Job that is due, if the Event about its end may still arrive.
    pub(super) fn waits_for_events(&mut self, uid: Uid, now: Timestamp) -> Option<Timestamp> {
        let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid) else {
            return None;
        };
        record.verdict_from_events(uid);
        if record.decided().is_some() || !record.has_gap(Gap::EndNotSeen) {
            return None;
        }
        let events = Source {
            kind: Kind::JobEvents,
            scope: record.scope,
        };
        let gone = record.ended_at()?;
        let waited = now.duration_since(gone);
        let is_late = self.interruptions.is_behind(events, now) || self.interruptions.is_silent(events, gone);
        let may_come = is_late && !self.forbidden.contains(&events);
        (may_come && waited < LONGEST).then(|| later(now, LOOK))
    }
}
