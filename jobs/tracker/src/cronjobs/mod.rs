//! CronJobs: distinguishes a replaced run from a deleted one, and knows the order of runs.
//!
//! `slots.rs` decides which runs were missed, from the facts that `observe.rs` reads; `queue.rs` decides when; `missed.rs` makes
//! the events, and `state.rs` the gauges.

mod allowance;
mod fate;
mod missed;
mod notes;
mod observe;
mod plan;
mod queue;
mod slots;
mod state;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{self, PreviousRun};

use self::plan::Plan;
use self::queue::Queue;
use self::slots::{NEVER, Slots};
use crate::job::JobRecord;
use crate::pool::{Pool, Tags};
use crate::stalls::StalledAfter;
use job_event::Uid;
use job_watch::model;

pub use missed::MissedRunSettings;
pub use state::CronJobState;

/// How many runs of a CronJob are remembered: more than usually run at a time, and more than its history keeps by
/// default.
const RUNS: usize = 4;
/// How far the clocks of two controllers may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Every CronJob that exists or has tracked Jobs.
#[derive(Debug, Default)]
pub(crate) struct CronJobs {
    known: HashMap<Uid, Record>,
    /// Those that exist, by `namespace/name`.
    names: HashMap<Box<str>, Uid>,
    plans: Pool<Plan>,
    queue: Queue,
    /// True at the end of a recording.
    is_over: bool,
}

#[derive(Debug, Default)]
struct Record {
    exists: bool,
    /// `namespace/name`.
    name: Box<str>,
    uid: Box<str>,
    created: Option<Timestamp>,
    /// How many of its Jobs have a record.
    jobs: u32,
    concurrency_policy: Option<Box<str>>,
    stalled_after: StalledAfter,
    /// The newest Job that was made for a slot.
    newest: Option<(Timestamp, Uid)>,
    /// Its newest runs with the time of their creation, oldest first, at most [`RUNS`].
    runs: Vec<(Timestamp, PreviousRun)>,
    slots: Option<Box<Slots>>,
}

impl Record {
    /// `spec.schedule`, where the CronJob itself was seen.
    fn schedule(&self) -> Option<Box<str>> {
        let plan = self.slots.as_ref()?.plan.as_ref()?;
        Some(plan.text.clone())
    }

    /// Remembers a run, once.
    fn saw_run(&mut self, uid: Uid, job: &JobRecord) {
        let Some(created) = job.created.get() else { return };
        let uid = job.uid_text(uid);
        if self.runs.iter().any(|(_, run)| run.uid == uid) {
            return;
        }
        let at = self
            .runs
            .partition_point(|(other, run)| (other, &run.uid) < (&created, &uid));
        let traceparent = job.traceparent();
        self.runs.reserve_exact(1);
        self.runs.insert(at, (created, PreviousRun { uid, traceparent }));
        if self.runs.len() > RUNS {
            self.runs.remove(0);
        }
    }
}

impl CronJobs {
    /// A CronJob was seen.
    pub(crate) fn seen(&mut self, cronjob: &model::CronJob) {
        let metadata = &cronjob.metadata;
        let uid = Uid::new(&metadata.uid);
        let record = self.known.entry(uid).or_default();
        if !std::mem::replace(&mut record.exists, true) {
            record.name = key(&metadata.namespace, &metadata.name);
            record.uid = metadata.uid.as_str().into();
            record.created = metadata.creation_timestamp;
            self.names.insert(record.name.clone(), uid);
        }
        record.concurrency_policy = cronjob.spec.concurrency_policy.clone();
        record.stalled_after = StalledAfter::parse(metadata.annotations.stalled_after.as_deref());
    }

    /// A CronJob was deleted. Its data stays as long as its Jobs do.
    pub(crate) fn gone(&mut self, uid: Uid) {
        if let Some(record) = self.known.get_mut(&uid) {
            record.exists = false;
            if let Some(slots) = record.slots.as_mut() {
                self.queue.requeue(slots.scope, uid, slots.due, NEVER);
                (slots.due, slots.is_active) = (NEVER, false);
                slots.notes.clear();
            }
            if self.names.get(&record.name) == Some(&uid) {
                self.names.remove(&record.name);
            }
            if record.jobs == 0 {
                self.known.remove(&uid);
            }
        }
    }

    /// The UIDs of all that exist.
    pub(crate) fn existing(&self) -> Vec<Uid> {
        self.existing_records().map(|(uid, _)| uid).collect()
    }

    /// Those of a scope that exist.
    pub(crate) fn existing_in(&self, scope: u16) -> Vec<Uid> {
        let is_in = |record: &Record| record.slots.as_ref().is_some_and(|slots| slots.scope == scope);
        let records = self.existing_records();
        records
            .filter(|(_, record)| is_in(record))
            .map(|(uid, _)| uid)
            .collect()
    }

    fn existing_records(&self) -> impl Iterator<Item = (Uid, &Record)> {
        let records = self.known.iter().filter(|(_, record)| record.exists);
        records.map(|(uid, record)| (*uid, record))
    }

    /// True if the annotation about missed runs of a CronJob cannot be read.
    pub(crate) fn has_invalid_annotation(&self, uid: Uid) -> bool {
        self.slots(uid).is_some_and(|slots| slots.has_invalid_annotation)
    }

    fn slots(&self, uid: Uid) -> Option<&Slots> {
        self.known.get(&uid)?.slots.as_deref()
    }

    /// A list of the Jobs of a scope begins.
    pub(crate) fn jobs_listed(&mut self, scope: u16, now: Timestamp) {
        self.queue.jobs_listed(scope, now.as_second());
    }

    /// A list of the Events about the CronJobs of a scope begins.
    pub(crate) fn events_listed(&mut self, scope: u16, now: Timestamp) {
        self.queue.events_listed(scope, now.as_second());
    }

    /// The CronJob and the slot of a Job that is known by its name only and ended at `at`. The controller of CronJobs
    /// names a run after its CronJob and the minutes of its slot since 1970 (`getJobName` in
    /// `pkg/controller/cronjob/cronjob_controllerv2.go`), and no slot is before the CronJob's creation.
    pub(crate) fn maker_of(&self, namespace: &str, job: &str, at: Timestamp) -> Option<(model::Owner, Timestamp)> {
        let (name, minutes) = job.rsplit_once('-')?;
        if !minutes.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let minutes: i64 = minutes.parse().ok()?;
        let slot = Timestamp::from_second(minutes.checked_mul(60)?).ok()?;
        let record = self.known.get(self.names.get(&key(namespace, name))?)?;
        // A Job created by hand may have a similar name, but hardly one with a time at which its CronJob existed.
        if record.created? > slot || slot.duration_since(at) > SKEW {
            return None;
        }
        let owner = model::Owner {
            api_version: model::ApiGroup::Batch,
            kind: "CronJob".into(),
            name: name.into(),
            uid: record.uid.as_ref().into(),
            controller: true,
        };
        Some((owner, slot))
    }

    /// A Job was seen for the first time; it may have ended long ago.
    pub(crate) fn run_seen(&mut self, uid: Uid, job: &JobRecord) {
        let cronjob = job.cronjob();
        if let Some(record) = cronjob.and_then(|owner| self.known.get_mut(&owner)) {
            record.saw_run(uid, job);
            self.start_seen(job);
        }
    }

    /// A Job got a record.
    pub(crate) fn job_added(&mut self, uid: Uid, job: &JobRecord) {
        let Some(cronjob) = job.cronjob() else { return };
        let record = self.known.entry(cronjob).or_default();
        record.jobs += 1;
        record.saw_run(uid, job);
        if let (Some(created), Some(_)) = (job.created.get(), job.scheduled.get())
            && record.newest.is_none_or(|newest| newest.0 <= created)
        {
            record.newest = Some((created, uid));
        }
        self.start_seen(job);
    }

    /// A Job's record ends: adds the data of its CronJob.
    pub(crate) fn job_ended(&mut self, job: &mut evidence::Job) {
        self.describe(job);
        let Some(cronjob) = &job.cronjob else { return };
        let owner = Uid::new(&cronjob.uid);
        if let Some(record) = self.known.get_mut(&owner) {
            record.jobs = record.jobs.saturating_sub(1);
            if record.jobs == 0 && !record.exists {
                self.known.remove(&owner);
            }
        }
    }

    /// Adds the data of a Job's CronJob, and whether a newer run replaced the Job. The controller of CronJobs deletes the
    /// running Job right before it creates the next one, and only for a slot; a Job created by hand replaces nothing
    /// (`pkg/controller/cronjob/cronjob_controllerv2.go`).
    pub(crate) fn describe(&self, job: &mut evidence::Job) {
        let uid = Uid::new(&job.uid);
        let Some(cronjob) = &mut job.cronjob else { return };
        let Some(record) = self.known.get(&Uid::new(&cronjob.uid)) else {
            return;
        };
        cronjob.schedule = record.schedule();
        cronjob.concurrency_policy = record.concurrency_policy.clone();
        cronjob.previous = job.created.and_then(|created| {
            let earlier = |(at, run): &&(Timestamp, PreviousRun)| (at, &run.uid) < (&created, &job.uid);
            let run = record.runs.iter().rfind(earlier);
            run.map(|(_, run)| Box::new(run.clone()))
        });
        let replaced = record.concurrency_policy.as_deref() == Some("Replace")
            && record
                .newest
                .is_some_and(|(created, newest)| newest != uid && Some(created) >= job.created);
        if let Some(removal) = &mut job.removed {
            removal.replaced = replaced;
        }
    }

    /// True if a CronJob exists.
    pub(crate) fn exists(&self, uid: &Uid) -> bool {
        self.known.get(uid).is_some_and(|record| record.exists)
    }

    /// The annotation `k8s-job-collector/stalled-after` of a CronJob.
    pub(crate) fn stalled_after_of(&self, uid: &Uid) -> StalledAfter {
        self.known
            .get(uid)
            .map(|record| record.stalled_after)
            .unwrap_or_default()
    }

    /// The labels and annotations of a CronJob.
    pub(crate) fn tags(&self, uid: Uid) -> Option<Arc<Tags>> {
        self.slots(uid)?.tags.clone()
    }

    /// The number of known CronJobs.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

/// The namespace and the name in `namespace/name`.
fn split(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or(("", key))
}

fn key(namespace: &str, name: &str) -> Box<str> {
    format!("{namespace}/{name}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn cronjob(name: &str, uid: &str, created: &str) -> model::CronJob {
        let mut cronjob = model::CronJob::default();
        cronjob.metadata.namespace = "shop".into();
        cronjob.metadata.name = name.into();
        cronjob.metadata.uid = uid.into();
        cronjob.metadata.creation_timestamp = Some(at(created));
        cronjob
    }

    #[test]
    fn finds_the_cronjob_by_the_name_of_a_run() {
        let mut cronjobs = CronJobs::default();
        cronjobs.seen(&cronjob("night-ly", "u1", "2026-11-24T01:00:00Z"));
        let slot = at("2026-11-24T02:00:00Z");
        let run = format!("night-ly-{}", slot.as_second() / 60);
        let ended = at("2026-11-24T02:05:00Z");
        let (owner, scheduled) = cronjobs.maker_of("shop", &run, ended).unwrap();
        assert_eq!((&*owner.name, &*owner.uid, scheduled), ("night-ly", "u1", slot));
        for (namespace, job, ended) in [
            ("other", &*run, ended),
            // Made before its CronJob, or after it ended.
            ("shop", &*format!("night-ly-{}", slot.as_second() / 60 - 61), ended),
            ("shop", &*run, at("2026-11-24T01:58:59Z")),
            // Made by hand.
            ("shop", "night-ly-1", ended),
            ("shop", "night-ly-20261124", ended),
            ("shop", "night-ly-manual-x7x", ended),
            ("shop", "night-ly-", ended),
            ("shop", "night-ly", ended),
            ("shop", "night-ly-99999999999999999999", ended),
        ] {
            assert_eq!(cronjobs.maker_of(namespace, job, ended), None, "{namespace}/{job}");
        }
    }

    #[test]
    fn a_recreated_cronjob_has_no_earlier_runs() {
        let mut cronjobs = CronJobs::default();
        cronjobs.seen(&cronjob("a", "u1", "2026-11-24T01:00:00Z"));
        cronjobs.seen(&cronjob("a", "u2", "2026-11-24T03:00:00Z"));
        cronjobs.gone(Uid::new("u1"));
        let run = |slot| format!("a-{}", at(slot).as_second() / 60);
        let ended = at("2026-11-24T05:00:00Z");
        let maker =
            |cronjobs: &CronJobs, slot| cronjobs.maker_of("shop", &run(slot), ended).map(|(owner, _)| owner.uid);
        assert_eq!(maker(&cronjobs, "2026-11-24T02:00:00Z"), None);
        assert_eq!(maker(&cronjobs, "2026-11-24T04:00:00Z"), Some("u2".into()));
        cronjobs.gone(Uid::new("u2"));
        assert_eq!(maker(&cronjobs, "2026-11-24T04:00:00Z"), None);
    }
}
