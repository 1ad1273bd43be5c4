//! The closed set of causes, in one table. `docs/add-a-cause.md` describes how to add one.

use serde::{Deserialize, Serialize};

use crate::category::{Category, Retry};

/// Why a Job, or one attempt of it, failed or makes no progress.
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
    SidecarFailed,
    AdmissionDenied,
    SchedulingGated,
    AwaitingAdmission,
    Preempted,
    PodDeleted,
    NodePressure,
    NodeDrained,
    NodeLost,
    NodeShutdown,
    NodeRejected,
    SandboxFailed,
    RuntimeFailed,
    StuckTerminating,
    RanTooLong,
    RunningLong,
    SlowStart,
    NoPodsCreated,
    Unknown,
}

/// One row of the table of causes.
#[derive(Clone, Copy, Debug)]
pub struct CauseInfo {
    /// The cause of the row.
    pub cause: Cause,
    /// The name in events and on points. It never changes once published.
    pub name: &'static str,
    /// The kind of the cause.
    pub category: Category,
    /// The effect of a retry, unless the evidence says more ([`crate::advice`]).
    pub retry: Retry,
    /// The meaning, for a person.
    pub meaning: &'static str,
    /// The evidence that proves it.
    pub proof: &'static str,
    /// The clause of the sentence, without a full stop; [`crate::clause`] fills in the `{placeholders}`.
    pub clause: &'static str,
    /// The next step, unless the evidence says more ([`crate::advice`]).
    pub next_step: &'static str,
}

/// The table of causes, in the order of [`Cause`].
pub const CAUSES: [CauseInfo; 33] = [
    CauseInfo {
        cause: Cause::NonZeroExit,
        name: "NonZeroExit",
        category: Category::Application,
        retry: Retry::Maybe,
        meaning: "The program exited with its own error code.",
        proof: "A container terminated with an exit code that is neither a signal nor a failed start: 128 is the program's \
                own, and so are 126 and 127 after a run of two seconds or more.",
        clause: "{container} {exit}{message}",
        next_step: "Read the container's log around the time it ended; the exit code is the program's own.",
    },
    CauseInfo {
        cause: Cause::Crashed,
        name: "Crashed",
        category: Category::Application,
        retry: Retry::Maybe,
        meaning: "The program crashed.",
        proof: "Exit code 128 plus the signal of a crash (SEGV, ABRT, BUS, ILL, FPE, ...), an NTSTATUS of Windows, or a kill by seccomp.",
        clause: "{container} crashed and {exit}{message}",
        next_step: "Look for a stack trace or core dump; a native crash is a bug in the program or in a library it uses.",
    },
    CauseInfo {
        cause: Cause::ProbeFailed,
        name: "ProbeFailed",
        category: Category::Application,
        retry: Retry::Maybe,
        meaning: "The kubelet killed the container because its liveness or startup probe failed.",
        proof: "Event Unhealthy for a liveness or startup probe of the container just before it ended.",
        clause: "{container} was killed because a probe failed{message}",
        next_step: "Check the probe's command, timeout and thresholds; a Job that is busy for long needs a laxer probe or none.",
    },
    CauseInfo {
        cause: Cause::Killed,
        name: "Killed",
        category: Category::Application,
        retry: Retry::Maybe,
        meaning: "A signal ended the program, and the evidence does not show the sender.",
        proof: "Exit code 129, 130, 137 or 143, or STATUS_CONTROL_C_EXIT of Windows, without any evidence of the sender.",
        clause: "{container} {exit}; the sender of the signal is unknown{message}",
        next_step: "Look at the node's kernel log for an out-of-memory kill, and for processes in the container that send signals.",
    },
    CauseInfo {
        cause: Cause::OutOfMemory,
        name: "OutOfMemory",
        category: Category::Resource,
        retry: Retry::No,
        meaning: "The container's memory limit was exceeded or too low, or its node ran out of memory.",
        proof: "A termination with reason OOMKilled; exit code 137 with event SystemOOM or OOMKilling of the node; or a \
                message of the runtime about memory when it started the container.",
        clause: "{container} was killed because it exceeded its memory limit{message}",
        next_step: "Raise resources.limits.memory, or make the program use less.",
    },
    CauseInfo {
        cause: Cause::EphemeralStorageExceeded,
        name: "EphemeralStorageExceeded",
        category: Category::Resource,
        retry: Retry::No,
        meaning: "The Pod exceeded its limit of local storage.",
        proof: "The kubelet evicted the Pod for a limit of the Pod itself (emptyDir sizeLimit, ephemeral-storage).",
        clause: "{pod} was evicted because it exceeded its local storage limit{message}",
        next_step: "Raise the emptyDir's sizeLimit or limits.ephemeral-storage, or write to a volume that is large enough.",
    },
    CauseInfo {
        cause: Cause::Unschedulable,
        name: "Unschedulable",
        category: Category::Resource,
        retry: Retry::Maybe,
        meaning: "The Pod could not be scheduled to any node.",
        proof: "The Pod had no node, and its condition PodScheduled was Unschedulable or missing.",
        clause: "{pod} could not be scheduled{message}",
        next_step: "Compare the Pod's requests, selectors and tolerations with the nodes; add capacity or request less.",
    },
    CauseInfo {
        cause: Cause::DeviceUnavailable,
        name: "DeviceUnavailable",
        category: Category::Resource,
        retry: Retry::Maybe,
        meaning: "A device requested by the Pod (a GPU, for example) was not available.",
        proof: "Messages about resource claims or devices from the scheduler, the kubelet or the container runtime and its hooks.",
        clause: "a device requested by {pod} was not available{message}",
        next_step: "Check that nodes offer the device and that it is healthy and free: ResourceClaims, device plugin, node allocatable.",
    },
    CauseInfo {
        cause: Cause::QuotaExceeded,
        name: "QuotaExceeded",
        category: Category::Resource,
        retry: Retry::Maybe,
        meaning: "A quota of the namespace did not allow the Pod, so it was never created.",
        proof: "Event FailedCreate on the Job that names a quota which the Pod would exceed.",
        clause: "a quota prevented the creation of Pods{message}",
        next_step: "Raise the ResourceQuota named in the message, request less, or wait for other Pods to finish (kubectl \
                    describe quota).",
    },
    CauseInfo {
        cause: Cause::ImagePull,
        name: "ImagePull",
        category: Category::Configuration,
        retry: Retry::Maybe,
        meaning: "The image could not be pulled.",
        proof: "The container never started and waited with ErrImagePull, ImagePullBackOff, InvalidImageName or a similar reason.",
        clause: "image {image} could not be pulled{message}; {container} never started",
        next_step: "Check the image's name and tag, imagePullSecrets, and that nodes reach the registry.",
    },
    CauseInfo {
        cause: Cause::ContainerConfig,
        name: "ContainerConfig",
        category: Category::Configuration,
        retry: Retry::No,
        meaning: "The container's configuration is invalid: it refers to a missing ConfigMap, Secret or key, for example.",
        proof: "The container waited with CreateContainerConfigError, or the runtime's message names a mount, a user, a capability or a profile.",
        clause: "{container} could not be configured{message}",
        next_step: "Create the object the message names, or correct the reference to it.",
    },
    CauseInfo {
        cause: Cause::ContainerStart,
        name: "ContainerStart",
        category: Category::Configuration,
        retry: Retry::No,
        meaning: "The container could not be created or started, most often because of its command.",
        proof: "StartError, ContainerCannotRun, CreateContainerError, RunContainerError or a failed hook, and no message that \
                names another cause; or exit code 126 or 127 after a run of less than two seconds.",
        clause: "{container} could not be started{message}",
        next_step: "Read the message of the container runtime: if it names the command, compare command, args and workingDir \
                    with the image; otherwise look at the container runtime of that node.",
    },
    CauseInfo {
        cause: Cause::VolumeUnavailable,
        name: "VolumeUnavailable",
        category: Category::Configuration,
        retry: Retry::Maybe,
        meaning: "A volume of the Pod was not available.",
        proof: "The scheduler's message names a PersistentVolumeClaim, or event FailedMount, FailedAttachVolume or FailedMapVolume \
                with no later stage of the Pod, repeated for as long as the kubelet retries.",
        clause: "a volume of {pod} was not available{message}",
        next_step: "Check that the PersistentVolumeClaim, Secret or ConfigMap of the volume exists, is bound and can be attached to that node.",
    },
    CauseInfo {
        cause: Cause::SidecarBlockedCompletion,
        name: "SidecarBlockedCompletion",
        category: Category::Configuration,
        retry: Retry::No,
        meaning: "The work finished, but another container of the Pod kept running.",
        proof: "A container that is not a side container had ended with 0 while another regular container was still running.",
        clause: "{work} finished, but {container} kept the Pod running",
        next_step: "Make the other container a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and \
                    later), or let the work stop it when it finishes.",
    },
    CauseInfo {
        cause: Cause::SidecarFailed,
        name: "SidecarFailed",
        category: Category::Configuration,
        retry: Retry::No,
        meaning: "The work finished, but a side container failed, so the Pod counts as failed.",
        proof: "The work had ended with 0, and a side container failed, or was stopped by a signal around that time.",
        clause: "{work} finished with code 0, but {container} {exit}{message}",
        next_step: "Do not run it again, because the work is done; make the side container a native sidecar (initContainers \
                    with restartPolicy: Always, Kubernetes 1.29 and later), whose exit code does not count, or make it exit \
                    with 0 when it is stopped.",
    },
    CauseInfo {
        cause: Cause::AdmissionDenied,
        name: "AdmissionDenied",
        category: Category::Policy,
        retry: Retry::No,
        meaning: "The cluster refused to create the Pod.",
        proof: "Event FailedCreate on the Job that names no exceeded quota.",
        clause: "no Pod could be created{message}",
        next_step: "Read the message: the API server, a webhook or a policy refused the Pod; correct the Pod template, or the \
                    object it refers to.",
    },
    CauseInfo {
        cause: Cause::SchedulingGated,
        name: "SchedulingGated",
        category: Category::Policy,
        retry: Retry::No,
        meaning: "The Pod was blocked by a scheduling gate.",
        proof: "The Pod had no node, and its condition PodScheduled was SchedulingGated.",
        clause: "{pod} was blocked by a scheduling gate",
        next_step: "Find out which controller should have removed the Pod's schedulingGates: a queue controller, for example.",
    },
    CauseInfo {
        cause: Cause::AwaitingAdmission,
        name: "AwaitingAdmission",
        category: Category::Policy,
        retry: Retry::No,
        meaning: "A queue has not admitted the Job, or the controller that manages it has not started it.",
        proof: "The Job is suspended and has the label kueue.x-k8s.io/queue-name, or spec.managedBy names another controller \
                and the status shows no progress. Only stalls have this cause.",
        clause: "the Job waits for the controller that admits or runs it{message}",
        next_step: "Look at the queue of the Job (kubectl get workloads) or at the controller that spec.managedBy names.",
    },
    CauseInfo {
        cause: Cause::Preempted,
        name: "Preempted",
        category: Category::Policy,
        retry: Retry::Yes,
        meaning: "The Pod was preempted by a Pod of higher priority.",
        proof: "Condition DisruptionTarget with PreemptionByScheduler, or status.reason Preempting.",
        clause: "{pod} was preempted by a Pod of higher priority{message}",
        next_step: "Run it again; give it a higher PriorityClass if it must not be preempted.",
    },
    CauseInfo {
        cause: Cause::PodDeleted,
        name: "PodDeleted",
        category: Category::Policy,
        retry: Retry::Yes,
        meaning: "A user or another controller deleted the Pod.",
        proof: "A request to delete the Pod before the verdict, from neither the Job controller nor a known disruption.",
        clause: "{pod} was deleted by a user or another controller",
        next_step: "Run it again; the API server's audit log names the user who deleted the Pod.",
    },
    CauseInfo {
        cause: Cause::NodePressure,
        name: "NodePressure",
        category: Category::Infrastructure,
        retry: Retry::Yes,
        meaning: "The node ran low on memory, disk or process ids and evicted the Pod.",
        proof: "status.reason Evicted with condition DisruptionTarget, or a node condition named in the message.",
        clause: "{pod} was evicted because {node} ran low on resources{message}",
        next_step: "Run it again; set requests that match the Pod's usage, so that it is scheduled to a node with enough room.",
    },
    CauseInfo {
        cause: Cause::NodeDrained,
        name: "NodeDrained",
        category: Category::Infrastructure,
        retry: Retry::Yes,
        meaning: "The Pod was evicted from its node: a drain, an upgrade, a scale-down.",
        proof: "Condition DisruptionTarget with EvictionByEvictionAPI, or DeletionByTaintManager while the node was ready.",
        clause: "{pod} was evicted from {node}{message}",
        next_step: "Run it again; a PodDisruptionBudget or a do-not-evict annotation of the autoscaler protects long runs.",
    },
    CauseInfo {
        cause: Cause::NodeLost,
        name: "NodeLost",
        category: Category::Infrastructure,
        retry: Retry::Yes,
        meaning: "The node disappeared, stopped responding or lost the container.",
        proof: "DeletionByPodGC, DeletionByTaintManager with NodeNotReady, or a container that ran and could no longer be found.",
        clause: "{pod} was lost with {node}{message}",
        next_step: "Run it again; look at the node's events and at the machine itself.",
    },
    CauseInfo {
        cause: Cause::NodeShutdown,
        name: "NodeShutdown",
        category: Category::Infrastructure,
        retry: Retry::Yes,
        meaning: "The node was shutting down.",
        proof: "status.reason Terminated or NodeShutdown.",
        clause: "{pod} was terminated because {node} was shutting down{message}",
        next_step: "Run it again; spot or preemptible nodes need Jobs that can be restarted.",
    },
    CauseInfo {
        cause: Cause::NodeRejected,
        name: "NodeRejected",
        category: Category::Infrastructure,
        retry: Retry::Maybe,
        meaning: "The kubelet of the chosen node rejected the Pod.",
        proof: "The Pod failed at once with a status.reason of the kubelet's admission (OutOfcpu, NodeAffinity, ...).",
        clause: "{node} rejected {pod}{message}",
        next_step: "Read the message: the node had no room after all, or does not support a feature that the Pod requests; then run it again.",
    },
    CauseInfo {
        cause: Cause::SandboxFailed,
        name: "SandboxFailed",
        category: Category::Infrastructure,
        retry: Retry::Yes,
        meaning: "The Pod's sandbox or network could not be set up.",
        proof: "Event FailedCreatePodSandBox, NetworkNotReady or FailedCreatePodContainer with no later stage of the Pod, repeated \
                for as long as the kubelet retries.",
        clause: "the sandbox or network of {pod} could not be set up{message}",
        next_step: "Look at the network plugin and the container runtime of that node.",
    },
    CauseInfo {
        cause: Cause::RuntimeFailed,
        name: "RuntimeFailed",
        category: Category::Infrastructure,
        retry: Retry::Maybe,
        meaning: "The container runtime, its image store or the node's disk failed.",
        proof: "The container could not be created or started, and the message names the runtime, its image store, a cgroup or the disk.",
        clause: "{node} could not start {container}{message}",
        next_step: "Look at the container runtime and the disk of that node, then run it again.",
    },
    CauseInfo {
        cause: Cause::StuckTerminating,
        name: "StuckTerminating",
        category: Category::Infrastructure,
        retry: Retry::Maybe,
        meaning: "The Pod was being deleted and did not terminate.",
        proof: "At the verdict the Pod still existed, longer after the request to delete it than its grace period.",
        clause: "{pod} was being deleted and did not terminate{message}",
        next_step: "Look for finalizers on the Pod, for a node that does not respond and for volumes that do not detach.",
    },
    CauseInfo {
        cause: Cause::RanTooLong,
        name: "RanTooLong",
        category: Category::Timeout,
        retry: Retry::No,
        meaning: "The Job was still working at its deadline.",
        proof: "A container was running normally when the activeDeadlineSeconds of the Job or of the Pod had passed.",
        clause: "{container} was still running",
        next_step: "Find out what it was doing; make it faster, split the work, or raise activeDeadlineSeconds.",
    },
    CauseInfo {
        cause: Cause::RunningLong,
        name: "RunningLong",
        category: Category::Timeout,
        retry: Retry::Maybe,
        meaning: "The Job has run much longer than the earlier runs of its owner, and no obstacle is known.",
        proof: "The time since the start of the Job exceeds the limit derived from the completed runs of its owner. Only stalls \
                have this cause.",
        clause: "the Job has run longer than usual",
        next_step: "Compare its log with the log of an earlier run: the run may wait for a lock or a slow service, or have more \
                    work; set activeDeadlineSeconds to end such runs.",
    },
    CauseInfo {
        cause: Cause::SlowStart,
        name: "SlowStart",
        category: Category::Timeout,
        retry: Retry::Maybe,
        meaning: "No container had started at the deadline, and no lasting error was reported.",
        proof: "No container was seen running, and no condition, waiting reason or event names an error that lasted.",
        clause: "{container} had not started, and no lasting error was reported",
        next_step: "Find out what took the time: a large image, a slow volume, init containers; raise activeDeadlineSeconds if that is normal.",
    },
    CauseInfo {
        cause: Cause::NoPodsCreated,
        name: "NoPodsCreated",
        category: Category::Infrastructure,
        retry: Retry::Maybe,
        meaning: "No Pod was ever created, and no error was reported.",
        proof: "No Pod was seen and no event FailedCreate.",
        clause: "no Pod was ever created, and no error was reported{message}",
        next_step: "Check that kube-controller-manager is healthy and that the namespace is not being deleted.",
    },
    CauseInfo {
        cause: Cause::Unknown,
        name: "Unknown",
        category: Category::Unknown,
        retry: Retry::Maybe,
        meaning: "The evidence does not show why.",
        proof: "No rule matched.",
        clause: "the evidence does not show why{message}",
        next_step: "Look at the Job's Pods, events and logs if they still exist; check that the collector may list and watch Pods and Events.",
    },
];

impl Cause {
    /// The row of the table.
    pub fn info(self) -> &'static CauseInfo {
        &CAUSES[self as usize]
    }

    /// The name in events and on points.
    pub fn as_str(self) -> &'static str {
        self.info().name
    }

    /// The kind of the cause.
    pub fn category(self) -> Category {
        self.info().category
    }

    /// True for a cause that only stalls have, and no failed Job.
    pub fn is_only_of_stalls(self) -> bool {
        matches!(self, Cause::AwaitingAdmission | Cause::RunningLong)
    }
}
