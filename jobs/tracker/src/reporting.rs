//! When a Job is reported, and that it is reported once: settle time, outbox, and Jobs known from Events only.

use jiff::Timestamp;
use job_event::Uid;
use job_event::evidence::{Evidence, Gap};

use super::checkpoint::Checkpoint;
use super::event::{self, EventRecord};
use super::job::JobRecord;
use super::outbox::{AckEvent, Outbox};
use super::recovery::{Added, DeletedJob};
use super::resume::ResumePoints;
use super::time::pop_due;
use super::{JobEntry, Seen, Tracker, WAIT_FOR_EVENTS, report_since, scope_name};
use job_watch::{Kind, Source, model};

impl Tracker {
    /// Resumes from a checkpoint. `scopes` are the namespaces that are watched separately; empty for the whole cluster.
    pub fn restore(&mut self, mut checkpoint: Checkpoint, scopes: Vec<Box<str>>) {
        checkpoint.name_scopes(&scopes);
        self.outbox = Outbox::new(checkpoint);
        self.scopes = scopes;
        self.resume_points = ResumePoints::new(self.outbox.checkpoint().positions_at, self.stored_positions());
    }

    /// Watching begins at `now`. On the first start this time separates the Jobs that are reported from those that finished
    /// before, so it belongs in the store before anything is listed.
    pub fn begin(&mut self, now: Timestamp) {
        let scopes = match &*self.scopes {
            [] => &[Box::default()],
            scopes => scopes,
        };
        for scope in scopes {
            self.outbox.begin(scope, report_since(&self.settings, now));
        }
    }

    /// Merges the checkpoint that another process has stored: the Jobs it reported are not reported here.
    pub fn adopt(&mut self, mut stored: Checkpoint) {
        stored.name_scopes(&self.scopes);
        self.outbox.adopt(stored);
        self.stalls_adopted();
        self.resume_slots();
        let reported: Vec<_> = self
            .due
            .iter()
            .filter(|(_, uid)| match self.jobs.get(uid) {
                Some(JobEntry::Live(record)) => {
                    let scope = scope_name(&self.scopes, record.scope);
                    let checkpoint = self.outbox.checkpoint();
                    let at = record.ended_at();
                    checkpoint.lists(uid) || at.is_some_and(|at| checkpoint.is_reported(scope, uid, at))
                }
                _ => false,
            })
            .copied()
            .collect();
        let pending: Vec<Uid> = self.due.iter().map(|(_, uid)| *uid).collect();
        for due in reported {
            self.due.remove(&due);
            self.outbox.apply(&due.1, AckEvent::Dismissed);
            self.bury_reported(due.1);
        }
        let is_reported = |uid: &Uid, deleted: &DeletedJob| {
            let scope = scope_name(&self.scopes, deleted.scope);
            self.outbox.checkpoint().is_reported(scope, uid, deleted.at)
        };
        for uid in self.recoveries.forget_reported(is_reported) {
            self.outbox.apply(&uid, AckEvent::Dismissed);
        }
        for uid in pending {
            self.stall_decided(uid, self.now);
        }
    }

    /// How many Jobs may have been reported without the store knowing.
    pub fn unstored(&self) -> usize {
        self.outbox.unstored()
    }

    /// Reported Jobs until they are stored.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// When [`Tracker::poll`] returns the next Job, if nothing more is observed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|(at, _)| *at);
        due.into_iter().chain(self.recoveries.next_deadline()).min()
    }

    /// How many finished Jobs are not reported yet.
    pub fn decided(&self) -> usize {
        self.due.len() + self.recoveries.ready()
    }

    /// How many Jobs known from Events only were dropped since the last call, because there were too many.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The next Job to report at `now`, in the order of their verdicts; those known from Events only come last. The Job counts
    /// as sent. To be called until it returns `None`.
    pub fn poll(&mut self, now: Timestamp) -> Option<Evidence> {
        let wait = self.settings.settle.max(WAIT_FOR_EVENTS);
        loop {
            let evidence = match pop_due(&mut self.due, wait, now) {
                Some(uid) => match self.waits_for_events(uid, now) {
                    Some(until) => {
                        self.due.insert((until, uid));
                        continue;
                    }
                    None => self.report(uid, true),
                },
                None => {
                    let (uid, deleted) = self.recoveries.next(now)?;
                    self.recover(uid, *deleted, true)
                }
            };
            if evidence.is_some() {
                return evidence;
            }
        }
    }

    /// The next finished Job, settled or not, on shutdown. `unseen` includes Jobs whose end neither a watch nor an Event has
    /// shown; after another start an Event may.
    pub fn drain(&mut self, unseen: bool) -> Option<Evidence> {
        loop {
            let evidence = match self.due.pop_first() {
                Some((_, uid)) => self.report(uid, unseen),
                None => {
                    let (uid, deleted) = self.recoveries.next(self.now)?;
                    self.recover(uid, *deleted, unseen)
                }
            };
            if evidence.is_some() {
                return evidence;
            }
        }
    }

    /// A Job has finished, and is to be reported at `when`.
    pub(super) fn is_due(&mut self, uid: Uid, when: Timestamp, now: Timestamp) {
        let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid) else {
            return;
        };
        record.is_due = true;
        let at = record.ended_at().unwrap_or(now);
        self.outbox.finished(scope_name(&self.scopes, record.scope), uid, at);
        self.due.insert((when, uid));
        self.stall_decided(uid, now);
    }

    /// Reports a Job; `None` if that has been done, or its end was not seen and `unseen` is not set.
    fn report(&mut self, uid: Uid, unseen: bool) -> Option<Evidence> {
        let Some(JobEntry::Live(record)) = self.jobs.remove(&uid) else {
            return None;
        };
        self.bury(uid, &record);
        self.report_record(uid, *record, unseen)
    }

    fn report_record(&mut self, uid: Uid, mut record: JobRecord, unseen: bool) -> Option<Evidence> {
        if self.outbox.checkpoint().lists(&uid) {
            self.outbox.apply(&uid, AckEvent::Dismissed);
            return None;
        }
        record.verdict_from_events(uid);
        if self.half_replayed.remove(&uid) && record.ended_at().is_some_and(|at| self.is_reported(&record, uid, at)) {
            self.outbox.apply(&uid, AckEvent::Dismissed);
            return None;
        }
        if !unseen && record.decided().is_none() && record.has_gap(Gap::EndNotSeen) {
            return None;
        }
        let extracted = self.extracted(&record);
        self.ended.add(&record, extracted, true, None);
        self.run_completed(&record, self.now);
        let scope = record.scope;
        if let Some(over) = record.over_at() {
            self.outbox.over(&uid, over);
        }
        self.outbox.apply(&uid, AckEvent::Sent);
        let gaps = self.general_gaps(Some(scope));
        let ended = record.ended_at().unwrap_or(self.now);
        let evidence = self.evidence(uid, record, &gaps);
        self.stall_ended(uid, &evidence.job, ended);
        Some(evidence)
    }

    /// Keeps a tombstone of a reported Job until the Job is deleted.
    fn bury(&mut self, uid: Uid, record: &JobRecord) {
        for pod in &record.pods {
            self.pods.remove(&pod.uid);
        }
        if record.is_removed() {
            self.remember_removed(uid);
        } else {
            let (scope, in_list) = (record.scope, record.in_list);
            self.jobs.insert(uid, JobEntry::Reported { scope, in_list });
        }
    }

    /// A live Job turns out to be reported already.
    pub(super) fn bury_reported(&mut self, uid: Uid) {
        if let Some(JobEntry::Live(record)) = self.jobs.remove(&uid) {
            self.listed_finished(uid, &record, self.now);
            self.bury(uid, &record);
        }
    }

    /// True if an earlier process has reported this live Job.
    pub(super) fn was_reported(&self, uid: Uid) -> bool {
        let Some(JobEntry::Live(record)) = self.jobs.get(&uid) else {
            return false;
        };
        self.is_reported(record, uid, record.ended_at().unwrap_or(self.now))
    }

    fn is_reported(&self, record: &JobRecord, uid: Uid, at: Timestamp) -> bool {
        let scope = scope_name(&self.scopes, record.scope);
        self.outbox.checkpoint().is_reported(scope, &uid, at)
    }

    /// True if a Job that is seen for the first time has finished and needs no report.
    pub(super) fn needs_no_report(
        &mut self,
        source: Source,
        uid: &Uid,
        record: &JobRecord,
        seen: Seen,
        now: Timestamp,
    ) -> bool {
        if record.decided().is_none() {
            return false;
        }
        let scope = scope_name(&self.scopes, source.scope);
        if seen == Seen::Live {
            self.outbox.finished_live(scope, record.ended_at());
            return self.outbox.checkpoint().lists(uid);
        }
        let at = record.ended_at().unwrap_or(now);
        let is_reported = self.outbox.checkpoint().is_reported(scope, uid, at);
        if is_reported && !self.outbox.checkpoint().lists(uid) {
            self.outbox.skip(scope, *uid, at);
            if let Some(over) = record.over_at() {
                self.outbox.over(uid, over);
            }
        }
        is_reported
    }

    /// An Event about an unknown Job: if it is about the Job's end, the Job may have been created and deleted unobserved.
    pub(super) fn may_be_gone(
        &mut self,
        source: Source,
        seen: &model::Event,
        event: &EventRecord,
        listed: bool,
        now: Timestamp,
    ) {
        if !self.settings.recovers || event::verdict(&event.reason).is_none() {
            return;
        }
        let uid = event.object;
        // The API server sets the creation time; an Event's author may write any other time.
        let at = seen.metadata.creation_timestamp.or(event.first.get()).unwrap_or(now);
        let scope = scope_name(&self.scopes, source.scope);
        let is_sent = self.outbox.state(&uid).is_in_flight();
        if is_sent || self.outbox.checkpoint().is_reported(scope, &uid, at) {
            return;
        }
        let deleted = DeletedJob {
            namespace: self.pools.texts.get(&*seen.metadata.namespace),
            name: seen.involved_object.name.clone(),
            uid: seen.involved_object.uid.clone(),
            scope: source.scope,
            at,
            verdict: event.clone(),
        };
        let jobs = Source {
            kind: Kind::Jobs,
            ..source
        };
        let follows_jobs = listed && !self.interruptions.fails(jobs);
        match self.recoveries.add(uid, deleted, follows_jobs, now) {
            Added::Waits(dropped) => {
                // So that the watermark does not pass it while it waits.
                self.outbox.finished(scope, uid, at);
                if let Some(other) = dropped {
                    self.outbox.apply(&other, AckEvent::Dismissed);
                    self.dropped += 1;
                }
            }
            Added::Known => {}
            Added::Dropped => self.dropped += 1,
        }
    }

    /// Reports a Job known from Events only.
    fn recover(&mut self, uid: Uid, deleted: DeletedJob, unseen: bool) -> Option<Evidence> {
        if self.jobs.contains_key(&uid) || self.removed.contains(&uid) || self.outbox.checkpoint().lists(&uid) {
            self.outbox.apply(&uid, AckEvent::Dismissed);
            return None;
        }
        let mut metadata = model::Metadata {
            namespace: (*deleted.namespace).into(),
            name: deleted.name.into(),
            uid: deleted.uid.into(),
            ..Default::default()
        };
        if let Some((owner, slot)) = self.cronjobs.maker_of(&metadata.namespace, &metadata.name, deleted.at) {
            metadata.owner_references = vec![owner];
            metadata.annotations.scheduled = Some(slot);
        }
        let job = model::Job {
            metadata,
            ..Default::default()
        };
        let mut record = JobRecord::new(&job, deleted.scope, &mut self.pools);
        for event in self.early_events.take(&record.namespace, uid) {
            record.add_event(event);
        }
        record.add_event(deleted.verdict);
        record.remove(deleted.at);
        record.note(Gap::EndNotSeen);
        self.cronjobs.job_added(uid, &record);
        self.remember_removed(uid);
        self.report_record(uid, record, unseen)
    }
}
