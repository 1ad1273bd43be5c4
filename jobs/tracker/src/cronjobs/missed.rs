//! Runs of CronJobs that did not start.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{self, Job};
use job_event::notice::{MissReason, MissedRuns};
use job_event::{Notice, Outcome, Uid};
use job_watch::{Kind, Source, model};

use super::observe::Seen;
use super::plan::Plan;
use super::slots::MissedSlots;
use super::{CronJobs, Record, split};
use crate::checkpoint::{Mark, Marks};
use crate::job::JobRecord;
use crate::pool::Tags;
use crate::{InvalidAnnotation, Tracker};

/// When a run that did not start is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedRunSettings {
    /// False if no missed run is reported.
    pub enabled: bool,
    /// How late a run may start. A shorter `startingDeadlineSeconds` replaces it.
    pub grace: SignedDuration,
    /// True if only some Jobs are observed: a CronJob counts once one of its Jobs is observed.
    pub selects_jobs: bool,
}

impl Default for MissedRunSettings {
    fn default() -> Self {
        MissedRunSettings {
            enabled: true,
            grace: SignedDuration::from_secs(60),
            selects_jobs: false,
        }
    }
}

impl MissedRunSettings {
    fn grace(&self) -> i64 {
        self.grace.as_secs().max(1)
    }
}

/// A run of a CronJob that is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedRun {
    owner: Uid,
    outcome: Outcome,
    at: Timestamp,
}

impl JobRecord {
    /// The run of a CronJob, if it is decided.
    pub(crate) fn ended_run(&self) -> Option<EndedRun> {
        Some(EndedRun {
            owner: self.cronjob()?,
            outcome: self.decided()?,
            at: self.ended_at()?,
        })
    }
}

impl Tracker {
    /// A version of a CronJob.
    pub(crate) fn cronjob(&mut self, source: Source, cronjob: &model::CronJob, listed: bool, now: Timestamp) {
        let uid = Uid::new(&cronjob.metadata.uid);
        self.cronjobs.seen(cronjob);
        let was_invalid = self.cronjobs.has_invalid_annotation(uid);
        let marks = self.outbox.marks_mut();
        let seen = Seen {
            listed,
            now: now.as_second(),
            mark: marks.cronjobs.get(&uid.short()).copied(),
            scope: source.scope,
        };
        let tags = self.pools.tags(&cronjob.metadata);
        let grace = self.settings.missed.grace();
        self.cronjobs.observe((uid, cronjob), tags, seen, grace, marks);
        let succeeded = cronjob.status.last_successful_time;
        self.outbox.change_mark(uid.short(), |mark| {
            if let Some(at) = succeeded {
                mark.succeeded(at.as_second());
            }
        });
        self.remember(uid);
        let value = cronjob.metadata.annotations.missed_runs.clone();
        if let Some(value) = value.filter(|_| !was_invalid && self.cronjobs.has_invalid_annotation(uid)) {
            self.add_invalid_annotation(InvalidAnnotation {
                kind: "CronJob",
                namespace: cronjob.metadata.namespace.as_str().into(),
                name: cronjob.metadata.name.as_str().into(),
                annotation: "k8s-job-collector/missed-runs",
                value,
                expected: "off",
            });
        }
    }

    /// A CronJob was deleted.
    pub(crate) fn cronjob_gone(&mut self, uid: Uid) {
        self.cronjobs.gone(uid);
        self.runs_forgotten(uid);
        self.outbox.forget_cronjob(uid.short());
    }

    /// Stores how far the slots of a CronJob are decided.
    fn remember(&mut self, uid: Uid) {
        let Some(slots) = self.cronjobs.slots(uid) else { return };
        let (cursor, generation) = (slots.cursor, slots.generation);
        if slots.pending == 0 && slots.invalid_since == 0 {
            self.outbox.change_mark(uid.short(), |mark| {
                (mark.slot, mark.generation) = (cursor.max(mark.slot), generation);
            });
        }
    }

    /// The next missed runs that are known at `now`, with their mark.
    pub(crate) fn next_missed(&mut self, now: Timestamp) -> Option<(Notice, Mark)> {
        let settings = self.settings.missed;
        if !settings.enabled {
            return None;
        }
        while let Some(uid) = self.cronjobs.first_due(now) {
            if let Some(missed) = self.decide(uid, settings, now) {
                let mut notice = self.cronjobs.notice(uid, missed, now)?;
                let extracted = self.extracted_of_cronjob(uid, &notice.cronjob.namespace);
                notice.cronjob.extracted = extracted.merged();
                let mark = Mark::Missed {
                    cronjob: uid.short(),
                    slot: missed.last,
                };
                return Some((Notice::Missed(Box::new(notice)), mark));
            }
            self.remember(uid);
        }
        None
    }

    fn decide(&mut self, uid: Uid, settings: MissedRunSettings, now: Timestamp) -> Option<MissedSlots> {
        let scope = self.cronjobs.slots(uid)?.scope;
        let events = Source {
            kind: Kind::CronJobEvents,
            scope,
        };
        let proof = self.cronjobs.queue.proof(scope, !self.forbidden.contains(&events))?;
        let is_over = self.cronjobs.is_over;
        let marks = self.outbox.marks_mut();
        let (grace, now) = (settings.grace(), now.as_second());
        let missed = self.cronjobs.change(uid, |slots| {
            let mark = |slot| Mark::Missed {
                cronjob: uid.short(),
                slot,
            };
            if slots.pending > 0 && !marks.announces(&mark(slots.pending)) {
                slots.pending = 0;
            }
            let of_it = (uid.short(), i64::MIN)..=(uid.short(), i64::MAX);
            let announced = marks.announced_runs.range(of_it).next();
            if slots.pending == 0
                && let Some((&(_, first), &runs)) = announced
            {
                return Some(slots.announced(first, runs, grace));
            }
            if settings.selects_jobs && !slots.has_jobs {
                // Nothing shows that its Jobs are observed.
                slots.due = slots.due.max(now) + grace;
                slots.starts_over(now - grace, slots.cursor);
                return None;
            }
            let missed = slots.decide(proof, grace, now);
            missed.or_else(|| if is_over { slots.decide_forbidden() } else { None })
        })?;
        if missed.is_some_and(|missed| missed.reason == MissReason::InvalidSchedule) {
            // So that it is not reported after a restart.
            let fingerprint = self.cronjobs.slots(uid)?.plan.as_ref()?.fingerprint();
            self.outbox
                .change_mark(uid.short(), |mark| mark.generation = fingerprint);
        }
        missed
    }

    /// When the next slot is decided, as far as the watches are proven.
    pub(crate) fn next_slot_check(&self) -> Option<Timestamp> {
        let due = self.cronjobs.queue.next().filter(|_| self.settings.missed.enabled)?;
        Timestamp::from_second(due).ok()
    }

    /// Every watch has delivered everything that happened before `at`.
    pub fn watched_until(&mut self, at: Timestamp) {
        self.cronjobs.queue.all_watched(at.as_second());
    }

    /// The watch of one source has delivered everything that happened before `at`. Missed runs are decided once the watches of
    /// Jobs and of CronJobs have, so that a silent watch does not hide the start of a run; and a Job whose end was not seen waits for
    /// that of Events.
    pub fn watched(&mut self, source: Source, at: Timestamp) {
        if !self.lists.contains_key(&source) {
            self.cronjobs.queue.watched(source.kind, source.scope, at.as_second());
            self.interruptions.proven(source, at);
        }
    }

    /// The recording has ended. Slots that the controller reports as skipped count as missed at once.
    pub fn recording_ends(&mut self) {
        self.cronjobs.is_over = true;
        self.cronjobs.requeue_all();
    }

    /// All missed runs that are proven at `now`, without the limits on how fast events may follow each other.
    pub(crate) fn all_missed(&mut self, now: Timestamp) -> Vec<MissedRuns> {
        let settings = self.settings.missed;
        let mut all = Vec::new();
        for uid in self.cronjobs.existing() {
            loop {
                self.cronjobs.change(uid, |slots| {
                    (slots.pending, slots.not_before) = (0, 0);
                    slots.due = slots.next_due(settings.grace());
                });
                let Some(missed) = self.decide(uid, settings, now) else {
                    break;
                };
                all.extend(self.cronjobs.notice(uid, missed, now));
            }
        }
        all
    }

    /// Resumes the slots of CronJobs from the marks of another process.
    pub(crate) fn resume_slots(&mut self) {
        let marks = self.outbox.marks_mut();
        self.cronjobs.resume_from(marks);
    }

    /// A Job is decided for the first time, or seen decided.
    pub(crate) fn run_decided(&mut self, run: Option<EndedRun>) {
        if let Some(EndedRun { owner, outcome, at }) = run
            && self.cronjobs.exists(&owner)
        {
            self.outbox
                .change_mark(owner.short(), |mark| mark.ended(outcome, at.as_second()));
        }
    }

    /// Forgets the marks of CronJobs that do not exist, once all CronJobs are listed.
    pub(crate) fn cronjobs_listed(&mut self) {
        let scopes = self.scopes.len().max(1);
        let is_listed = |source: &&Source| source.kind == Kind::CronJobs;
        if self.listed.iter().filter(is_listed).count() >= scopes {
            let existing = self.cronjobs.existing().into_iter().map(Uid::short).collect();
            self.outbox.retain_cronjobs(&existing);
            self.cronjobs_listed_for_stalls();
        }
    }
}

impl CronJobs {
    /// A version of a CronJob, as facts about its slots.
    fn observe(
        &mut self,
        (uid, cronjob): (Uid, &model::CronJob),
        tags: Option<Arc<Tags>>,
        seen: Seen,
        grace: i64,
        marks: &Marks,
    ) {
        self.queue.observes(seen.scope, seen.now);
        let (text, zone) = (
            cronjob.spec.schedule.as_deref().unwrap_or_default(),
            cronjob.spec.time_zone.as_deref(),
        );
        let known = self.slots(uid).and_then(|slots| slots.plan.clone());
        let plan = match known.filter(|plan| plan.is(text, zone)) {
            Some(plan) => plan,
            None => self.plans.get(Plan::new(text, zone)),
        };
        let of_it = (uid.short(), i64::MIN)..=(uid.short(), i64::MAX);
        let is_announced = marks.announced_runs.range(of_it).next().is_some();
        self.change(uid, |slots| {
            slots.tags = tags;
            slots.observe(cronjob, plan, seen);
            slots.due = match is_announced && slots.pending == 0 {
                true => 0,
                false => slots.next_due(grace),
            };
        });
    }

    /// Changes the slots of a known CronJob, and keeps the queue in step with `due`.
    fn change<R>(&mut self, uid: Uid, change: impl FnOnce(&mut super::slots::Slots) -> R) -> Option<R> {
        let record = self.known.get_mut(&uid)?;
        let slots = record.slots.get_or_insert_default();
        let (scope, due) = (slots.scope, slots.due);
        let result = change(slots);
        if (scope, due) != (slots.scope, slots.due) {
            self.queue.requeue(scope, uid, due, super::slots::NEVER);
            self.queue.requeue(slots.scope, uid, slots.due, slots.due);
        }
        Some(result)
    }

    fn first_due(&self, now: Timestamp) -> Option<Uid> {
        self.queue.first(now.as_second())
    }

    /// An Event of the CronJob controller about a CronJob of its own namespace.
    pub(crate) fn event(&mut self, event: &model::Event, listed: bool, settings: MissedRunSettings) {
        let uid = Uid::new(&event.involved_object.uid);
        let is_own = |record: &Record| record.exists && split(&record.name).0 == &*event.metadata.namespace;
        if !self.known.get(&uid).is_some_and(is_own) {
            return;
        }
        self.change(uid, |slots| {
            let was_invalid = slots.invalid_since;
            slots.event(event, listed);
            if slots.invalid_since != was_invalid {
                slots.due = slots.next_due(settings.grace());
            }
        });
    }

    /// A Job for a slot was seen.
    pub(crate) fn start_seen(&mut self, job: &JobRecord) {
        let Some(cronjob) = job.cronjob() else { return };
        let (Some(slot), Some(created)) = (job.scheduled.get(), job.created.get()) else {
            return;
        };
        self.change(cronjob, |slots| {
            let was_invalid = slots.invalid_since > 0;
            slots.started(slot.as_second(), created.as_second());
            if was_invalid && slots.invalid_since == 0 {
                slots.due = 0;
            }
        });
    }

    /// Schedules a new decision for every CronJob.
    fn requeue_all(&mut self) {
        let uids: Vec<Uid> = self.known.keys().copied().collect();
        for uid in uids {
            self.change(uid, |slots| slots.due = 0);
        }
    }

    /// Resumes from the marks of another process.
    fn resume_from(&mut self, marks: &Marks) {
        let uids: Vec<Uid> = self.existing();
        for uid in uids {
            let Some(mark) = marks.cronjobs.get(&uid.short()) else {
                continue;
            };
            self.change(uid, |slots| {
                let plan = slots.plan.as_ref();
                if slots.invalid_since == 0 && slots.generation == mark.generation {
                    slots.resume_from(mark.slot);
                } else if plan.is_some_and(|plan| plan.fingerprint() == mark.generation) {
                    slots.cursor = slots.cursor.max(slots.invalid_since);
                }
                slots.due = 0;
            });
        }
    }

    /// The event of missed slots.
    fn notice(&self, uid: Uid, missed: MissedSlots, now: Timestamp) -> Option<MissedRuns> {
        let record = self.known.get(&uid)?;
        let slots = record.slots.as_ref()?;
        let plan = slots.plan.as_ref()?;
        let message = match missed.reason {
            MissReason::Unknown => slots.message.as_deref().filter(|_| slots.is_failing(missed.first)),
            MissReason::InvalidSchedule => slots.message.as_deref().or(plan.problem(missed.first)),
            _ => None,
        };
        Some(MissedRuns {
            cronjob: record.as_owner(),
            time_zone: plan.time_zone.clone(),
            reason: missed.reason,
            message: message.unwrap_or_default().to_owned(),
            first: Timestamp::from_second(missed.first).ok()?,
            last: Timestamp::from_second(missed.last).ok()?,
            count: missed.count.into(),
            at: now,
        })
    }
}

impl Record {
    /// The CronJob as the owner of a Job without a name.
    pub(super) fn as_owner(&self) -> Job {
        let (namespace, name) = split(&self.name);
        let slots = self.slots.as_ref();
        Job {
            namespace: namespace.into(),
            cronjob: Some(Box::new(evidence::CronJob {
                name: name.into(),
                uid: self.uid.clone(),
                schedule: self.schedule(),
                concurrency_policy: self.concurrency_policy.clone(),
                ..Default::default()
            })),
            service_tags: slots
                .and_then(|slots| slots.tags.as_deref())
                .filter(|tags| tags.service != evidence::ServiceTags::default())
                .map(|tags| Box::new(tags.service.clone())),
            ..Default::default()
        }
    }
}
