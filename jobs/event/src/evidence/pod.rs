//! The Pods of a Job and their containers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Condition;

/// One Pod of the Job, with the states that later ones erase.
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
    /// `status.startTime`: the time at which the kubelet accepted the Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// `status.phase` as last observed, verbatim.
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
    /// `lastTransitionTime` of `PodReadyToStartContainers` when it was last `True`: volumes and sandbox were ready (latched). A
    /// sandbox that is lost and created again sets it again. Source: `pkg/kubelet/status/generate.go`; Kubernetes 1.29 and
    /// later, `PodHasNetwork` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_to_start: Option<Timestamp>,
    /// First `DisruptionTarget` condition that was `True` (latched).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption: Option<Box<Condition>>,
    /// `lastTransitionTime` of `Ready` when it last was not `True`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready_since: Option<Timestamp>,
    /// `lastTransitionTime` of `Ready` as the kubelet last wrote it, for any status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_changed: Option<Timestamp>,
    /// The last time in which its node was not ready. The node controller then sets `Ready` to false and leaves
    /// `ContainersReady` and the containers as the kubelet last reported them (`MarkPodsNotReady`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_outage: Option<NodeOutage>,
    /// `spec.terminationGracePeriodSeconds`, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
    /// The first observed request to delete the Pod. Absent if its phase was terminal before (clean-up, not a kill).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<PodDeletion>,
    /// Annotation `kubectl.kubernetes.io/default-container`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_container: Option<Box<str>>,
    /// Its containers: those of `spec.initContainers`, then those of `spec.containers`, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// True once the Pod is gone from the API.
    #[serde(default)]
    pub removed: bool,
    /// True if the Pod itself was never seen, only its Events: names, times and states are those that they tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_events: bool,
}

/// A time in which a node was not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOutage {
    /// `lastTransitionTime` of the Pod's `Ready` when it turned false.
    pub since: Timestamp,
    /// `lastTransitionTime` of the Pod's `Ready` after the kubelet wrote it again; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// True if that version of the Pod had no `deletionTimestamp`. The order of the watch beats the clocks of nodes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// A request to delete a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodDeletion {
    /// The time of the request: the first `deletionTimestamp` minus the first `deletionGracePeriodSeconds`.
    pub requested: Timestamp,
    /// The first `deletionGracePeriodSeconds`, seconds.
    pub grace_seconds: i64,
    /// True if the Pod had ended when the request was first observed: it may be a later request than the first one, or
    /// clean-up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen_late: bool,
}

/// The role of a container, by its place in the Pod's spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerRole {
    /// In `containers`.
    #[default]
    Main,
    /// In `initContainers`; ends before the main containers start.
    Init,
    /// In `initContainers` with `restartPolicy: Always`.
    Sidecar,
}

/// `state` of a container status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// No status was observed.
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
    /// The role in the Pod.
    pub role: ContainerRole,
    /// `image` of the spec.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub image: Box<str>,
    /// The state in the last version of the Pod without a `deletionTimestamp`: the state at the verdict.
    #[serde(default)]
    pub state: ContainerState,
    /// The last specific `waiting` reason: not `ContainerCreating`, `PodInitializing`,
    /// `RestartingAllContainers` or empty (latched).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Box<Waiting>>,
    /// True if the container was ever running, or terminated with a container id.
    #[serde(default)]
    pub started: bool,
    /// `state.running.startedAt` as last observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// `restartCount` as last observed.
    #[serde(default)]
    pub restarts: i32,
    /// Every distinct termination in `state` and `lastState`, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminations: Vec<Termination>,
}

/// `state.waiting` of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// `reason`, verbatim.
    pub reason: Box<str>,
    /// `message`, verbatim; of several about the same obstacle the one that says most ([`crate::MessageDetail`]): for
    /// `ImagePullBackOff`, the message of the failed pull if it was observed.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
}

/// One end of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// `exitCode`.
    pub exit_code: i32,
    /// `signal`, if the runtime reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// `reason`, verbatim.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Box<str>,
    /// `message`: the termination log of the container, up to 4 KiB.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
    /// `startedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// `finishedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// True if it has a `containerID`; without one the container never ran.
    #[serde(default)]
    pub ran: bool,
    /// True if it was in a version of the Pod without a `deletionTimestamp`, or in `lastState`.
    /// The order of the watch beats timestamps of one second.
    #[serde(default)]
    pub before_deletion: bool,
    /// True if the container was alive in a version of the Pod with a `deletionTimestamp`, so that this came after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_deletion: bool,
    /// The container's `restartCount` at its observation in `state`, or that minus one in `lastState`.
    #[serde(default)]
    pub attempt: i32,
}
