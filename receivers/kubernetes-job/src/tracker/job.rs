//! One Job that has not been reported yet, with the Pods and Events that belong to it.

use jiff::Timestamp;
use job_event::evidence::{self, Condition, Evidence, Gap, Removal};

use super::event;
use super::pod::{PodRecord, is_older};
use super::uid::Uid;
use crate::model;

/// How many Pods are kept for each Job.
const PODS: usize = 256;

/// A Job and everything that was seen of it.
#[derive(Debug)]
pub struct JobRecord {
    /// The Job as last seen.
    pub job: evidence::Job,
    /// Its Pods.
    pub pods: Vec<PodRecord>,
    /// Events about it and its Pods.
    events: Vec<evidence::Event>,
    gaps: Vec<Gap>,
    /// `resourceVersion` of the last version, if it is a number.
    version: Option<u64>,
    /// The first `deletionTimestamp`.
    deletion: Option<Timestamp>,
    /// When it is to be reported, once it has ended.
    pub due: Option<Timestamp>,
    /// The part of the cluster it was seen in.
    pub scope: u16,
}

impl JobRecord {
    /// A Job that was not known.
    pub fn new(job: &model::Job, scope: u16) -> JobRecord {
        let mut record = JobRecord {
            job: job.to_evidence(),
            pods: Vec::new(),
            events: Vec::new(),
            gaps: Vec::new(),
            version: job.metadata.resource_version.parse().ok(),
            deletion: job.metadata.deletion_timestamp,
            due: None,
            scope,
        };
        // A Job that is seen from its beginning has an empty status first.
        if record.job.verdict().is_some() || record.job.status.failed > 0 {
            record.note(Gap::JoinedLate);
        }
        record
    }

    /// Takes a later version in. `listed`: it stands in a list, which is always current.
    pub fn apply(&mut self, new: &model::Job, listed: bool) {
        if !listed && is_older(self.version, &new.metadata.resource_version) {
            return;
        }
        self.version = new.metadata.resource_version.parse().ok();
        self.deletion = self.deletion.or(new.metadata.deletion_timestamp);
        let job = new.to_evidence();
        // A verdict is final; no later version takes it back or turns it around.
        if self.job.verdict().is_some() && self.job.outcome() != job.outcome() {
            return;
        }
        let removed = self.job.removed.take();
        let cronjob = self.job.cronjob.take();
        self.job = job;
        self.job.removed = removed;
        // Who owns it is kept from first sight: an orphaned Job loses its owners.
        self.job.cronjob = cronjob.or(self.job.cronjob.take());
    }

    /// Marks it as gone from the API.
    pub fn remove(&mut self, now: Timestamp) {
        let at = self.deletion.unwrap_or(now);
        self.job.removed.get_or_insert(Removal { at, replaced: false });
    }

    /// Notes that something is missing.
    pub fn note(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Its Pod with the given UID.
    pub fn pod(&mut self, uid: Uid) -> Option<&mut PodRecord> {
        self.pods.iter_mut().find(|pod| pod.uid == uid)
    }

    /// Adds a Pod. Returns the one that had to make room for it, if any.
    pub fn add_pod(&mut self, pod: PodRecord) -> Option<Uid> {
        if pod.joined_late {
            self.note(Gap::JoinedLate);
        }
        self.pods.reserve_exact(1);
        self.pods.push(pod);
        if self.pods.len() <= PODS {
            return None;
        }
        let uneventful = self.pods.iter().position(PodRecord::is_uneventful);
        if uneventful.is_none() {
            self.note(Gap::PodsOmitted);
        }
        // The oldest of the rest goes, but the first one stays: it tells how it began.
        Some(self.pods.remove(uneventful.unwrap_or(1)).uid)
    }

    /// Adds an Event about it or one of its Pods.
    pub fn add_event(&mut self, event: evidence::Event) {
        event::merge(&mut self.events, event);
    }

    /// The verdict, read from the Job controller's own Event, of a Job whose end was not seen.
    pub fn verdict_from_events(&mut self) {
        if self.job.verdict().is_some() || !self.gaps.contains(&Gap::EndNotSeen) {
            return;
        }
        let verdict = self.events.iter().find_map(|event| {
            let kind = match &*event.reason {
                "BackoffLimitExceeded"
                | "DeadlineExceeded"
                | "PodFailurePolicy"
                | "FailedIndexes"
                | "MaxFailedIndexesExceeded" => "FailureTarget",
                "Completed" => "Complete",
                _ => return None,
            };
            let is_failure = kind == "FailureTarget";
            (event.uid == self.job.uid).then(|| Condition {
                kind: kind.into(),
                is_true: true,
                reason: if is_failure { event.reason.clone() } else { "".into() },
                message: if is_failure { event.message.clone() } else { "".into() },
                since: event.first,
            })
        });
        self.job.status.conditions.extend(verdict);
    }

    /// Everything known about it, in the order evidence has; `more` are gaps that hold for all Jobs.
    pub fn into_evidence(mut self, more: &[Gap]) -> Evidence {
        for gap in more {
            self.note(*gap);
        }
        self.gaps.sort_unstable();
        let mut pods: Vec<_> = self.pods.into_iter().map(|record| record.pod).collect();
        pods.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)));
        self.events.sort_by_key(|event| event.last);
        Evidence {
            job: self.job,
            pods,
            events: self.events,
            gaps: self.gaps,
        }
    }
}
