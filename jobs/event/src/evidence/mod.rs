//! The evidence of one Job, its Pods and their Events: latched when it was observed, because deletion erases it.
//!
//! A receiver makes it when a Job is decided; until then it may store something smaller. Enumerations of the
//! Kubernetes API stay strings, so an unknown value is stored verbatim.
//! Times have the resolution the API stores: seconds, for some Events microseconds.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::trace::Traceparent;

mod event;
mod owner;
mod pod;

pub use event::{Event, JOB_EVENT_REASONS, POD_EVENT_REASONS, is_limit_oom, is_node_oom, is_oom_kill};
pub use owner::{JobOwner, JobSet, OwnerRef, OwnerRule};
pub use pod::{Container, ContainerRole, ContainerState, NodeOutage, Pod, PodDeletion, Termination, Waiting};

/// Everything known about one Job when it is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The Job as last observed.
    pub job: Job,
    /// Its Pods, in order of creation, then name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<Pod>,
    /// Events about the Job, its Pods and the nodes they ran on, in order of their last time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Reasons why the evidence is incomplete; empty if it is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// A reason why evidence is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// Pods may not be listed or watched.
    PodsForbidden,
    /// Events may not be listed or watched.
    EventsForbidden,
    /// The Job was first seen after it had begun; what happened before is known only from its last state, and what was listed
    /// before the Job may have been dropped.
    JoinedLate,
    /// The watch was interrupted and resumed from a list while the Job lived.
    WatchInterrupted,
    /// The Job was gone after an interruption; its end was not observed.
    EndNotSeen,
    /// The Job had more Pods than are stored, and some that did not complete were removed.
    PodsOmitted,
    /// The Job chooses its Pods by a selector of its own (`manualSelector: true`), and the Pods lack the label `job-name` by
    /// which they are listed and watched.
    PodsNotSelected,
}

/// The Job as last observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// `metadata.namespace`.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// The CronJob that controls it (by `ownerReferences`, never by its name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cronjob: Option<Box<CronJob>>,
    /// Its owner, if that is neither a CronJob nor the Job itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Box<JobOwner>>,
    /// Its place in a JobSet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobset: Option<Box<JobSet>>,
    /// Datadog's unified service tags, from the labels `tags.datadoghq.com/{env,service,version}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tags: Option<Box<ServiceTags>>,
    /// The span that started the Job: annotation `traceparent` of the Job or of its Pod template, else the variable
    /// `TRACEPARENT` of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
    /// `metadata.creationTimestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The parts of `spec` that decide how the Job can end.
    pub spec: JobSpec,
    /// `status` as last observed.
    pub status: JobStatus,
    /// Set once the Job is gone from the API (a DELETED event, or absence from a list).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removal>,
    /// Labels and annotations of the Job, its Pod, its CronJob and its namespace, selected by rules, in the order of their names.
    /// They are attributes of the event, beside the evidence.
    #[serde(skip)]
    pub extracted: Vec<Attribute>,
}

/// A label or an annotation as an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute {
    /// The attribute's name.
    pub name: Arc<str>,
    /// The value of the label or annotation.
    pub value: Box<str>,
}

/// The CronJob a Job belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronJob {
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `spec.schedule`, where the CronJob itself was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<str>>,
    /// `spec.concurrencyPolicy`, where the CronJob itself was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<Box<str>>,
    /// The time this run is scheduled for: annotation `batch.kubernetes.io/cronjob-scheduled-timestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Timestamp>,
    /// The previous run, if it was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<PreviousRun>>,
}

/// The previous run of a CronJob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousRun {
    /// The Job's UID.
    pub uid: Box<str>,
    /// The span that started the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
}

/// Datadog's unified service tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServiceTags {
    /// `tags.datadoghq.com/env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Box<str>>,
    /// `tags.datadoghq.com/service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<str>>,
    /// `tags.datadoghq.com/version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
}

/// The parts of `spec` that decide how a Job can end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobSpec {
    /// `activeDeadlineSeconds`, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_deadline_seconds: Option<i64>,
    /// `backoffLimit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_limit: Option<i32>,
    /// `backoffLimitPerIndex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_limit_per_index: Option<i32>,
    /// `maxFailedIndexes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed_indexes: Option<i32>,
    /// `completions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completions: Option<i32>,
    /// `parallelism`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<i32>,
    /// True if `completionMode` is `Indexed`.
    #[serde(default)]
    pub indexed: bool,
    /// `suspend`.
    #[serde(default)]
    pub suspend: bool,
    /// `managedBy`, where it is not the built-in controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Box<str>>,
    /// `template.spec.restartPolicy`: `Never` or `OnFailure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<Box<str>>,
    /// The queue of Kueue that admits the Job: label `kueue.x-k8s.io/queue-name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Box<str>>,
    /// True if `template.spec.schedulingGates` has an entry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gated: bool,
}

/// `status` of the Job as last observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// `startTime`; reset when a suspended Job is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// `completionTime`; only ever set on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Timestamp>,
    /// `active`.
    #[serde(default)]
    pub active: i32,
    /// `ready`.
    #[serde(default)]
    pub ready: i32,
    /// `succeeded`.
    #[serde(default)]
    pub succeeded: i32,
    /// `failed`: counts Pods the verdict killed, so it is not a count of attempts.
    #[serde(default)]
    pub failed: i32,
    /// `completedIndexes`, as written: `0,2-4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_indexes: Option<Box<str>>,
    /// `failedIndexes`, as written: `1,3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_indexes: Option<Box<str>>,
    /// `conditions` of every status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A condition of a Job or a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `type`, verbatim.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// True if `status` is `True`.
    pub is_true: bool,
    /// `reason`, verbatim; empty when absent.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Box<str>,
    /// `message`, verbatim; empty when absent.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
    /// `lastTransitionTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// How the Job left the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// `metadata.deletionTimestamp` if it was observed, else the time at which the receiver noticed the deletion.
    pub at: Timestamp,
    /// True if a newer run of the same CronJob, whose `concurrencyPolicy` is `Replace`, took its place.
    #[serde(default)]
    pub replaced: bool,
}
