//! Jobs are created, finish and are deleted.

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use job_event::evidence::Gap;

use super::job::JobRecord;
use super::outbox::AckEvent;
use super::stalls::StalledAfter;
use super::time::later;
use super::{EVENTS_KEPT, JobEntry, REMOVED, Seen, Tracker, WAIT_FOR_EVENTS, scope_name};
use job_watch::Source;
use job_watch::model;

impl Tracker {
    /// A version of a Job. UIDs are the API server's, never a client's, so the Jobs of two namespaces never share one; if
    /// an object claims the UID of a Job that is known elsewhere, it changes nothing there.
    pub(super) fn job(&mut self, source: Source, job: &model::Job, seen: Seen, now: Timestamp) {
        let listed = seen == Seen::Listed;
        // A replayed object may be gone by the time of the list.
        let is_in_list = seen != Seen::Replayed;
        let uid = Uid::new(&job.metadata.uid);
        match self.jobs.get_mut(&uid) {
            Some(JobEntry::Live(record)) => {
                if *record.namespace != *job.metadata.namespace {
                    return;
                }
                record.in_list |= is_in_list;
                let was_decided = record.decided().is_some();
                let stalled_after = record.stalled_after;
                record.apply(job, listed, &mut self.pools);
                let is_decided = !was_decided && record.decided().is_some();
                if seen == Seen::Live && is_decided {
                    let scope = scope_name(&self.scopes, record.scope);
                    self.outbox.finished_live(scope, record.ended_at());
                }
                let run = if is_decided { record.ended_run() } else { None };
                self.note_annotation("Job", &job.metadata, stalled_after);
                self.run_decided(run);
                if seen == Seen::Replayed && is_decided && self.was_reported(uid) {
                    return self.bury_reported(uid);
                }
                self.job_changed(uid, now);
                return self.schedule(uid, now);
            }
            Some(JobEntry::Reported { in_list, .. }) => {
                *in_list |= is_in_list;
                if let Some(at) = job.finished_at() {
                    self.outbox.over(&uid, at);
                }
                return;
            }
            None => {}
        }
        if self.removed.contains(&uid) {
            return;
        }
        let mut record = JobRecord::new(job, source.scope, &mut self.pools);
        record.in_list = is_in_list;
        self.cronjobs.run_seen(uid, &record);
        self.run_decided(record.ended_run());
        if self.recoveries.forget(&uid) {
            self.outbox.apply(&uid, AckEvent::Dismissed);
        }
        if self.needs_no_report(source, &uid, &record, seen, now) {
            self.listed_finished(uid, &record, now);
            let (scope, in_list) = (source.scope, is_in_list);
            self.jobs.insert(uid, JobEntry::Reported { scope, in_list });
            self.early_pods.take(&record.namespace, uid);
            return;
        }
        // Its Events may have expired, or what was listed before it was dropped.
        let dropped = self.early_pods.dropped().max(self.early_events.dropped());
        let joined_late =
            |created| now.duration_since(created) > EVENTS_KEPT || dropped.is_some_and(|at| created <= at);
        if listed && record.created.get().is_some_and(joined_late) {
            record.note(Gap::JoinedLate);
        }
        for event in self.early_events.take(&record.namespace, uid) {
            record.add_event(event);
        }
        let pods = self.early_pods.take(&record.namespace, uid);
        self.cronjobs.job_added(uid, &record);
        self.jobs.insert(uid, JobEntry::Live(Box::new(record)));
        for pod in pods {
            self.add_pod(uid, pod);
        }
        self.note_annotation("Job", &job.metadata, StalledAfter::default());
        self.schedule(uid, now);
        self.check_for_stalls(uid, now);
    }

    /// Sets when a Job is reported, if it has ended.
    fn schedule(&mut self, uid: Uid, now: Timestamp) {
        let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid) else {
            return;
        };
        if record.is_due || !record.has_ended() {
            return;
        }
        let due = self.settled_at(now);
        self.is_due(uid, due, now);
    }

    /// When a Job that is observed to have ended at `now` is due: after one whose end was observed before.
    fn settled_at(&mut self, now: Timestamp) -> Timestamp {
        let settle = self.settings.settle;
        let after = later(self.settled, SignedDuration::from_nanos(1));
        // Never later than the settle time: the clock may have been set back.
        self.settled = later(now, settle - self.waited).max(after).min(later(now, settle));
        self.settled
    }

    /// A watch says that a Job is gone.
    pub(super) fn job_deleted(&mut self, job: &model::Job, now: Timestamp) {
        let uid = Uid::new(&job.metadata.uid);
        match self.jobs.get(&uid) {
            Some(JobEntry::Live(record)) if *record.namespace != *job.metadata.namespace => {}
            _ => self.job_gone(uid, None, now),
        }
    }

    /// A Job was deleted; with a gap if the deletion follows from a list only.
    pub(super) fn job_gone(&mut self, uid: Uid, gap: Option<Gap>, now: Timestamp) {
        match self.jobs.get_mut(&uid) {
            None => {}
            Some(JobEntry::Reported { .. }) => {
                self.jobs.remove(&uid);
                self.remember_removed(uid);
                self.outbox.over(&uid, now);
            }
            Some(JobEntry::Live(record)) => {
                let undecided = !record.is_due;
                record.remove(now);
                match gap {
                    Some(gap) if undecided => {
                        record.note(gap);
                        let wait = self.settings.settle.max(WAIT_FOR_EVENTS);
                        self.is_due(uid, later(now, wait), now);
                    }
                    _ => self.schedule(uid, now),
                }
            }
        }
    }

    pub(super) fn remember_removed(&mut self, uid: Uid) {
        if self.removed.insert(uid) {
            self.removed_order.push_back(uid);
        }
        if self.removed_order.len() > REMOVED
            && let Some(oldest) = self.removed_order.pop_front()
        {
            self.removed.remove(&oldest);
        }
    }
}
