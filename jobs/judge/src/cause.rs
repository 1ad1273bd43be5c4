//! The closed set of causes, in one table: what each means, what proves it and what to do next.

use serde::{Deserialize, Serialize};

/// What kind of cause it is, which is mostly the question of who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The program in the container.
    Application,
    /// Memory, CPU, storage, devices or quota.
    Resource,
    /// What the Job's manifest says, or an object that it names.
    Configuration,
    /// Somebody, or a rule of the cluster, decided so.
    Policy,
    /// The cluster itself.
    Infrastructure,
    /// Time ran out.
    Timeout,
    /// Not known.
    Unknown,
}

impl Category {
    /// Its name in events and on points.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Application => "application",
            Category::Resource => "resource",
            Category::Configuration => "configuration",
            Category::Policy => "policy",
            Category::Infrastructure => "infrastructure",
            Category::Timeout => "timeout",
            Category::Unknown => "unknown",
        }
    }
}

/// Whether running the Job again, unchanged, can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It can: what went wrong was not the Job's fault and passes.
    Yes,
    /// It cannot: it will fail the same way until something is changed.
    No,
    /// It depends.
    Maybe,
}

impl Retry {
    /// Its name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Yes => "yes",
            Retry::No => "no",
            Retry::Maybe => "maybe",
        }
    }
}

/// Why a Job, or one attempt of it, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the table below says what each one means, once")]
pub enum Cause {
    NonZeroExit,
    Crashed,
    ProbeFailed,
    Killed,
    OutOfMemory,
    EphemeralStorageExceeded,
    Unschedulable,
    DeviceUnavailable,
    QuotaExceeded,
    ImagePull,
    ContainerConfig,
    ContainerStart,
    VolumeUnavailable,
    SidecarBlockedCompletion,
    AdmissionDenied,
    SchedulingGated,
    Preempted,
    PodDeleted,
    NodePressure,
    NodeDrained,
    NodeLost,
    NodeShutdown,
    NodeRejected,
    SandboxFailed,
    StuckTerminating,
    RanTooLong,
    SlowStart,
    NoPodsCreated,
    Unknown,
}

/// One row of the table of causes.
#[derive(Clone, Copy, Debug)]
pub struct CauseInfo {
    /// The cause.
    pub cause: Cause,
    /// Its name in events and on points. Never changed once published.
    pub name: &'static str,
    /// What it means, for a person.
    pub meaning: &'static str,
    /// What proves it.
    pub evidence: &'static str,
    /// What kind of cause it is.
    pub category: Category,
    /// Whether running the Job again can help, where the evidence says no more ([`crate::rules::retry`]).
    pub retry: Retry,
    /// What to do next.
    pub next_step: &'static str,
}

const fn row(
    cause: Cause,
    name: &'static str,
    category: Category,
    retry: Retry,
    meaning: &'static str,
    evidence: &'static str,
    next_step: &'static str,
) -> CauseInfo {
    CauseInfo {
        cause,
        name,
        meaning,
        evidence,
        category,
        retry,
        next_step,
    }
}

use Category as C;
use Retry as R;

/// The table of causes, in the order of [`Cause`].
pub const CAUSES: [CauseInfo; 29] = [
    row(
        Cause::NonZeroExit,
        "NonZeroExit",
        C::Application,
        R::Maybe,
        "The program ended with an error of its own.",
        "A container terminated with an exit code that stands for no signal and no start error.",
        "Read the container's log around the time it ended; the exit code is the program's own.",
    ),
    row(
        Cause::Crashed,
        "Crashed",
        C::Application,
        R::Maybe,
        "The program crashed.",
        "Exit code 128 plus a signal of a crash (SEGV, ABRT, BUS, ILL, FPE, ...), or a kill by seccomp.",
        "Look for a stack trace or core dump; a native crash is a bug in the program or in a library it uses.",
    ),
    row(
        Cause::ProbeFailed,
        "ProbeFailed",
        C::Application,
        R::Maybe,
        "The kubelet killed the container because its liveness or startup probe failed.",
        "Event Unhealthy for a liveness or startup probe of that container just before it ended.",
        "Check the probe's command, timeout and thresholds; a Job that works long without answering needs a laxer probe or none.",
    ),
    row(
        Cause::Killed,
        "Killed",
        C::Application,
        R::Maybe,
        "Something ended the program with a signal, and nothing tells who.",
        "Exit code 129, 130, 137 or 143 without any trace of a killer.",
        "Look at the node's kernel log for an out-of-memory kill, and at what in the container sends signals.",
    ),
    row(
        Cause::OutOfMemory,
        "OutOfMemory",
        C::Resource,
        R::No,
        "The container used more memory than it may.",
        "Reason OOMKilled of a termination, or exit code 137 with event SystemOOM on the node.",
        "Raise resources.limits.memory, or make the program use less.",
    ),
    row(
        Cause::EphemeralStorageExceeded,
        "EphemeralStorageExceeded",
        C::Resource,
        R::No,
        "The Pod wrote more to local storage than it may.",
        "The kubelet evicted it for a limit of its own (emptyDir sizeLimit, ephemeral-storage).",
        "Raise the emptyDir's sizeLimit or limits.ephemeral-storage, or write to a volume that is large enough.",
    ),
    row(
        Cause::Unschedulable,
        "Unschedulable",
        C::Resource,
        R::Maybe,
        "No node could take the Pod.",
        "The Pod had no node, and its condition PodScheduled says Unschedulable, or nothing.",
        "Compare the Pod's requests, selectors and tolerations with the nodes; add capacity or ask for less.",
    ),
    row(
        Cause::DeviceUnavailable,
        "DeviceUnavailable",
        C::Resource,
        R::Maybe,
        "A device (a GPU, for example) that the Pod asks for was not to be had.",
        "Messages about resource claims or devices from the scheduler or the kubelet.",
        "Check that nodes offer the device and that it is healthy and free: ResourceClaims, device plugin, node allocatable.",
    ),
    row(
        Cause::QuotaExceeded,
        "QuotaExceeded",
        C::Resource,
        R::Maybe,
        "The namespace's quota left no room for the Pod, so it was never created.",
        "Event FailedCreate on the Job that names a quota.",
        "Free or raise the ResourceQuota named in the message (kubectl describe quota).",
    ),
    row(
        Cause::ImagePull,
        "ImagePull",
        C::Configuration,
        R::Maybe,
        "The image could not be pulled.",
        "The container waited with ErrImagePull, ImagePullBackOff, InvalidImageName or their kin and never started.",
        "Check the image's name and tag, imagePullSecrets, and that nodes reach the registry.",
    ),
    row(
        Cause::ContainerConfig,
        "ContainerConfig",
        C::Configuration,
        R::No,
        "The container's configuration is wrong: a ConfigMap, Secret or key that does not exist, for example.",
        "The container waited with CreateContainerConfigError.",
        "Create the object the message names, or correct the reference to it.",
    ),
    row(
        Cause::ContainerStart,
        "ContainerStart",
        C::Configuration,
        R::No,
        "The container's command could not be started.",
        "StartError, ContainerCannotRun, CreateContainerError, RunContainerError, a failed hook, or exit code 126, 127 or 128.",
        "Check command, args and workingDir against what the image holds, and that the file is executable there.",
    ),
    row(
        Cause::VolumeUnavailable,
        "VolumeUnavailable",
        C::Configuration,
        R::Maybe,
        "A volume could not be had.",
        "The scheduler's message names a PersistentVolumeClaim, or event FailedMount, FailedAttachVolume or FailedMapVolume.",
        "Check that the PersistentVolumeClaim, Secret or ConfigMap of the volume exists, is bound and can be attached to that node.",
    ),
    row(
        Cause::SidecarBlockedCompletion,
        "SidecarBlockedCompletion",
        C::Configuration,
        R::No,
        "The main container was done, but another one of the Pod never ended.",
        "The default container had terminated with 0 while another container of the Pod was still running.",
        "Make the other container a native sidecar: move it to initContainers with restartPolicy: Always.",
    ),
    row(
        Cause::AdmissionDenied,
        "AdmissionDenied",
        C::Policy,
        R::No,
        "The cluster refused to create the Pod.",
        "Event FailedCreate on the Job that names no quota.",
        "Read the message: a missing ServiceAccount, a Pod Security violation, a webhook or a policy refused the Pod.",
    ),
    row(
        Cause::SchedulingGated,
        "SchedulingGated",
        C::Policy,
        R::No,
        "The Pod was held back by a scheduling gate.",
        "The Pod had no node, and its condition PodScheduled says SchedulingGated.",
        "Find out who should have removed the Pod's schedulingGates: a queue controller, for example.",
    ),
    row(
        Cause::Preempted,
        "Preempted",
        C::Policy,
        R::Yes,
        "The Pod had to make room for one of higher priority.",
        "Condition DisruptionTarget with PreemptionByScheduler, or status.reason Preempting.",
        "Run it again; give it a higher PriorityClass if it must not be preempted.",
    ),
    row(
        Cause::PodDeleted,
        "PodDeleted",
        C::Policy,
        R::Yes,
        "Somebody deleted the Pod.",
        "A request to delete it came before the verdict, from neither the Job controller nor a known disruption.",
        "Run it again; the API server's audit log tells who deleted the Pod.",
    ),
    row(
        Cause::NodePressure,
        "NodePressure",
        C::Infrastructure,
        R::Yes,
        "The node ran short of memory, disk or process ids and evicted the Pod.",
        "status.reason Evicted with condition DisruptionTarget, or a node condition named in the message.",
        "Run it again; set requests that match what the Pod uses so that it lands where there is room.",
    ),
    row(
        Cause::NodeDrained,
        "NodeDrained",
        C::Infrastructure,
        R::Yes,
        "The Pod was evicted from its node: a drain, an upgrade, a scale-down.",
        "Condition DisruptionTarget with EvictionByEvictionAPI, or DeletionByTaintManager while the node was ready.",
        "Run it again; a PodDisruptionBudget or a do-not-evict annotation of the autoscaler protects long runs.",
    ),
    row(
        Cause::NodeLost,
        "NodeLost",
        C::Infrastructure,
        R::Yes,
        "The node went away or lost the container.",
        "DeletionByPodGC, DeletionByTaintManager with NodeNotReady, or a container that ran and could no longer be found.",
        "Run it again; look at the node's events and at the machine itself.",
    ),
    row(
        Cause::NodeShutdown,
        "NodeShutdown",
        C::Infrastructure,
        R::Yes,
        "The node was shutting down.",
        "status.reason Terminated or NodeShutdown.",
        "Run it again; spot or preemptible nodes need Jobs that can be restarted.",
    ),
    row(
        Cause::NodeRejected,
        "NodeRejected",
        C::Infrastructure,
        R::Maybe,
        "The kubelet of the chosen node refused the Pod.",
        "The Pod failed at once with a status.reason of the kubelet's admission (OutOfcpu, NodeAffinity, ...).",
        "Read the message: the node had no room after all, or does not support what the Pod asks for.",
    ),
    row(
        Cause::SandboxFailed,
        "SandboxFailed",
        C::Infrastructure,
        R::Yes,
        "The Pod's sandbox or network could not be set up.",
        "Event FailedCreatePodSandBox, NetworkNotReady or FailedCreatePodContainer, and no container ever started.",
        "Look at the network plugin and the container runtime of that node.",
    ),
    row(
        Cause::StuckTerminating,
        "StuckTerminating",
        C::Infrastructure,
        R::Maybe,
        "The Pod was being deleted and would not go.",
        "At the verdict the Pod had been asked to end for longer than its grace period and still stood.",
        "Look for finalizers on the Pod, for a node that does not answer and for volumes that do not detach.",
    ),
    row(
        Cause::RanTooLong,
        "RanTooLong",
        C::Timeout,
        R::No,
        "It was still working when its time was up.",
        "A container was running normally when activeDeadlineSeconds, the Job's or the Pod's, had passed.",
        "Find out what it was doing; make it faster, split the work, or raise activeDeadlineSeconds.",
    ),
    row(
        Cause::SlowStart,
        "SlowStart",
        C::Timeout,
        R::Maybe,
        "No container had started when its time was up, and nothing tells of an error.",
        "No container was seen running, and no condition, waiting reason or event names an error.",
        "See what took the time: a large image, a slow volume, init containers; raise activeDeadlineSeconds if that is normal.",
    ),
    row(
        Cause::NoPodsCreated,
        "NoPodsCreated",
        C::Infrastructure,
        R::Maybe,
        "No Pod was ever created, and nothing tells why.",
        "No Pod was seen and no event FailedCreate.",
        "Check that kube-controller-manager is healthy and that the namespace is not being deleted.",
    ),
    row(
        Cause::Unknown,
        "Unknown",
        C::Unknown,
        R::Maybe,
        "The evidence does not tell.",
        "No rule matched.",
        "Look at the Job's Pods, events and logs if they still exist; check that the collector may list and watch Pods and Events.",
    ),
];

impl Cause {
    /// Its row in the table.
    pub fn info(self) -> &'static CauseInfo {
        // In the order of the enum; a test holds that.
        &CAUSES[self as usize]
    }

    /// Its name in events and on points.
    pub fn as_str(self) -> &'static str {
        self.info().name
    }

    /// The cause of that name.
    pub fn from_name(name: &str) -> Option<Cause> {
        CAUSES.iter().find(|info| info.name == name).map(|info| info.cause)
    }

    /// What kind of cause it is.
    pub fn category(self) -> Category {
        self.info().category
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_enum_and_names_each_cause_once() {
        for (place, info) in CAUSES.iter().enumerate() {
            assert_eq!(info.cause as usize, place, "{}", info.name);
            assert_eq!(info.name, format!("{:?}", info.cause));
            assert_eq!(Cause::from_name(info.name), Some(info.cause));
            assert_eq!(serde_json::to_value(info.cause).unwrap(), info.name);
            for text in [info.meaning, info.evidence, info.next_step] {
                assert!(text.ends_with('.'), "{}: {text}", info.name);
            }
        }
        assert_eq!(Cause::from_name("Error"), None);
    }
}
