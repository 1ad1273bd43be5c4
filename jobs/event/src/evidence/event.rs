//! The Events that can explain how a Job ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Reasons of Events about a Job that can explain something; a rule that reads another one adds it here.
pub const JOB_EVENT_REASONS: &[&str] = &[
    // No Pod was created.
    "FailedCreate",
    "UnknownCompletionMode",
    // Names a Pod of the Job; stored until that Pod is observed.
    "SuccessfulCreate",
    // Names a Pod that the Job's controller killed.
    "SuccessfulDelete",
    // Verdicts; they replace the condition of a Job that was gone after an interruption.
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "PodFailurePolicy",
    "FailedIndexes",
    "MaxFailedIndexesExceeded",
    "Completed",
];

/// Reasons of Events about a Pod that can explain something, of either type; a rule that reads another one adds it here. The
/// collector watches warnings only, while recordings and `explain` also have Events of type `Normal`.
pub const POD_EVENT_REASONS: &[&str] = &[
    "FailedScheduling",
    // The same, of other schedulers.
    "Unschedulable",
    // Autoscalers: a node for the Pod was requested, or could not be.
    "TriggeredScaleUp",
    "NotTriggerScaleUp",
    "FailedScaleUp",
    "Nominated",
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
    // The waiting reason of a container whose status was not observed in time.
    "Failed",
    "BackOff",
    "ErrImageNeverPull",
    "InspectFailed",
    // The stages of a Pod's life.
    "Scheduled",
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "Killing",
    // The end of a Pod that was not observed itself.
    "Evicted",
    "Preempted",
    "Preempting",
    "TaintManagerEviction",
    "DeadlineExceeded",
    "OutOfcpu",
    "OutOfmemory",
    "OutOfpods",
    "OutOfephemeral-storage",
    "NodeAffinity",
    "UnexpectedAdmissionError",
];

/// True for an Event about a process that the kernel of a node killed for memory. The kubelet writes `SystemOOM`,
/// node-problem-detector `OOMKilling` (`config/kernel-monitor.json`).
pub fn is_oom_kill(reason: &str) -> bool {
    matches!(reason, "SystemOOM" | "OOMKilling")
}

/// True if such an Event is about the memory of the node: all of `SystemOOM`, and of `OOMKilling` the kernel's text `Out of
/// memory: Killed process ...` (`mm/oom_kill.c` of Linux).
pub fn is_node_oom(reason: &str, message: &str) -> bool {
    reason == "SystemOOM" || reason == "OOMKilling" && message.starts_with("Out of memory")
}

/// True if the message of `OOMKilling` is about a memory limit: `Memory cgroup out of memory: Killed process ...`. It does not
/// name the Pod.
pub fn is_limit_oom(message: &str) -> bool {
    message.starts_with("Memory cgroup out of memory")
}

/// An Event about the Job, one of its Pods or a node that one ran on.
///
/// Repetitions (same object, container, component, reason and message up to its first colon; for Events of the Job that
/// name a Pod, the whole message) are one, with the last message of those that say most ([`crate::MessageDetail`]). Only the reasons
/// in [`JOB_EVENT_REASONS`] and [`POD_EVENT_REASONS`] are stored, and for nodes those of [`is_oom_kill`].
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
    /// `source.component` or `reportingComponent`: the component that claims to have written the Event.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub component: Box<str>,
    /// `reason`, verbatim.
    pub reason: Box<str>,
    /// `message`, verbatim, of the last one.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub message: Box<str>,
    /// The number of repetitions.
    pub count: i32,
    /// The first time: `firstTimestamp`, or `eventTime` for Events of the newer kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}
