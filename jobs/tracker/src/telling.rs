//! When a Job is told of, and that it is told of once: settle time, checkpoint, and Jobs of which only Events are left.

use jiff::Timestamp;
use job_event::Uid;
use job_event::evidence::{Evidence, Gap};

use super::checkpoint::Checkpoint;
use super::event::{self, EventRecord};
use super::job::JobRecord;
use super::recovery::{Added, Remains};
use super::time::pop_due;
use super::{Entry, Tracker, WAIT_FOR_EVENTS, first_told, part};
use job_watch::Source;
use job_watch::model;

impl Tracker {
    /// Goes on from a checkpoint. `parts` are the names of the namespaces that are watched by themselves, if any are.
    pub fn restore(&mut self, checkpoint: Checkpoint, parts: Vec<Box<str>>) {
        self.checkpoint = checkpoint;
        self.checkpoint.name_parts(&parts);
        self.parts = parts;
    }

    /// At `now` it begins to watch. If nothing ever was watched, this is what tells later which Jobs ended before, so it
    /// belongs into the store before anything is listed.
    pub fn begin(&mut self, now: Timestamp) {
        let parts = match &*self.parts {
            [] => &[Box::default()],
            parts => parts,
        };
        for part in parts {
            self.checkpoint.begin(part, first_told(&self.settings, now));
        }
    }

    /// Takes over what another process has stored: what that one has told of is not told of here.
    pub fn adopt(&mut self, mut stored: Checkpoint) {
        stored.name_parts(&self.parts);
        self.checkpoint.adopt(stored);
        let told: Vec<_> = self
            .due
            .iter()
            .filter(|(_, uid)| match self.jobs.get(uid) {
                Some(Entry::Live(record)) => {
                    let part = part(&self.parts, record.scope);
                    let at = record.ended_at();
                    self.checkpoint.lists(uid) || at.is_some_and(|at| self.checkpoint.is_told(part, uid, at))
                }
                _ => false,
            })
            .copied()
            .collect();
        for due in told {
            self.due.remove(&due);
            self.checkpoint.told_elsewhere(&due.1);
            if let Some(Entry::Live(record)) = self.jobs.remove(&due.1) {
                self.bury(due.1, &record);
            }
        }
        let is_told = |uid: &Uid, remains: &Remains| {
            let part = part(&self.parts, remains.scope);
            self.checkpoint.is_told(part, uid, remains.at)
        };
        for uid in self.recoveries.forget_told(is_told) {
            self.checkpoint.told_elsewhere(&uid);
        }
    }

    /// What was told of, to be stored.
    pub fn checkpoint(&mut self) -> &mut Checkpoint {
        &mut self.checkpoint
    }

    /// When [`Tracker::poll`] has something to give, if nothing more is observed.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|(at, _)| *at);
        due.into_iter().chain(self.recoveries.next_deadline()).min()
    }

    /// How many Jobs have ended and are not reported yet.
    pub fn decided(&self) -> usize {
        self.due.len() + self.recoveries.ready()
    }

    /// How many Jobs of which only Events are left were given up since the last call, because there were too many.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// The next Job that is to be reported at `now`, in the order of decision; those of which only Events are left come
    /// last. To be called until it gives none.
    pub fn poll(&mut self, now: Timestamp) -> Option<Evidence> {
        let wait = self.settings.settle.max(WAIT_FOR_EVENTS);
        loop {
            let evidence = match pop_due(&mut self.due, wait, now) {
                Some(uid) => self.report(uid, true),
                None => {
                    let (uid, remains) = self.recoveries.next(now)?;
                    self.recover(uid, *remains, true)
                }
            };
            if evidence.is_some() {
                return evidence;
            }
        }
    }

    /// The next Job that has ended, whether it has settled or not: for a shutdown. `unseen`: those, too, whose end was not
    /// seen and of which no Event tells yet; after another start one may.
    pub fn drain(&mut self, unseen: bool) -> Option<Evidence> {
        loop {
            let evidence = match self.due.pop_first() {
                Some((_, uid)) => self.report(uid, unseen),
                None => {
                    let (uid, remains) = self.recoveries.next(self.now)?;
                    self.recover(uid, *remains, unseen)
                }
            };
            if evidence.is_some() {
                return evidence;
            }
        }
    }

    /// A Job has ended, and is to be told of at `when`.
    pub(super) fn is_due(&mut self, uid: Uid, when: Timestamp, now: Timestamp) {
        let Some(Entry::Live(record)) = self.jobs.get_mut(&uid) else {
            return;
        };
        record.is_due = true;
        let at = record.ended_at().unwrap_or(now);
        self.checkpoint.decided(part(&self.parts, record.scope), uid, at);
        self.due.insert((when, uid));
    }

    /// Reports a Job; `None` if that has been done, or its end was not seen and `unseen` is not set.
    fn report(&mut self, uid: Uid, unseen: bool) -> Option<Evidence> {
        let Some(Entry::Live(record)) = self.jobs.remove(&uid) else {
            return None;
        };
        self.bury(uid, &record);
        self.report_record(uid, *record, unseen)
    }

    fn report_record(&mut self, uid: Uid, mut record: JobRecord, unseen: bool) -> Option<Evidence> {
        if self.checkpoint.lists(&uid) {
            self.checkpoint.told_elsewhere(&uid);
            return None;
        }
        record.verdict_from_events(uid);
        if !unseen && record.decided().is_none() && record.has_gap(Gap::EndNotSeen) {
            return None;
        }
        self.ended.add(&record, true);
        let scope = record.scope;
        if let Some(over) = record.over_at() {
            self.checkpoint.over(&uid, over);
        }
        let gaps = self.general_gaps(Some(scope));
        let mut evidence = record.into_evidence(uid, &gaps);
        self.cronjobs.job_ended(&mut evidence.job);
        self.node_events.add_to(&mut evidence);
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
            self.jobs.insert(uid, Entry::Reported { scope: record.scope });
        }
    }

    /// Whether a Job that is seen for the first time had ended and needs no telling.
    pub(super) fn is_told(
        &mut self,
        source: Source,
        uid: &Uid,
        record: &JobRecord,
        listed: bool,
        now: Timestamp,
    ) -> bool {
        if record.decided().is_none() {
            return false;
        }
        let part = part(&self.parts, source.scope);
        if !listed {
            self.checkpoint.decided_now(part, record.ended_at());
            return self.checkpoint.lists(uid);
        }
        let at = record.ended_at().unwrap_or(now);
        let is_told = self.checkpoint.is_told(part, uid, at);
        if is_told && !self.checkpoint.lists(uid) {
            self.checkpoint.passed_over(part, *uid, at);
            if let Some(over) = record.over_at() {
                self.checkpoint.over(uid, over);
            }
        }
        is_told
    }

    /// An Event about a Job that is not known: if it tells of the Job's end, the Job may have come and gone unseen.
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
        // The API server's own time, if it is known: the author of an Event may write any other.
        let at = seen.metadata.creation_timestamp.or(event.first.get()).unwrap_or(now);
        let part = part(&self.parts, source.scope);
        if self.checkpoint.is_told(part, &uid, at) {
            return;
        }
        let remains = Remains {
            namespace: self.pools.texts.get(&*seen.metadata.namespace),
            name: seen.involved_object.name.clone(),
            uid: seen.involved_object.uid.clone(),
            scope: source.scope,
            at,
            verdict: event.clone(),
        };
        match self.recoveries.add(uid, remains, listed, now) {
            Added::Waits(given_up) => {
                // So that the watermark does not pass it while it waits.
                self.checkpoint.decided(part, uid, at);
                if let Some(other) = given_up {
                    self.checkpoint.told_elsewhere(&other);
                    self.given_up += 1;
                }
            }
            Added::Known => {}
            Added::GivenUp => self.given_up += 1,
        }
    }

    /// Reports a Job of which only Events are left.
    fn recover(&mut self, uid: Uid, remains: Remains, unseen: bool) -> Option<Evidence> {
        if self.jobs.contains_key(&uid) || self.removed.contains(&uid) || self.checkpoint.lists(&uid) {
            self.checkpoint.told_elsewhere(&uid);
            return None;
        }
        let mut metadata = model::Metadata {
            namespace: (*remains.namespace).into(),
            name: remains.name,
            uid: remains.uid,
            ..Default::default()
        };
        if let Some((owner, slot)) = self.cronjobs.maker_of(&metadata.namespace, &metadata.name, remains.at) {
            metadata.owner_references = vec![owner];
            metadata.annotations.scheduled = Some(slot);
        }
        let job = model::Job {
            metadata,
            ..Default::default()
        };
        let mut record = JobRecord::new(&job, remains.scope, &mut self.pools);
        for event in self.early_events.take(&record.namespace, uid) {
            record.add_event(event);
        }
        record.add_event(remains.verdict);
        record.remove(remains.at);
        record.note(Gap::EndNotSeen);
        self.cronjobs.job_added(uid, &record);
        self.remember_removed(uid);
        self.report_record(uid, record, unseen)
    }
}
