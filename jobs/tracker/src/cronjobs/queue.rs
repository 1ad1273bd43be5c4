//! Which CronJob is looked at when, and how far each scope is observed. Times are seconds since 1970.

use std::collections::{BTreeMap, BTreeSet};

use job_event::Uid;
use job_watch::Kind;

use super::slots::{EVENTS_KEPT, NEVER, Proof};

/// How far the watches of one scope are proven to have delivered everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watched {
    jobs: i64,
    cronjobs: i64,
    events: i64,
    /// No Job was created and removed unobserved since.
    since: i64,
    /// No Event expired unobserved since.
    events_since: i64,
}

/// The CronJobs in the order in which their next slots can be decided.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    due: BTreeSet<(u16, i64, Uid)>,
    scopes: BTreeMap<u16, Watched>,
}

impl Queue {
    /// A scope is observed from `now` on, unless it is observed already.
    pub(crate) fn observes(&mut self, scope: u16, now: i64) {
        self.scopes.entry(scope).or_insert(Watched {
            jobs: 0,
            cronjobs: 0,
            events: 0,
            since: now,
            events_since: now - EVENTS_KEPT,
        });
    }

    /// A list of Jobs begins: Jobs that were created and removed since the last observation are not in it.
    pub(crate) fn jobs_listed(&mut self, scope: u16, now: i64) {
        self.observes(scope, now);
        if let Some(watched) = self.scopes.get_mut(&scope) {
            watched.since = now;
        }
    }

    /// A list of Events about CronJobs begins: those that expired since the last observation are not in it.
    pub(crate) fn events_listed(&mut self, scope: u16, now: i64) {
        self.observes(scope, now);
        if let Some(watched) = self.scopes.get_mut(&scope)
            && watched.events < now - EVENTS_KEPT
        {
            watched.events_since = now - EVENTS_KEPT;
        }
    }

    /// The watch of a kind has delivered everything before `at`.
    pub(crate) fn watched(&mut self, kind: Kind, scope: u16, at: i64) {
        let Some(watched) = self.scopes.get_mut(&scope) else {
            return;
        };
        let until = match kind {
            Kind::Jobs => &mut watched.jobs,
            Kind::CronJobs => &mut watched.cronjobs,
            Kind::CronJobEvents => &mut watched.events,
            _ => return,
        };
        *until = at.max(*until);
    }

    /// All watches have delivered everything before `at`.
    pub(crate) fn all_watched(&mut self, at: i64) {
        for watched in self.scopes.values_mut() {
            watched.jobs = at.max(watched.jobs);
            watched.cronjobs = at.max(watched.cronjobs);
            watched.events = at.max(watched.events);
        }
    }

    /// The proof of a scope. `has_events` is false if Events cannot be read.
    pub(crate) fn proof(&self, scope: u16, has_events: bool) -> Option<Proof> {
        let watched = self.scopes.get(&scope)?;
        Some(Proof {
            until: watched.jobs.min(watched.cronjobs),
            since: watched.since,
            events: has_events.then_some(watched.events),
            events_since: watched.events_since,
        })
    }

    /// Moves a CronJob from one time to another; [`NEVER`] takes it out.
    pub(crate) fn requeue(&mut self, scope: u16, uid: Uid, from: i64, to: i64) {
        self.due.remove(&(scope, from, uid));
        if to != NEVER {
            self.due.insert((scope, to, uid));
        }
    }

    /// The first CronJob that can be decided at `now`.
    pub(crate) fn first(&self, now: i64) -> Option<Uid> {
        self.ready().find(|(due, _)| *due <= now).map(|(_, uid)| uid)
    }

    /// When the first CronJob can be decided, with the proof that exists.
    pub(crate) fn next(&self) -> Option<i64> {
        self.ready().map(|(due, _)| due).min()
    }

    /// The first CronJob of each scope that is due before the end of its proof.
    fn ready(&self) -> impl Iterator<Item = (i64, Uid)> {
        let until = |watched: &Watched| watched.jobs.min(watched.cronjobs);
        let least = Uid::from_bytes([0; 16]);
        self.scopes.iter().filter_map(move |(scope, watched)| {
            let (of, due, uid) = self.due.range((*scope, i64::MIN, least)..).next()?;
            (of == scope && *due <= until(watched)).then_some((*due, *uid))
        })
    }
}
