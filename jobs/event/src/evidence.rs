//! What was seen of one Job, its Pods and their Events: latched as it appeared, because deletion erases it.
//!
//! A receiver makes them when a Job is decided; until then it may keep something smaller. Enumerations of the
//! Kubernetes API stay strings, so an unknown value is kept verbatim.
//! Times have the resolution the API stores: seconds, for some Events microseconds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::trace::Traceparent;

/// Everything known about one Job when it is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The Job itself.
    pub job: Job,
    /// Its Pods, in order of creation, then name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<Pod>,
    /// Events about the Job, its Pods and the nodes they ran on, in order of their last time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// What is known to be missing; empty means the evidence is complete.
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
    /// The Job was first seen after it had begun; what happened before is known only from its last state.
    JoinedLate,
    /// The watch was interrupted and resumed from a list while the Job lived.
    WatchInterrupted,
    /// The Job was gone after an interruption; its end was not seen.
    EndNotSeen,
    /// The Job had more Pods than are kept, and some that did not complete had to go.
    PodsOmitted,
}

/// The Job as last seen.
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
    /// Datadog's unified service tags, from the labels `tags.datadoghq.com/{env,service,version}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tags: Option<Box<ServiceTags>>,
    /// The span that started it: annotation `traceparent` of the Job or of its Pod template, else the variable
    /// `TRACEPARENT` of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
    /// `metadata.creationTimestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// What it was asked to do.
    pub spec: JobSpec,
    /// What its controller last said.
    pub status: JobStatus,
    /// Set once the Job was gone from the API (a DELETED event, or absence from a list).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removal>,
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
    /// The slot this run was made for: annotation `batch.kubernetes.io/cronjob-scheduled-timestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Timestamp>,
    /// Its run before this one, if that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<PreviousRun>>,
}

/// The run of a CronJob before another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousRun {
    /// The Job's UID.
    pub uid: Box<str>,
    /// The span that started it.
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
    /// Whether `completionMode` is `Indexed`.
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
}

/// `status` of the Job as last seen.
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
    /// `conditions`, those with status `True` as well as others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A condition of a Job or a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `type`, verbatim.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// Whether `status` is `True`.
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
    /// `metadata.deletionTimestamp` if one was seen, else the time at which the receiver noticed.
    pub at: Timestamp,
    /// Whether a newer run of the same CronJob, whose `concurrencyPolicy` is `Replace`, took its place.
    #[serde(default)]
    pub replaced: bool,
}

/// One Pod of the Job, with what its later states would have erased.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// Annotation (or label) `batch.kubernetes.io/job-completion-index`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Box<str>>,
    /// `spec.nodeName`; absent while unscheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Box<str>>,
    /// `metadata.creationTimestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// `status.startTime`: when the kubelet took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// `status.phase` as last seen, verbatim.
    pub phase: Box<str>,
    /// First non-empty `status.reason`, verbatim (`Evicted`, `DeadlineExceeded`, `OutOfcpu`, ...).
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Box<str>,
    /// `status.message` that came with `reason`, or the last one without any.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
    /// Last `PodScheduled` condition that was not `True` (latched).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_scheduled: Option<Box<Condition>>,
    /// First `DisruptionTarget` condition that was `True` (latched).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption: Option<Box<Condition>>,
    /// `lastTransitionTime` of `Ready` when it last was not `True`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready_since: Option<Timestamp>,
    /// `lastTransitionTime` of `Ready` as the kubelet last wrote it, whatever it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_changed: Option<Timestamp>,
    /// When its node was last found not to be ready. The node controller then turns `Ready` to false by itself and leaves
    /// `ContainersReady` and the containers as the kubelet last said (`MarkPodsNotReady`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_outage: Option<NodeOutage>,
    /// `spec.terminationGracePeriodSeconds`: how long its containers have to end when they are told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
    /// The first request to delete it that was seen. Absent if its phase had been seen to be terminal before (clean-up,
    /// not a kill).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<PodDeletion>,
    /// Annotation `kubectl.kubernetes.io/default-container`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_container: Option<Box<str>>,
    /// Its containers: those of `spec.initContainers`, then those of `spec.containers`, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// Whether it is gone from the API.
    #[serde(default)]
    pub removed: bool,
}

/// A time in which a node was not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOutage {
    /// `lastTransitionTime` of the Pod's `Ready` when it turned false.
    pub since: Timestamp,
    /// `lastTransitionTime` of the Pod's `Ready` when the kubelet wrote it again; absent while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether that was seen in a version of the Pod without a `deletionTimestamp`. The order of the watch beats the clocks
    /// of nodes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// A request to delete a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodDeletion {
    /// When it was asked for: the first `deletionTimestamp` minus the first `deletionGracePeriodSeconds`.
    pub requested: Timestamp,
    /// The first `deletionGracePeriodSeconds`, seconds.
    pub grace_seconds: i64,
    /// Whether the Pod had ended when this was first seen, so that it may be a later request than the first one, or
    /// clean-up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen_late: bool,
}

/// What a container is for, by where it stands in the Pod's spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerRole {
    /// In `containers`.
    #[default]
    Main,
    /// In `initContainers`, runs to its end before the main ones.
    Init,
    /// In `initContainers` with `restartPolicy: Always`.
    Sidecar,
}

/// A container's state as the status said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// No status was seen.
    #[default]
    Absent,
    /// `state.waiting`.
    Waiting,
    /// `state.running`.
    Running,
    /// `state.terminated`.
    Terminated,
}

/// One container of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// `name`.
    pub name: Box<str>,
    /// What it is for.
    pub role: ContainerRole,
    /// `image` of the spec.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub image: Box<str>,
    /// Its state in the last version of the Pod without a `deletionTimestamp` (the world at the verdict).
    #[serde(default)]
    pub state: ContainerState,
    /// Last `waiting` reason that says something: not `ContainerCreating`, `PodInitializing`,
    /// `RestartingAllContainers` or empty (latched).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Box<Waiting>>,
    /// Whether it was ever seen running or terminated with a container id.
    #[serde(default)]
    pub started: bool,
    /// When it was last seen to have started running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// `restartCount` as last seen.
    #[serde(default)]
    pub restarts: i32,
    /// Every distinct termination seen in `state` and `lastState`, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminations: Vec<Termination>,
}

/// Why a container waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// `reason`, verbatim.
    pub reason: Box<str>,
    /// `message`, verbatim; for an image that is backed off, the one of the failed pull if it was seen.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
}

/// One end of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// `exitCode`.
    pub exit_code: i32,
    /// `signal`, where the runtime tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// `reason`, verbatim.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Box<str>,
    /// `message`: what the container wrote to its termination log, up to 4 KiB.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
    /// `startedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// `finishedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Whether it had a `containerID`: without one it never ran.
    #[serde(default)]
    pub ran: bool,
    /// Whether it was seen in a version of the Pod without a `deletionTimestamp`, or in `lastState`.
    /// The order of the watch beats timestamps of one second.
    #[serde(default)]
    pub before_deletion: bool,
    /// Whether the container was seen alive in a version of the Pod with a `deletionTimestamp`, so that this came after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_deletion: bool,
    /// The container's `restartCount` when it was seen in `state`, or that minus one in `lastState`.
    #[serde(default)]
    pub attempt: i32,
}

/// Reasons of Events about a Job that can explain something; a rule that reads another one adds it here.
pub const JOB_EVENT_REASONS: &[&str] = &[
    // Why there are no Pods.
    "FailedCreate",
    "UnknownCompletionMode",
    // Only kept while no Pod was seen: there was one.
    "SuccessfulCreate",
    // Names a Pod that the Job's controller killed.
    "SuccessfulDelete",
    // Verdicts: they replace the condition of a Job that was gone after an interruption.
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "PodFailurePolicy",
    "FailedIndexes",
    "MaxFailedIndexesExceeded",
    "Completed",
];

/// Reasons of Events about a Pod, all of type `Warning`, that can explain something; a rule that reads another one adds
/// it here.
pub const POD_EVENT_REASONS: &[&str] = &[
    "FailedScheduling",
    "FailedPrepareDynamicResources",
    "FailedResourceClaimCreation",
    "FailedMount",
    "FailedAttachVolume",
    "FailedMapVolume",
    "FailedCreatePodSandBox",
    "NetworkNotReady",
    "FailedCreatePodContainer",
    "FailedKillPod",
    "ExceededGracePeriod",
    "NodeNotReady",
    "Unhealthy",
    "FailedPostStartHook",
    // What a container waited for, where its status was not seen in time.
    "Failed",
    "BackOff",
    "ErrImageNeverPull",
    "InspectFailed",
];

/// Reasons of Events about a node that can explain what happened to a Pod on it; a rule that reads another one adds it
/// here.
pub const NODE_EVENT_REASONS: &[&str] = &["SystemOOM"];

/// An Event about the Job, one of its Pods or a node that one ran on. Repetitions (same object, container, component, reason and message up to its
/// first colon; for `SuccessfulDelete`, which names a Pod, the whole message) are one, with the last message. Only the reasons
/// in [`JOB_EVENT_REASONS`], [`POD_EVENT_REASONS`] and [`NODE_EVENT_REASONS`] are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `involvedObject.kind`.
    pub kind: Box<str>,
    /// `involvedObject.name`.
    pub name: Box<str>,
    /// `involvedObject.uid`; empty for a node.
    pub uid: Box<str>,
    /// `involvedObject.fieldPath`: names the container (`spec.containers{main}`).
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub field_path: Box<str>,
    /// `source.component` or `reportingComponent`: the component that wrote it, by its own account.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub component: Box<str>,
    /// `reason`, verbatim.
    pub reason: Box<str>,
    /// `message`, verbatim, of the last one.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
    /// How often it was seen.
    pub count: i32,
    /// When it was first seen: `firstTimestamp`, or `eventTime` for Events of the newer kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// When it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}
