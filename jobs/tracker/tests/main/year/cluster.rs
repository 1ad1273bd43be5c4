//! A cluster with CronJobs and their controller, as `pkg/controller/cronjob/cronjob_controllerv2.go` acts. Seconds since 1970.

use std::collections::{BTreeMap, BTreeSet};

use job_schedule::Schedule;
use job_watch::{Kind, Object, Observation};

use super::objects::{self, Said, at};
use super::random::Random;

/// How long the API server keeps Events.
const EVENTS_KEPT: i64 = 3600;

#[derive(Debug)]
pub(crate) struct CronJob {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) text: String,
    pub(crate) zone: Option<&'static str>,
    pub(crate) schedule: Schedule,
    pub(crate) policy: &'static str,
    pub(crate) deadline: Option<i64>,
    pub(crate) is_suspended: bool,
    pub(crate) generation: i64,
    pub(crate) created: i64,
    pub(crate) last_scheduled: Option<i64>,
    pub(crate) last_success: Option<i64>,
    pub(crate) active: Vec<u64>,
    /// All its Jobs, oldest first.
    own: Vec<u64>,
    pub(crate) exists: bool,
    /// How many completed and failed runs are kept.
    pub(crate) limits: (usize, usize),
    /// How long runs take at most.
    pub(crate) longest: i64,
    /// Events that may still be written, in 1/300, and since when (`EventSourceObjectSpamFilter`).
    tokens: (i64, i64),
    /// Failed attempts to create a Job in a row.
    attempts: u32,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) owner: usize,
    pub(crate) slot: i64,
    pub(crate) created: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) fails: bool,
}

/// Something that happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A slot begins.
    Slot(usize),
    /// The controller looks at a CronJob.
    Sync(usize),
    JobEnds(u64),
    Chaos(u32),
    Check,
}

/// An act of the controller about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Started,
    Forbidden,
    Failed,
    TooMany,
}

#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) cronjobs: Vec<CronJob>,
    pub(crate) runs: BTreeMap<u64, Run>,
    said: BTreeMap<(usize, &'static str, String), Said>,
    pub(crate) agenda: BTreeSet<(i64, Step)>,
    /// Changes that watches deliver, in order.
    pub(crate) changes: Vec<(Kind, Observation)>,
    /// The acts of the controller: the CronJob, the slot, when.
    pub(crate) acts: Vec<(usize, i64, Act, i64)>,
    pub(crate) controller_is_down: bool,
    pub(crate) has_quota: bool,
    jobs: u64,
}

impl CronJob {
    pub(crate) fn new(number: usize, text: &str, zone: Option<&'static str>, now: i64) -> CronJob {
        CronJob {
            name: format!("c{number}"),
            uid: format!("cronjob-{number}"),
            text: text.into(),
            zone,
            schedule: Schedule::parse(text, zone).unwrap(),
            policy: "Allow",
            deadline: None,
            is_suspended: false,
            generation: 1,
            created: now,
            last_scheduled: None,
            last_success: None,
            active: Vec::new(),
            own: Vec::new(),
            exists: true,
            limits: (3, 1),
            longest: 40,
            tokens: (25 * 300, now),
            attempts: 0,
        }
    }

    pub(crate) fn next(&self, after: i64) -> Option<i64> {
        self.schedule.next(at(after)).map(|next| next.as_second())
    }

    pub(crate) fn grace(&self) -> i64 {
        self.deadline.unwrap_or(60).min(60)
    }

    /// False if the controller drops an Event because it wrote too many.
    fn may_say(&mut self, now: i64) -> bool {
        let (tokens, since) = self.tokens;
        let tokens = (tokens + now - since).min(25 * 300);
        let may = tokens >= 300;
        self.tokens = (tokens - if may { 300 } else { 0 }, now);
        may
    }
}

impl Cluster {
    pub(crate) fn at(&mut self, when: i64, step: Step) {
        self.agenda.insert((when, step));
    }

    /// A CronJob was created or changed.
    pub(crate) fn put(&mut self, number: usize) {
        let object = objects::cronjob(&self.cronjobs[number]);
        self.changes.push((Kind::CronJobs, Observation::Changed(object)));
    }

    pub(crate) fn delete(&mut self, number: usize) {
        let object = objects::cronjob(&self.cronjobs[number]);
        self.cronjobs[number].exists = false;
        self.changes.push((Kind::CronJobs, Observation::Deleted(object)));
        for job in std::mem::take(&mut self.cronjobs[number].own) {
            self.delete_job(job);
        }
    }

    fn put_job(&mut self, job: u64) {
        let run = &self.runs[&job];
        let object = objects::job(run, &self.cronjobs[run.owner], job);
        self.changes.push((Kind::Jobs, Observation::Changed(object)));
    }

    fn delete_job(&mut self, job: u64) {
        let Some(run) = self.runs.remove(&job) else { return };
        self.cronjobs[run.owner].own.retain(|own| *own != job);
        let object = objects::job(&run, &self.cronjobs[run.owner], job);
        self.changes.push((Kind::Jobs, Observation::Deleted(object)));
    }

    /// The objects of a list.
    pub(crate) fn list(&self, kind: Kind, now: i64) -> Vec<Object> {
        match kind {
            Kind::CronJobs => {
                let existing = self.cronjobs.iter().filter(|cronjob| cronjob.exists);
                existing.map(objects::cronjob).collect()
            }
            Kind::Jobs => {
                let runs = self.runs.iter();
                runs.map(|(job, run)| objects::job(run, &self.cronjobs[run.owner], *job))
                    .collect()
            }
            _ => {
                let kept = self.said.values().filter(|said| said.last >= now - EVENTS_KEPT);
                kept.map(|said| objects::event(said, &self.cronjobs[said.about]))
                    .collect()
            }
        }
    }

    /// Writes an Event, or counts it with the one that it repeats.
    fn say(&mut self, about: usize, reason: &'static str, message: &str, now: i64) {
        if !self.cronjobs[about].may_say(now) {
            return;
        }
        let key = (about, reason, message.to_owned());
        let is_new = self.said.get(&key).is_none_or(|said| said.last < now - EVENTS_KEPT);
        if is_new {
            let said = Said {
                about,
                reason,
                message: message.to_owned(),
                first: now,
                last: now,
                count: 0,
            };
            self.said.insert(key.clone(), said);
        }
        if let Some(said) = self.said.get_mut(&key) {
            (said.last, said.count) = (now, said.count + 1);
            let object = objects::event(said, &self.cronjobs[about]);
            self.changes.push((Kind::CronJobEvents, Observation::Changed(object)));
        }
        if self.said.len() > 5000 {
            self.said.retain(|_, said| said.last >= now - EVENTS_KEPT);
        }
    }

    /// A run ends, if the controller of Jobs runs.
    pub(crate) fn job_ends(&mut self, job: u64, now: i64) {
        if self.controller_is_down {
            return self.at(now + 60, Step::JobEnds(job));
        }
        let Some(run) = self.runs.get_mut(&job) else { return };
        run.ended = Some(now);
        let owner = run.owner;
        self.put_job(job);
        self.at(now, Step::Sync(owner));
    }

    /// `syncCronJob`.
    pub(crate) fn sync(&mut self, number: usize, now: i64, random: &mut Random) {
        if self.controller_is_down || !self.cronjobs[number].exists {
            return;
        }
        self.finish_runs(number, now);
        let cronjob = &self.cronjobs[number];
        if cronjob.is_suspended {
            return;
        }
        let mut after = cronjob.last_scheduled.unwrap_or(cronjob.created);
        if let Some(deadline) = cronjob.deadline {
            after = after.max(now - deadline);
        }
        let Some(due) = cronjob.schedule.due(at(after), at(now)) else {
            return self.say(number, "InvalidSchedule", "invalid schedule", now);
        };
        let Some(slot) = due.latest.map(|slot| slot.as_second()) else {
            return;
        };
        if due.is_too_many() {
            self.acts.push((number, slot, Act::TooMany, now));
            self.say(number, "TooManyMissedTimes", "too many missed start times", now);
        }
        let cronjob = &self.cronjobs[number];
        if cronjob.last_scheduled == Some(slot) {
            return;
        }
        if cronjob.policy == "Forbid" && !cronjob.active.is_empty() {
            self.acts.push((number, slot, Act::Forbidden, now));
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            return self.say(number, "JobAlreadyActive", message, now);
        }
        if cronjob.policy == "Replace" {
            for job in std::mem::take(&mut self.cronjobs[number].active) {
                self.delete_job(job);
            }
        }
        if self.has_quota {
            self.acts.push((number, slot, Act::Failed, now));
            let attempts = self.cronjobs[number].attempts;
            self.cronjobs[number].attempts = (attempts + 1).min(6);
            self.at(now + (10 << attempts), Step::Sync(number));
            return self.say(number, "FailedCreate", "Error creating job: exceeded quota: q", now);
        }
        self.start(number, slot, now, random);
    }

    fn start(&mut self, number: usize, slot: i64, now: i64, random: &mut Random) {
        self.jobs += 1;
        let (job, longest) = (self.jobs, self.cronjobs[number].longest);
        let run = Run {
            owner: number,
            slot,
            created: now,
            ended: None,
            fails: random.one_in(6),
        };
        self.runs.insert(job, run);
        self.put_job(job);
        self.at(now + 1 + random.below(longest), Step::JobEnds(job));
        self.acts.push((number, slot, Act::Started, now));
        self.say(number, "SuccessfulCreate", &format!("Created job {job}"), now);
        let cronjob = &mut self.cronjobs[number];
        cronjob.attempts = 0;
        cronjob.active.push(job);
        cronjob.own.push(job);
        cronjob.last_scheduled = Some(slot);
        self.put(number);
    }

    /// Takes ended runs from `status.active`, and removes those beyond the limits of the history.
    fn finish_runs(&mut self, number: usize, now: i64) {
        let runs = &self.runs;
        let cronjob = &mut self.cronjobs[number];
        let before = cronjob.active.len();
        let is_active = |job: &u64| runs.get(job).is_some_and(|run| run.ended.is_none());
        cronjob.active.retain(is_active);
        let own: Vec<(u64, &Run)> = cronjob
            .own
            .iter()
            .filter_map(|job| Some((*job, runs.get(job)?)))
            .collect();
        let ended = |fails| {
            own.iter()
                .filter(move |(_, run)| run.ended.is_some() && run.fails == fails)
        };
        let success = ended(false).filter_map(|(_, run)| run.ended).max();
        let is_changed = before != cronjob.active.len() || success > cronjob.last_success;
        cronjob.last_success = success.max(cronjob.last_success);
        let mut gone = Vec::new();
        for (fails, limit) in [(false, cronjob.limits.0), (true, cronjob.limits.1)] {
            let ended: Vec<u64> = ended(fails).map(|(job, _)| *job).collect();
            gone.extend(ended[..ended.len().saturating_sub(limit)].iter().copied());
        }
        for job in gone {
            self.delete_job(job);
        }
        if is_changed {
            self.say(number, "SawCompletedJob", &format!("Saw completed job at {now}"), now);
            self.put(number);
        }
    }
}
