//! The check of one unfinished Job.

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Evidence, Job};
use job_event::notice::{RecoveredJob, StalledJob};
use job_event::{Notice, Uid};
use job_judge::Cause;
use job_judge::{Stall, UsualRuns, running_long, stall};

use super::{FoundStall, INTERVAL, RARE_INTERVAL, history};
use crate::checkpoint::{Mark, StallMark};
use crate::job::JobRecord;
use crate::time::later;
use crate::{JobEntry, Tracker};

/// The most judgements in one second. Each takes up to 0.1 ms.
const JUDGEMENTS: u32 = 1000;
/// How many Pods cost as much as one more judgement.
const PODS: usize = 8;
/// The time between two checks of a reported stall, seconds.
const REPORTED_INTERVAL: i64 = 5;
/// How long a stall waits for room in the checkpoint, seconds.
const WAIT_FOR_ROOM: i64 = 300;
/// The most judgements in one second for stalls whose evidence is unchanged.
const UNCHANGED: i64 = 100;

/// The judgements that are left in this second.
#[derive(Debug, Default)]
pub(super) struct Budget {
    second: i64,
    left: u32,
}

impl Budget {
    /// Takes the judgement of a Job with that many Pods; false if none is left.
    fn take(&mut self, pods: usize, second: i64) -> bool {
        if self.second != second {
            *self = Budget {
                second,
                left: JUDGEMENTS,
            };
        }
        let is_left = self.left > 0;
        let cost = u32::try_from(pods / PODS).unwrap_or(u32::MAX).saturating_add(1);
        self.left = self.left.saturating_sub(cost);
        is_left
    }
}

/// The result of a check.
pub(super) enum Next {
    /// The Job has ended.
    Never,
    /// It is checked again in this second.
    At(i64),
    /// It surely makes progress: if it does not change, it is checked again in this second.
    Rarely(i64),
    /// It cannot be checked in this second.
    Later,
    /// A notice is due, and the Job is checked again in this second.
    Report(i64, Notice, Mark),
}

impl Tracker {
    pub(super) fn check(&mut self, uid: Uid, now: Timestamp) -> Next {
        let second = now.as_second();
        let Some(JobEntry::Live(record)) = self.jobs.get(&uid) else {
            return Next::Never;
        };
        if record.is_due {
            return Next::Never;
        }
        let healthy = second.saturating_add(self.check_interval(record));
        let usual = self.unusual(record, now);
        if !record.may_be_stalled() && usual.is_none() {
            let rarely = self.rare_check(uid, record, second).filter(|next| *next > healthy);
            return rarely.map_or_else(|| self.moves(uid, healthy, now), Next::Rarely);
        }
        let found = self.stalls.found.get(&uid);
        if let Some(next) = found
            .filter(|_| !record.is_changed)
            .and_then(|found| self.unchanged(found, second))
        {
            return Next::At(next);
        }
        if !self.stalls.budget.take(record.pods.len(), second) {
            return Next::Later;
        }
        let after = self.stalled_after(record);
        let evidence = self.evidence_now(uid, record);
        if let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid) {
            record.is_changed = false;
        }
        let long = || running_long(&evidence, usual.as_ref()?, now);
        match stall(&evidence, now).or_else(long) {
            Some(stall) => self.stalled(uid, evidence, stall, after, now),
            None => self.moves(uid, healthy, now),
        }
    }

    /// When a stall whose evidence is unchanged is checked next; `None` if the judge looks at it now.
    fn unchanged(&self, found: &FoundStall, second: i64) -> Option<i64> {
        let all = i64::try_from(self.stalls.found.len()).unwrap_or(i64::MAX);
        let again = found.judged.saturating_add(INTERVAL.max(all / UNCHANGED));
        let is_due = second >= found.due && !found.is_reported;
        // A judgement in the future is from a clock that was ahead.
        if is_due || found.is_over || second >= again || second < found.judged {
            return None;
        }
        Some(match found.is_reported {
            true => second.saturating_add(REPORTED_INTERVAL),
            false => found.due.min(second.saturating_add(INTERVAL)),
        })
    }

    /// The Job makes no progress: reports that if it has lasted long enough.
    fn stalled(
        &mut self,
        uid: Uid,
        evidence: Evidence,
        stall: Stall,
        annotated: Option<Option<SignedDuration>>,
        now: Timestamp,
    ) -> Next {
        let second = now.as_second();
        let due = self
            .settings
            .stalls
            .after_for(stall.cause, annotated)
            .map(|after| later(stall.since, after));
        let mut found = FoundStall {
            cause: stall.cause,
            is_reported: false,
            is_over: false,
            due: due.map_or(i64::MAX, ceiling),
            judged: second,
        };
        let mark = Mark::Stalled {
            job: uid.short(),
            cause: stall.cause.as_str().into(),
            since: stall.since.as_second(),
        };
        let Some(at) = due.filter(|due| *due <= now) else {
            let next = found.due.min(second.saturating_add(INTERVAL));
            self.stalls.found.insert(uid, found);
            return Next::At(next);
        };
        let before = self.stalls.found.get(&uid);
        let was_reported = before.is_some_and(|before| before.is_reported && before.cause == stall.cause);
        found.is_reported = was_reported || self.outbox.checkpoint().marks.covers(&mark);
        // The notices of a Job are acknowledged in their order.
        let may_report = !found.is_reported && !self.has_notice(uid);
        let has_room = self.has_room(uid);
        if may_report && !has_room {
            found.due = second.saturating_add(WAIT_FOR_ROOM);
        }
        found.is_reported |= may_report && has_room;
        self.stalls.found.insert(uid, found);
        let next = second.saturating_add(REPORTED_INTERVAL);
        match may_report && has_room {
            true => Next::Report(next, Notice::Stalled(Box::new(notice(evidence, stall, at))), mark),
            false => Next::At(next),
        }
    }

    /// The Job makes progress: reports that if its stall was reported.
    fn moves(&mut self, uid: Uid, next: i64, now: Timestamp) -> Next {
        let found = self.stalls.found.remove(&uid);
        let soon = next.min(now.as_second().saturating_add(REPORTED_INTERVAL));
        if let Some(found) = found.filter(|found| found.is_reported && self.has_notice(uid)) {
            self.stalls.found.insert(uid, FoundStall { is_over: true, ..found });
            return Next::At(soon);
        }
        let (Some(open), Some(JobEntry::Live(record))) = (self.open_stall(uid), self.jobs.get(&uid)) else {
            return Next::At(next);
        };
        let causes = open.causes.get(open.recovered..).unwrap_or_default();
        // A run that is longer than usual stays so until it ends.
        if causes.iter().any(|cause| **cause == *Cause::RunningLong.as_str()) {
            let found = FoundStall {
                cause: Cause::RunningLong,
                is_reported: true,
                is_over: false,
                due: 0,
                judged: now.as_second(),
            };
            self.stalls.found.insert(uid, found);
            return Next::At(next);
        }
        if self.has_notice(uid) {
            return Next::At(soon);
        }
        let recovered = RecoveredJob {
            job: self.job_now(uid, record),
            causes: causes.to_vec(),
            since: Timestamp::from_second(open.since).unwrap_or(now).min(now),
            at: now,
            outcome: None,
        };
        let mark = Mark::Recovered {
            job: uid.short(),
            causes: open.causes.len(),
            is_over: false,
        };
        Next::Report(next, Notice::Recovered(Box::new(recovered)), mark)
    }

    /// The stall of a Job that was reported, if no recovery was.
    pub(super) fn open_stall(&self, uid: Uid) -> Option<&StallMark> {
        let mark = self.outbox.checkpoint().marks.stalls.get(&uid.short());
        mark.filter(|mark| mark.is_open)
    }

    /// True if a notice about a Job is not acknowledged yet.
    pub(super) fn has_notice(&self, uid: Uid) -> bool {
        let short = uid.short();
        self.outbox.any_notice(|mark| match mark {
            Mark::Stalled { job, .. } | Mark::Recovered { job, .. } => *job == short,
            Mark::Missed { .. } => false,
        })
    }

    /// True if the checkpoint has room for the mark of a Job.
    fn has_room(&self, uid: Uid) -> bool {
        let checkpoint = self.outbox.checkpoint();
        let stalls = &checkpoint.marks.stalls;
        stalls.len() < checkpoint.capacity / 2 || stalls.contains_key(&uid.short())
    }

    /// When a Job that surely makes progress is checked next, if it does not change; `None` if a recovery is pending, or it may soon
    /// run longer than usual.
    fn rare_check(&self, uid: Uid, record: &JobRecord, second: i64) -> Option<i64> {
        if self.stalls.found.contains_key(&uid) || self.open_stall(uid).is_some() {
            return None;
        }
        let last = second.saturating_add(RARE_INTERVAL);
        let Some(settings) = &self.settings.stalls.running_long else {
            return Some(last);
        };
        let start = record.start_time.get().map_or(second, |start| start.as_second());
        let earliest_long = start.saturating_add(settings.floor.as_secs());
        if second < earliest_long {
            return Some(earliest_long.min(last));
        }
        let histories = &self.outbox.checkpoint().marks.histories;
        let are_known = history::usual(histories, self.owner_key(record), settings).is_some();
        (!are_known).then_some(last)
    }

    /// The usual runs of a Job's owner, if the Job runs longer than these.
    fn unusual(&self, record: &JobRecord, now: Timestamp) -> Option<UsualRuns> {
        let settings = self.settings.stalls.running_long.as_ref()?;
        let running = now.duration_since(record.start_time.get()?);
        let histories = &self.outbox.checkpoint().marks.histories;
        if running <= settings.floor || histories.is_empty() {
            return None;
        }
        let usual = history::usual(histories, self.owner_key(record), settings)?;
        (running > usual.limit).then_some(usual)
    }

    /// A copy of the evidence of an unfinished Job.
    fn evidence_now(&self, uid: Uid, record: &JobRecord) -> Evidence {
        let gaps = self.general_gaps(Some(record.scope));
        let mut evidence = record.clone().into_evidence(uid, &gaps);
        evidence.job.extracted = self.extracted(record).merged();
        self.cronjobs.describe(&mut evidence.job);
        self.add_gone_pods_now(&mut evidence);
        self.node_events.add_to(&mut evidence);
        evidence
    }

    /// The evidence of an unfinished Job.
    pub(crate) fn unfinished(&self, uid: Uid) -> Option<Evidence> {
        match self.jobs.get(&uid) {
            Some(JobEntry::Live(record)) => Some(self.evidence_now(uid, record)),
            _ => None,
        }
    }

    /// A Job without its Pods and Events.
    pub(super) fn job_now(&self, uid: Uid, record: &JobRecord) -> Job {
        let mut job = record.clone().into_evidence(uid, &[]).job;
        job.extracted = self.extracted(record).merged();
        self.cronjobs.describe(&mut job);
        job
    }
}

/// The first second that is not before `time`.
fn ceiling(time: Timestamp) -> i64 {
    time.as_second().saturating_add(i64::from(time.subsec_nanosecond() > 0))
}

fn notice(evidence: Evidence, stall: Stall, at: Timestamp) -> StalledJob {
    let pod = |name: &str| evidence.pods.iter().find(|pod| *pod.name == *name);
    let index = stall.container.as_ref().and_then(|(name, _)| pod(name)?.index.clone());
    StalledJob {
        index,
        job: evidence.job,
        cause: stall.cause.as_str(),
        category: stall.cause.info().category.as_str(),
        retry: stall.retry.as_str(),
        summary: stall.summary(at),
        next_step: stall.next_step,
        container: stall.container,
        since: stall.since,
        at,
    }
}
