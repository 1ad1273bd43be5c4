//! Which broader cause stands for a specific one when the evidence for that is missing.

use reason_enrichment_processor::Cause;

/// What may stand for a cause.
pub struct Row {
    /// The cause that all of the evidence gives.
    pub cause: Cause,
    /// What is given instead.
    pub broader: &'static [Cause],
    /// What is missing.
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
pub const WITHOUT_EVENTS: [Row; 5] = [
    row(
        Cause::ProbeFailed,
        &[Cause::Killed],
        "`Unhealthy`: the container ended with 137 or 143",
    ),
    row(Cause::QuotaExceeded, &[Cause::NoPodsCreated], "`FailedCreate`"),
    row(Cause::AdmissionDenied, &[Cause::NoPodsCreated], "`FailedCreate`"),
    row(
        Cause::VolumeUnavailable,
        &[Cause::SlowStart],
        "`FailedMount`, `FailedAttachVolume`, `FailedMapVolume`",
    ),
    row(
        Cause::SandboxFailed,
        &[Cause::SlowStart],
        "`FailedCreatePodSandBox`, `NetworkNotReady`, `FailedCreatePodContainer`",
    ),
];

/// From the last versions of what exists.
pub const JOINED_LATE: [Row; 1] = [row(
    Cause::OutOfMemory,
    &[Cause::Killed],
    "the run that ended `OOMKilled`, where another one ended `Error`, 137",
)];

/// With a field that is absent, or that says what nobody knows.
pub const NOT_UNDERSTOOD: [Row; 9] = [
    row(
        Cause::ProbeFailed,
        &[Cause::Killed],
        "the Event's reason, message or object, or the time of the end",
    ),
    row(Cause::OutOfMemory, &[Cause::Killed], "the reason `OOMKilled`"),
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
        &[Cause::SlowStart],
        "the Event's reason or object",
    ),
    row(
        Cause::SchedulingGated,
        &[Cause::Unschedulable, Cause::SlowStart],
        "the condition's reason; the condition",
    ),
    row(
        Cause::SidecarBlockedCompletion,
        &[Cause::RanTooLong],
        "that the first container had ended",
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

/// Whether `found` may stand for `known`: it is the same, or in the table, or, where there is a table at all, unknown.
pub fn allows(table: &[Row], known: Cause, found: Cause) -> bool {
    let in_table = || {
        table
            .iter()
            .any(|row| row.cause == known && row.broader.contains(&found))
    };
    known == found || in_table() || (!table.is_empty() && found == Cause::Unknown)
}
