//! One Job that has not been reported yet, with the Pods and Events that belong to it. It becomes evidence once, when it is
//! reported. Until then it is small: data that many Jobs have in common is shared, and fields that few Jobs have are boxed.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::Timestamp;
use job_event::evidence::{self, Condition, Evidence, Gap, JobSet, JobSpec, Removal, ServiceTags};
use job_event::trace::Traceparent;
use job_event::{Outcome, outcome};

use super::container::PodTemplate;
use super::event::{self, EventRecord, SUCCESSFUL_CREATE, SUCCESSFUL_DELETE};
use super::from_events;
use super::gaps::Gaps;
use super::owner::OwnerRecord;
use super::pod::{PodRecord, is_older};
use super::pool::{Pools, Tags};
use super::stalls::StalledAfter;
use super::time::Time;
use job_event::Uid;
use job_watch::model;

/// How many Pods are kept for each Job.
const PODS: usize = 256;

/// A Job and its evidence.
#[derive(Clone, Debug)]
pub(crate) struct JobRecord {
    pub name: Box<str>,
    pub namespace: Arc<str>,
    /// `None` if it is its own owner.
    pub owner: Option<Arc<OwnerRecord>>,
    pub tags: Option<Arc<Tags>>,
    pub spec: Arc<JobSpec>,
    /// The slot of its CronJob.
    pub scheduled: Time,
    pub created: Time,
    pub start_time: Time,
    /// `resourceVersion` of the last version, if it is a number.
    version: Option<NonZeroU64>,
    /// Its Pods.
    pub pods: Vec<PodRecord>,
    rare: Option<Box<Rare>>,
    pub active: i32,
    ready: i32,
    pub succeeded: i32,
    pub failed: i32,
    /// The scope of the watch that saw it.
    pub scope: u16,
    gaps: Gaps,
    /// True once it has finished and is to be reported.
    pub is_due: bool,
    /// True if it had Pods when it was first seen.
    had_pods: bool,
    /// True if its Pods lack the label by which they are watched.
    hides_pods: bool,
    /// True if it was observed since a stall was last looked for.
    pub is_changed: bool,
    /// True if it is checked for a stall only rarely until it or a Pod changes, because it surely makes progress.
    pub is_checked_rarely: bool,
    /// True if a rare check of it is pending, even if it has changed since.
    pub has_rare_check: bool,
    /// True if it was observed since the last list of Jobs began: after that list it still exists.
    pub in_list: bool,
    pub stalled_after: StalledAfter,
}

/// Fields that most running Jobs do not have.
#[derive(Clone, Debug, Default)]
struct Rare {
    /// Its UID if that is not a UUID.
    odd_uid: Option<Box<str>>,
    /// The span that started it.
    traceparent: Option<Traceparent>,
    jobset: Option<Box<JobSet>>,
    completion_time: Time,
    completed_indexes: Option<Box<str>>,
    failed_indexes: Option<Box<str>>,
    conditions: Vec<Condition>,
    /// The first `deletionTimestamp`.
    deletion: Time,
    removed: Option<Removal>,
    /// Events about it and its Pods.
    events: Vec<EventRecord>,
}

impl JobRecord {
    /// The record of a Job that is seen for the first time.
    pub(crate) fn new(seen: &model::Job, scope: u16, pools: &mut Pools) -> JobRecord {
        let metadata = &seen.metadata;
        let job = seen.to_evidence();
        let mut record = JobRecord {
            name: job.name,
            namespace: pools.texts.get(job.namespace),
            scheduled: job.cronjob.and_then(|cronjob| cronjob.scheduled).into(),
            owner: pools.owners.of(metadata),
            tags: pools.tags(metadata),
            spec: pools.specs.get(job.spec),
            created: job.created.into(),
            start_time: Time::NONE,
            version: metadata.resource_version.parse().ok(),
            pods: Vec::new(),
            rare: None,
            active: 0,
            ready: 0,
            succeeded: 0,
            failed: 0,
            scope,
            gaps: Gaps::default(),
            is_due: false,
            had_pods: job.status.active > 0,
            hides_pods: seen.hides_its_pods(),
            is_changed: true,
            is_checked_rarely: false,
            has_rare_check: false,
            in_list: true,
            stalled_after: StalledAfter::parse(metadata.annotations.stalled_after.as_deref()),
        };
        record.set_status(job.status);
        if let Some(parent) = job.traceparent {
            record.rare().traceparent = Some(parent);
        }
        if let Some(jobset) = job.jobset {
            record.rare().jobset = Some(jobset);
        }
        if let Some(text) = Uid::odd_text(&metadata.uid) {
            record.rare().odd_uid = Some(text);
        }
        record.latch_deletion(metadata);
        // A Job that is seen from its beginning has an empty status first.
        if record.decided().is_some() || record.failed > 0 {
            record.note(Gap::JoinedLate);
        }
        record
    }

    /// Merges a later version. `listed`: it is from a list, which is always current.
    pub(crate) fn apply(&mut self, new: &model::Job, listed: bool, pools: &mut Pools) {
        if !listed && is_older(self.version, &new.metadata.resource_version) {
            return;
        }
        self.version = new.metadata.resource_version.parse().ok();
        self.is_changed = true;
        self.stalled_after = StalledAfter::parse(new.metadata.annotations.stalled_after.as_deref());
        self.latch_deletion(&new.metadata);
        let job = new.to_evidence();
        // A verdict is final; no later version revokes or reverses it.
        if self.decided().is_some_and(|outcome| outcome != job.outcome()) {
            return;
        }
        if *self.spec != job.spec {
            self.spec = pools.specs.get(job.spec);
        }
        if !Tags::are_of(self.tags.as_deref(), &new.metadata) {
            self.tags = pools.tags(&new.metadata);
        }
        pools.owners.update(&mut self.owner, &new.metadata);
        if let Some(cronjob) = job.cronjob {
            self.scheduled = self.scheduled.or(cronjob.scheduled.into());
        }
        self.set_status(job.status);
    }

    /// True if its last version is later than `version`.
    pub(crate) fn is_later_than(&self, version: &str) -> bool {
        is_older(self.version, version)
    }

    fn set_status(&mut self, status: evidence::JobStatus) {
        self.start_time = status.start_time.into();
        self.active = status.active;
        self.ready = status.ready;
        self.succeeded = status.succeeded;
        self.failed = status.failed;
        let is_plain = status.completion_time.is_none()
            && status.completed_indexes.is_none()
            && status.failed_indexes.is_none()
            && status.conditions.is_empty();
        if is_plain && self.rare.is_none() {
            return;
        }
        let rare = self.rare();
        rare.completion_time = status.completion_time.into();
        rare.completed_indexes = status.completed_indexes;
        rare.failed_indexes = status.failed_indexes;
        rare.conditions = status.conditions;
    }

    fn latch_deletion(&mut self, metadata: &model::Metadata) {
        if metadata.deletion_timestamp.is_some() {
            let rare = self.rare();
            rare.deletion = rare.deletion.or(metadata.deletion_timestamp.into());
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The outcome by its conditions.
    pub(crate) fn decided(&self) -> Option<Outcome> {
        outcome::decided(&self.rare.as_ref()?.conditions)
    }

    /// The span that started it.
    pub(crate) fn traceparent(&self) -> Option<Traceparent> {
        self.rare.as_ref()?.traceparent
    }

    /// The text of its UID, as the API server wrote it; `uid` is the key of its record.
    pub(crate) fn uid_text(&self, uid: Uid) -> Box<str> {
        let odd = self.rare.as_ref().and_then(|rare| rare.odd_uid.clone());
        odd.unwrap_or_else(|| uid.to_text())
    }

    /// When it was decided, or removed without that; `None` if it has not ended or does not say when.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        let rare = self.rare.as_ref()?;
        match outcome::verdict(&rare.conditions) {
            Some(verdict) => verdict.since,
            None => rare.removed.as_ref().map(|removal| removal.at),
        }
    }

    /// When it completed.
    pub(crate) fn completion_time(&self) -> Option<Timestamp> {
        self.rare.as_ref()?.completion_time.get()
    }

    /// The UID of the CronJob that controls it.
    pub(crate) fn cronjob(&self) -> Option<Uid> {
        let owner = self.owner.as_ref().filter(|owner| owner.is_cronjob())?;
        Some(Uid::new(&owner.uid))
    }

    /// When its last Pod was gone, or it was removed; `None` if neither is so.
    pub(crate) fn over_at(&self) -> Option<Timestamp> {
        let rare = self.rare.as_ref()?;
        let mut conditions = rare.conditions.iter();
        let finished = conditions.find(|c| c.is_true && outcome::is_finished(&c.kind));
        let finished = finished.and_then(|condition| condition.since);
        finished.or(rare.removed.as_ref().map(|removal| removal.at))
    }

    /// True once it has finished or is deleted.
    pub(crate) fn has_ended(&self) -> bool {
        self.decided().is_some() || self.is_removed()
    }

    /// True once it is deleted from the API.
    pub(crate) fn is_removed(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.removed.is_some())
    }

    /// Marks it as deleted from the API.
    pub(crate) fn remove(&mut self, now: Timestamp) {
        let rare = self.rare();
        let at = rare.deletion.get().unwrap_or(now);
        rare.removed.get_or_insert(Removal { at, replaced: false });
    }

    pub(crate) fn has_gap(&self, gap: Gap) -> bool {
        self.gaps.contains(gap)
    }

    pub(crate) fn note(&mut self, gap: Gap) {
        self.gaps.insert(gap);
    }

    /// Its Pod with the given UID, to be changed.
    pub(crate) fn pod(&mut self, uid: Uid) -> Option<&mut PodRecord> {
        self.is_changed = true;
        self.pods.iter_mut().find(|pod| pod.uid == uid)
    }

    /// The template of the failed Pod that was created last, else of the Pod that was created last, if rules select anything of it.
    pub(crate) fn describing_pod(&self) -> Option<Arc<PodTemplate>> {
        let pod = self.pods.iter().max_by_key(|pod| (pod.has_failed(), pod.created))?;
        (!pod.template.extracted.is_empty()).then(|| pod.template.clone())
    }

    /// Adds a Pod. Returns the one that had to make room for it, if any.
    pub(crate) fn add_pod(&mut self, pod: PodRecord) -> Option<Uid> {
        if pod.joined_late {
            self.note(Gap::JoinedLate);
        }
        if let Some(rare) = &mut self.rare {
            rare.events.retain(|event| !creates(event, &pod.name));
        }
        self.is_changed = true;
        self.pods.reserve_exact(1);
        self.pods.push(pod);
        if self.pods.len() <= PODS {
            return None;
        }
        let uneventful = self.pods.iter().position(PodRecord::is_uneventful);
        if uneventful.is_none() {
            self.note(Gap::PodsOmitted);
        }
        // Removes the oldest of the rest. The first one stays, because it shows how the Job began.
        let omitted = self.pods.remove(uneventful.unwrap_or(1)).uid;
        if let Some(rare) = &mut self.rare {
            rare.events.retain(|event| event.object != omitted);
        }
        Some(omitted)
    }

    /// Adds an Event about it or one of its Pods. The creation of a Pod is noted only while that Pod was not seen.
    pub(crate) fn add_event(&mut self, event: EventRecord) {
        self.is_changed = true;
        if !self.pods.iter().any(|pod| creates(&event, &pod.name)) {
            event::merge(&mut self.rare().events, event);
        }
    }

    /// The verdict, read from the Job controller's own Event, of a Job whose end was not seen.
    pub(crate) fn verdict_from_events(&mut self, uid: Uid) {
        if self.decided().is_some() || !self.gaps.contains(Gap::EndNotSeen) {
            return;
        }
        let created = self.pods.iter().map(|pod| pod.created).max();
        let rare = self.rare();
        let times = |reason: &'static str| {
            let of_it = move |event: &&EventRecord| event.object == uid && &*event.reason == reason;
            rare.events.iter().filter(of_it).map(|event| event.first)
        };
        let created = created.max(times(SUCCESSFUL_CREATE).max());
        // The controller decides, then deletes the Pods, and writes the Event once they are gone. After other deletions (a
        // suspension, less parallelism) it creates Pods again.
        let deleted = times(SUCCESSFUL_DELETE).filter(|at| Some(*at) > created).min();
        let verdict = rare.events.iter().find_map(|event| {
            let kind = event::verdict(&event.reason)?;
            let is_failure = kind == "FailureTarget";
            let first = deleted.filter(|deleted| is_failure && *deleted < event.first);
            (event.object == uid).then(|| Condition {
                kind: kind.into(),
                is_true: true,
                reason: if is_failure { (*event.reason).into() } else { "".into() },
                message: if is_failure { event.message.clone() } else { "".into() },
                since: first.unwrap_or(event.first).get(),
            })
        });
        rare.conditions.extend(verdict);
    }

    /// False if it surely makes progress: it has a live Pod, no Pod has failed, and nothing in one waits, restarts or ends.
    /// For all others the judge looks at the evidence.
    pub(crate) fn may_be_stalled(&self) -> bool {
        if self.spec.suspend {
            return self.spec.queue.is_some();
        }
        let mut any_works = false;
        let all_work = self.pods.iter().filter(|pod| !pod.is_over()).all(|pod| {
            any_works = true;
            pod.works()
        });
        !(all_work && any_works && self.failed == 0)
    }

    /// Its evidence; `more` are gaps that apply to all Jobs.
    pub(crate) fn into_evidence(mut self, uid: Uid, more: &[Gap]) -> Evidence {
        for gap in more {
            self.note(*gap);
        }
        if self.had_pods && self.pods.is_empty() {
            self.note(Gap::JoinedLate);
        }
        if self.hides_pods && self.pods.is_empty() {
            self.note(Gap::PodsNotSelected);
        }
        let rare = self.rare.take().map_or_else(Rare::default, |rare| *rare);
        let job = evidence::Job {
            namespace: (*self.namespace).into(),
            name: self.name,
            uid: rare.odd_uid.unwrap_or_else(|| uid.to_text()),
            owner: self.owner.as_ref().and_then(|owner| owner.to_evidence()),
            cronjob: self.owner.filter(|owner| owner.is_cronjob()).map(|owner| {
                Box::new(evidence::CronJob {
                    name: owner.name.clone(),
                    uid: owner.uid.clone(),
                    scheduled: self.scheduled.get(),
                    ..Default::default()
                })
            }),
            jobset: rare.jobset,
            service_tags: self
                .tags
                .filter(|tags| tags.service != ServiceTags::default())
                .map(|tags| Box::new(tags.service.clone())),
            traceparent: rare.traceparent,
            created: self.created.get(),
            spec: (*self.spec).clone(),
            status: evidence::JobStatus {
                start_time: self.start_time.get(),
                completion_time: rare.completion_time.get(),
                active: self.active,
                ready: self.ready,
                succeeded: self.succeeded,
                failed: self.failed,
                completed_indexes: rare.completed_indexes,
                failed_indexes: rare.failed_indexes,
                conditions: rare.conditions,
            },
            removed: rare.removed,
            extracted: Vec::new(),
        };
        let mut pods: Vec<_> = self
            .pods
            .into_iter()
            .map(|record| (record.uid, record.into_evidence()))
            .collect();
        pods.sort_by(|(_, a), (_, b)| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)));
        let names: HashMap<Uid, usize> = pods.iter().enumerate().map(|(at, (uid, _))| (*uid, at)).collect();
        let mut events = rare.events;
        events.sort_by_key(|event| event.last);
        let events = events.into_iter().filter_map(|event| {
            if event.object == uid {
                return Some(event.into_evidence("Job", &job.name, &job.uid));
            }
            let (_, pod) = pods.get(*names.get(&event.object)?)?;
            Some(event.into_evidence("Pod", &pod.name, &pod.uid))
        });
        Evidence {
            events: events.collect(),
            pods: pods.into_iter().map(|(_, pod)| pod).collect(),
            gaps: self.gaps.iter().collect(),
            job,
        }
    }
}

/// True for the Event that names this Pod as created.
fn creates(event: &EventRecord, pod: &str) -> bool {
    &*event.reason == SUCCESSFUL_CREATE && from_events::created_pod(&event.message) == Some(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<JobRecord>() <= 152, "{}", size_of::<JobRecord>());
        assert!(size_of::<PodRecord>() <= 168, "{}", size_of::<PodRecord>());
    }
}
