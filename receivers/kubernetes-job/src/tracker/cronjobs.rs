//! What is known of CronJobs: enough to tell a replaced run from a deleted one, and which run came before which.

use std::collections::HashMap;

use jiff::Timestamp;
use job_event::evidence::{self, PreviousRun};

use super::job::JobRecord;
use crate::model;
use job_event::Uid;

/// How many runs of a CronJob are remembered: more than run at a time, mostly, and than its history keeps by default.
const RUNS: usize = 4;

/// Every CronJob that exists or has tracked Jobs.
#[derive(Debug, Default)]
pub struct CronJobs {
    known: HashMap<Uid, Record>,
}

#[derive(Debug, Default)]
struct Record {
    exists: bool,
    /// How many of its Jobs have a record.
    jobs: u32,
    schedule: Option<Box<str>>,
    concurrency_policy: Option<Box<str>>,
    /// The newest Job that was made for a slot.
    newest: Option<(Timestamp, Uid)>,
    /// Its newest runs with the time of their creation, oldest first, at most [`RUNS`].
    runs: Vec<(Timestamp, PreviousRun)>,
}

impl Record {
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
    pub fn seen(&mut self, cronjob: &model::CronJob) {
        let record = self.known.entry(Uid::new(&cronjob.metadata.uid)).or_default();
        record.exists = true;
        record.schedule = cronjob.spec.schedule.clone();
        record.concurrency_policy = cronjob.spec.concurrency_policy.clone();
    }

    /// A CronJob is gone. What is known of it stays for as long as its Jobs do.
    pub fn gone(&mut self, uid: Uid) {
        if let Some(record) = self.known.get_mut(&uid) {
            record.exists = false;
            if record.jobs == 0 {
                self.known.remove(&uid);
            }
        }
    }

    /// The UIDs of all that exist.
    pub fn existing(&self) -> Vec<Uid> {
        self.known
            .iter()
            .filter(|(_, record)| record.exists)
            .map(|(uid, _)| *uid)
            .collect()
    }

    /// A Job was seen for the first time, also one that ended long ago.
    pub fn run_seen(&mut self, uid: Uid, job: &JobRecord) {
        let owner = job.owner.as_ref().map(|owner| Uid::new(&owner.uid));
        if let Some(record) = owner.and_then(|owner| self.known.get_mut(&owner)) {
            record.saw_run(uid, job);
        }
    }

    /// A Job got a record.
    pub fn job_added(&mut self, uid: Uid, job: &JobRecord) {
        let Some(owner) = &job.owner else { return };
        let record = self.known.entry(Uid::new(&owner.uid)).or_default();
        record.jobs += 1;
        record.saw_run(uid, job);
        if let (Some(created), Some(_)) = (job.created.get(), job.scheduled.get())
            && record.newest.is_none_or(|newest| newest.0 <= created)
        {
            record.newest = Some((created, uid));
        }
    }

    /// A Job's record ends: fills in what its CronJob says and whether a newer run took its place. The controller
    /// of CronJobs deletes the running Job right before it makes the next one, and only for a slot; a Job that was
    /// made by hand replaces nothing (`pkg/controller/cronjob/cronjob_controllerv2.go`).
    pub fn job_ended(&mut self, job: &mut evidence::Job) {
        let uid = Uid::new(&job.uid);
        let Some(cronjob) = &mut job.cronjob else { return };
        let owner = Uid::new(&cronjob.uid);
        let Some(record) = self.known.get_mut(&owner) else {
            return;
        };
        cronjob.schedule = record.schedule.clone();
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
        record.jobs = record.jobs.saturating_sub(1);
        if record.jobs == 0 && !record.exists {
            self.known.remove(&owner);
        }
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}
