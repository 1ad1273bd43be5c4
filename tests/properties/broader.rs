//! The broader cause that replaces a specific one when the evidence for that is missing.

use job_judge::Cause;

/// A broader cause that may replace a cause.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The cause that all of the evidence gives.
    pub cause: Cause,
    /// The broader cause.
    pub broader: &'static [Cause],
    /// The missing evidence.
    pub missing: &'static str,
}

const fn row(cause: Cause, broader: &'static [Cause], missing: &'static str) -> Row {
    Row {
        cause,
        broader,
        missing,
    }
}

/// Without Events.
pub(crate) const WITHOUT_EVENTS: [Row; 12] = [
    row(
        Cause::ProbeFailed,
        &[Cause::Killed, Cause::NonZeroExit],
        "`Unhealthy`; what remains is how the container ended",
    ),
    row(
        Cause::ContainerStart,
        &[Cause::Killed, Cause::NonZeroExit, Cause::SlowStart],
        "`FailedPostStartHook`; what remains is how the container ended; `Failed`, if no waiting reason was seen",
    ),
    row(
        Cause::OutOfMemory,
        &[Cause::Killed, Cause::NonZeroExit, Cause::SlowStart],
        "`SystemOOM` or `OOMKilling` of the node (what remains is the signal, or the failure of the work beside that side \
         container); `Failed`, if no waiting reason was seen",
    ),
    row(
        Cause::RuntimeFailed,
        &[Cause::ContainerStart, Cause::SlowStart],
        "`FailedCreatePodSandBox`; `Failed`, if the waiting reason has no message or was not seen",
    ),
    row(
        Cause::Preempted,
        &[Cause::PodDeleted],
        "`Preempted`, before Kubernetes 1.26; since then a condition says the same",
    ),
    row(
        Cause::NodeDrained,
        &[Cause::PodDeleted],
        "`TaintManagerEviction`, before Kubernetes 1.26; since then a condition says the same",
    ),
    row(
        Cause::QuotaExceeded,
        &[Cause::NoPodsCreated, Cause::AdmissionDenied],
        "`FailedCreate`, or the one about the quota, where a later one is about the API server",
    ),
    row(Cause::AdmissionDenied, &[Cause::NoPodsCreated], "`FailedCreate`"),
    row(
        Cause::VolumeUnavailable,
        &[Cause::SlowStart],
        "`FailedMount`, `FailedAttachVolume`, `FailedMapVolume`",
    ),
    row(
        Cause::DeviceUnavailable,
        &[Cause::SlowStart],
        "`FailedPrepareDynamicResources`, `FailedResourceClaimCreation`",
    ),
    row(
        Cause::SandboxFailed,
        &[Cause::SlowStart],
        "`FailedCreatePodSandBox`, `NetworkNotReady`, `FailedCreatePodContainer`",
    ),
    row(
        Cause::NodeLost,
        &[Cause::NodeDrained, Cause::StuckTerminating, Cause::RanTooLong],
        "`NodeNotReady`; what remains is the eviction, the deletion or the container that ran",
    ),
];

/// From the last versions of what exists.
pub(crate) const JOINED_LATE: [Row; 1] = [row(
    Cause::OutOfMemory,
    &[Cause::Killed],
    "the run that ended `OOMKilled`, where another one ended `Error`, 137",
)];

/// From those, when Events have expired.
pub(crate) const JOINED_LATE_WITHOUT_EVENTS: [Row; 5] = [
    row(Cause::ImagePull, &[Cause::SlowStart], ERASED),
    row(Cause::ContainerConfig, &[Cause::SlowStart], ERASED),
    row(Cause::ContainerStart, &[Cause::SlowStart], ERASED),
    row(Cause::OutOfMemory, &[Cause::SlowStart], ERASED),
    row(Cause::RuntimeFailed, &[Cause::SlowStart], ERASED),
];

/// From the last versions of the objects that exist, and the Events of deleted Pods.
pub(crate) const LATE_LOOK: [Row; 8] = [
    row(
        Cause::ImagePull,
        &[Cause::SlowStart],
        "every Event of the failed pull; what remains is that the pull began",
    ),
    row(Cause::OutOfMemory, &[Cause::NonZeroExit, Cause::Killed], EXIT),
    row(Cause::Killed, &[Cause::NonZeroExit], EXIT),
    row(Cause::Crashed, &[Cause::NonZeroExit], EXIT),
    row(Cause::ContainerStart, &[Cause::NonZeroExit], EXIT),
    row(
        Cause::NonZeroExit,
        &[Cause::SidecarBlockedCompletion],
        "the exit code of the main container; what remains is that it had ended while another container kept the Pod running",
    ),
    row(
        Cause::SidecarBlockedCompletion,
        &[Cause::RanTooLong],
        "every Event of the container that had ended",
    ),
    row(
        Cause::SidecarFailed,
        &[Cause::Killed, Cause::NonZeroExit],
        "the end of the work; what remains is the exit code of the side container in the message of the Pod failure policy",
    ),
];

const EXIT: &str = "the exit code; what remains is that the kubelet restarted the container repeatedly, which it does only for an exit code other than 0";

const ERASED: &str = "the waiting reason, which is lost when the Pod is deleted, and the Events about it";

/// With a field that is absent or has an unknown value.
pub(crate) const NOT_UNDERSTOOD: [Row; 19] = [
    row(
        Cause::ProbeFailed,
        &[Cause::Killed, Cause::NonZeroExit],
        "the Event's reason, message or object, or the time of the end",
    ),
    row(
        Cause::OutOfMemory,
        &[
            Cause::Killed,
            Cause::NonZeroExit,
            Cause::ContainerStart,
            Cause::SandboxFailed,
            Cause::SlowStart,
        ],
        "the reason `OOMKilled`, or the Event `SystemOOM`; the runtime's message, or its waiting reason",
    ),
    row(Cause::Crashed, &[Cause::Killed], "the reason `seccomp killed`"),
    row(
        Cause::NonZeroExit,
        &[Cause::NodeDrained],
        "the end of the container, which came before the eviction",
    ),
    row(
        Cause::ContainerStart,
        &[Cause::Killed, Cause::SlowStart, Cause::NonZeroExit],
        "the Event of the failed hook; the waiting reason or the termination; the time or the message of the end",
    ),
    row(
        Cause::ContainerConfig,
        &[Cause::SlowStart, Cause::ContainerStart],
        "the waiting reason; the runtime's message",
    ),
    row(
        Cause::RuntimeFailed,
        &[
            Cause::ContainerStart,
            Cause::ContainerConfig,
            Cause::SandboxFailed,
            Cause::SlowStart,
        ],
        "the message of the runtime or the kubelet; the waiting reason and the Event `Failed`; the Event `FailedCreatePodSandBox`",
    ),
    row(Cause::ImagePull, &[Cause::SlowStart], "the waiting reason"),
    row(
        Cause::QuotaExceeded,
        &[Cause::AdmissionDenied, Cause::NoPodsCreated],
        "the Event's message; the whole Event",
    ),
    row(
        Cause::AdmissionDenied,
        &[Cause::NoPodsCreated],
        "the Event's reason or object",
    ),
    row(
        Cause::VolumeUnavailable,
        &[Cause::SlowStart, Cause::Unschedulable, Cause::ContainerStart],
        "the Event's reason or object; the message of the scheduler or the runtime",
    ),
    row(
        Cause::DeviceUnavailable,
        &[
            Cause::SlowStart,
            Cause::Unschedulable,
            Cause::NodeRejected,
            Cause::PodDeleted,
            Cause::ContainerStart,
        ],
        "the Event's reason or object; the message of the scheduler, the kubelet or the runtime; the condition `DisruptionTarget`",
    ),
    row(
        Cause::SandboxFailed,
        &[Cause::SlowStart],
        "the Event's reason or object",
    ),
    row(
        Cause::NodeLost,
        &[
            Cause::Killed,
            Cause::NodeDrained,
            Cause::PodDeleted,
            Cause::RanTooLong,
            Cause::NonZeroExit,
        ],
        "the conditions `Ready` or `DisruptionTarget`; the reason `ContainerStatusUnknown` or `Unknown`",
    ),
    row(Cause::StuckTerminating, &[Cause::RanTooLong], "`deletionTimestamp`"),
    row(
        Cause::SchedulingGated,
        &[Cause::Unschedulable, Cause::SlowStart],
        "the condition's reason; the condition",
    ),
    row(
        Cause::SidecarBlockedCompletion,
        &[Cause::RanTooLong],
        "that the work had ended",
    ),
    row(
        Cause::NodeDrained,
        &[Cause::PodDeleted],
        "the condition `DisruptionTarget`",
    ),
    row(
        Cause::Preempted,
        &[Cause::PodDeleted],
        "the condition `DisruptionTarget`",
    ),
];

/// True if `found` may replace `known`: it is the same, or in the table, or, where there is a table at all, unknown.
pub(crate) fn allows(table: &[Row], known: Cause, found: Cause) -> bool {
    let in_table = || {
        table
            .iter()
            .any(|row| row.cause == known && row.broader.contains(&found))
    };
    known == found || in_table() || (!table.is_empty() && found == Cause::Unknown)
}

/// `docs/evidence.md`.
fn page() -> String {
    let mut page = String::from(
        "# When evidence is missing\n\n\
         A cause needs proof. Without it the event has a broader cause or `Unknown`, never another specific one; outcome and\n\
         reason stay, because the Job itself contains them. `tests/properties` checks every recording against these tables; a\n\
         cause in none of them stays the same or becomes `Unknown`.\n\n\
         These never change a verdict: the order of Jobs, CronJobs, Pods and Events, if all arrive within `settle_time` of the\n\
         verdict; repeated updates; clocks of nodes that are a minute off; conditions that are not `True`.\n",
    );
    for (title, text, table) in [
        (
            "Without Events",
            "Listing Events is forbidden, or they have expired (after an hour, by default), or were dropped by a busy cluster.",
            WITHOUT_EVENTS.as_slice(),
        ),
        (
            "Joined late",
            "The collector started, or was cut off, while the Job ran: what it lists is the last version of each object. The\n\
             event then says `k8s.job.evidence.quality: partial`. A Job that was gone by then is reported as `Deleted`, unless\n\
             an Event still contains its verdict. For expired Events the table above applies.",
            &[JOINED_LATE.as_slice(), &JOINED_LATE_WITHOUT_EVENTS].concat(),
        ),
        (
            "After Pods are deleted",
            "`explain` ran, or the collector started, when the Pods of the Job were already deleted. Their Events remain, and no\n\
             Event has an exit code. A verdict that Events prove has `evidence: events`. A cause that they do not prove becomes\n\
             `Unknown`; that includes every end of a container, except restarts until a deadline.",
            &LATE_LOOK,
        ),
        (
            "Absent or unknown",
            "A field is absent, or has a value unknown to the rules: a newer Kubernetes, another manager of Jobs, a reworded\n\
             message.",
            &NOT_UNDERSTOOD,
        ),
    ] {
        page.push_str(&format!(
            "\n## {title}\n\n{text}\n\n| cause | becomes | when this is missing |\n|---|---|---|\n"
        ));
        for row in table {
            let broader: Vec<String> = row
                .broader
                .iter()
                .map(|cause| format!("`{}`", cause.as_str()))
                .collect();
            page.push_str(&format!(
                "| `{}` | {} | {} |\n",
                row.cause.as_str(),
                broader.join(", "),
                row.missing
            ));
        }
    }
    page
}

#[test]
fn the_page_is_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/evidence.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        written,
        page(),
        "regenerate it: UPDATE_DOCS=1 cargo test --test properties"
    );
}
