//! Stalled Jobs that have ended, their marks, and the durations of completed runs.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::Job;
use job_event::notice::RecoveredJob;
use job_event::outcome::Outcome;
use job_event::{Notice, Uid};

use super::history;
use crate::checkpoint::Mark;
use crate::job::JobRecord;
use crate::outbox::AckEvent;
use crate::time::later;
use crate::{JobEntry, Tracker};
use job_watch::{Kind, Source};

/// How many ended Jobs one call looks at.
const AT_ONCE: usize = 64;
/// How long the mark of a Job that no list has shown is kept: its Events may show that it ended.
const MARK_KEPT: SignedDuration = SignedDuration::from_mins(5);

/// A Job that has ended, and whose stall was reported or is about to be.
#[derive(Debug)]
pub(super) struct EndedJob {
    uid: Uid,
    job: Box<Job>,
    at: Timestamp,
}

impl Tracker {
    /// The outcome of a Job is known: its recovery is due, or its mark is not needed any more.
    pub(crate) fn stall_decided(&mut self, uid: Uid, now: Timestamp) {
        if !self.may_have_stalled(uid) {
            return;
        }
        if let Some(JobEntry::Live(record)) = self.jobs.get(&uid)
            && record.decided().is_some()
        {
            let (job, at) = (self.job_now(uid, record), record.ended_at().unwrap_or(now));
            self.stall_ended(uid, &job, at);
        }
    }

    /// A finished Job is listed that needs no report: its recovery may be missing.
    pub(crate) fn listed_finished(&mut self, uid: Uid, record: &JobRecord, now: Timestamp) {
        if self.may_have_stalled(uid) {
            let (job, at) = (self.job_now(uid, record), record.ended_at().unwrap_or(now));
            self.stall_ended(uid, &job, at);
        }
    }

    /// A Job has ended at `at`.
    pub(crate) fn stall_ended(&mut self, uid: Uid, job: &Job, at: Timestamp) {
        self.stalls.found.remove(&uid);
        if self.open_stall(uid).is_none() && !self.has_notice(uid) {
            self.drop_mark(uid);
        } else if self.settings.stalls.enabled && self.stalls.ended.iter().all(|ended| ended.uid != uid) {
            let job = Box::new(job.clone());
            self.stalls.ended.push_back(EndedJob { uid, job, at });
            self.stalls.ended_checked = None;
        }
    }

    fn may_have_stalled(&self, uid: Uid) -> bool {
        let marks = &self.outbox.checkpoint().marks;
        marks.stalls.contains_key(&uid.short()) || self.stalls.found.contains_key(&uid) || self.has_notice(uid)
    }

    fn drop_mark(&mut self, uid: Uid) {
        if self.outbox.checkpoint().marks.stalls.contains_key(&uid.short()) {
            self.outbox.change_marks().stalls.remove(&uid.short());
        }
    }

    /// The next recovery of a Job that has ended; its stall is acknowledged.
    pub(super) fn next_ended(&mut self, now: Timestamp) -> Option<(Notice, Mark)> {
        let second = now.as_second();
        if self.stalls.ended.is_empty() || self.stalls.ended_checked == Some(second) {
            return None;
        }
        for _ in 0..self.stalls.ended.len().min(AT_ONCE) {
            let ended = self.stalls.ended.pop_front()?;
            if self.has_notice(ended.uid) {
                self.stalls.ended.push_back(ended);
                continue;
            }
            let Some(open) = self.open_stall(ended.uid) else {
                self.drop_mark(ended.uid);
                continue;
            };
            let since = Timestamp::from_second(open.since).unwrap_or(ended.at);
            let recovered = RecoveredJob {
                causes: open.causes.get(open.recovered..).unwrap_or_default().to_vec(),
                since: since.min(ended.at),
                at: ended.at,
                outcome: Some(ended.job.outcome()).filter(|outcome| outcome.is_final()),
                job: *ended.job,
            };
            let mark = Mark::Recovered {
                job: ended.uid.short(),
                causes: open.causes.len(),
                is_over: true,
            };
            return Some((Notice::Recovered(Box::new(recovered)), mark));
        }
        self.stalls.ended_checked = Some(second);
        None
    }

    /// Another process has led, and may have reported stalls and recoveries. A pending stall of a Job that has ended is dropped if
    /// the other process knows no stall of it: it has reported that the Job ended.
    pub(crate) fn stalls_adopted(&mut self) {
        for found in self.stalls.found.values_mut() {
            found.is_reported = false;
        }
        self.check_marked_jobs(self.now);
        let unmarked = self.outbox.stalls_without_mark();
        if unmarked.is_empty() {
            return;
        }
        let unfinished = self.jobs.iter().filter_map(|(uid, entry)| match entry {
            JobEntry::Live(record) if !record.is_due => Some(uid.short()),
            _ => None,
        });
        let unfinished: HashSet<u64> = unfinished.collect();
        for (key, _) in unmarked.iter().filter(|(_, job)| !unfinished.contains(job)) {
            self.outbox.apply(key, AckEvent::Dismissed);
        }
    }

    /// All Jobs of a scope were listed: Jobs with a mark that no list has shown are gone.
    pub(crate) fn jobs_listed_for_stalls(&mut self, now: Timestamp) {
        let count = u16::try_from(self.scopes.len()).unwrap_or(u16::MAX);
        let scopes = if count == 0 { 0..=0 } else { 1..=count };
        let kind = Kind::Jobs;
        let all = scopes
            .into_iter()
            .all(|scope| self.listed.contains(&Source { kind, scope }));
        if all && !self.outbox.checkpoint().marks.stalls.is_empty() {
            self.stalls.marks_dropped_at = Some(later(now, MARK_KEPT));
        }
    }

    /// Drops the marks of Jobs that are gone, some time after the lists of Jobs.
    pub(super) fn drop_marks(&mut self, now: Timestamp) {
        let Some(at) = self.stalls.marks_dropped_at else { return };
        // One that is farther away was set before the clock was set back.
        if now < at && at.duration_since(now) <= MARK_KEPT {
            return;
        }
        self.stalls.marks_dropped_at = None;
        let live = self.jobs.iter().filter(|(_, entry)| matches!(entry, JobEntry::Live(_)));
        let mut known: HashSet<u64> = live.map(|(uid, _)| uid.short()).collect();
        known.extend(self.stalls.ended.iter().map(|ended| ended.uid.short()));
        let marks = &self.outbox.checkpoint().marks;
        let gone = marks.stalls.keys().filter(|job| !known.contains(job));
        let gone: HashSet<u64> = gone.copied().collect();
        if !gone.is_empty() {
            let marks = self.outbox.change_marks();
            marks.stalls.retain(|job, _| !gone.contains(job));
            marks.announced_stalls.retain(|(job, _), _| !gone.contains(job));
        }
    }

    /// A Job is reported: a completed run shows how long runs of its owner take.
    pub(crate) fn run_completed(&mut self, record: &JobRecord, now: Timestamp) {
        let settings = &self.settings.stalls;
        if !settings.enabled || settings.running_long.is_none() || record.decided() != Some(Outcome::Succeeded) {
            return;
        }
        if let Some((start, end)) = record.start_time.get().zip(record.completion_time()) {
            let owner = self.owner_key(record);
            history::add(
                &mut self.outbox.change_marks().histories,
                owner,
                end.duration_since(start),
                now,
            );
        }
    }

    /// The key of a Job's owner among the completed runs.
    pub(super) fn owner_key(&self, record: &JobRecord) -> u64 {
        match record.cronjob() {
            Some(cronjob) if self.cronjobs.exists(&cronjob) => history::cronjob_key(cronjob),
            Some(cronjob) => history::other_key(cronjob),
            None => history::other_key(record.owner_without_cronjob()),
        }
    }

    /// A CronJob was deleted: drops the durations of its runs.
    pub(crate) fn runs_forgotten(&mut self, cronjob: Uid) {
        let key = history::cronjob_key(cronjob);
        if self.outbox.checkpoint().marks.histories.contains_key(&key) {
            self.outbox.change_marks().histories.remove(&key);
        }
    }

    /// All CronJobs of the cluster were listed.
    pub(crate) fn cronjobs_listed_for_stalls(&mut self) {
        let existing: HashSet<u64> = self.cronjobs.existing().into_iter().map(history::cronjob_key).collect();
        let is_gone = |owner: &u64| history::is_cronjob(*owner) && !existing.contains(owner);
        if self.outbox.checkpoint().marks.histories.keys().any(is_gone) {
            self.outbox.change_marks().histories.retain(|owner, _| !is_gone(owner));
        }
    }
}
