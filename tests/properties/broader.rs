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
    Row { cause, broader, missing }
}

/// Without Events.
pub const WITHOUT_EVENTS: [Row; 4] = [
    row(Cause::ProbeFailed, &[Cause::Killed], "Unhealthy"),
    row(Cause::QuotaExceeded, &[Cause::NoPodsCreated], "FailedCreate"),
    row(Cause::AdmissionDenied, &[Cause::NoPodsCreated], "FailedCreate"),
    row(Cause::VolumeUnavailable, &[Cause::SlowStart], "FailedMount"),
];

/// From the last versions of what exists.
pub const JOINED_LATE: [Row; 2] = [
    row(Cause::OutOfMemory, &[Cause::Killed], "the run that was reported as OOMKilled"),
    row(Cause::ProbeFailed, &[Cause::Killed], "the Event Unhealthy, if it has expired"),
];

/// Whether `found` may stand for `known`: it is the same, or in the table, or, where there is a table at all, unknown.
pub fn allows(table: &[Row], known: Cause, found: Cause) -> bool {
    let in_table = || table.iter().any(|row| row.cause == known && row.broader.contains(&found));
    known == found || in_table() || (!table.is_empty() && found == Cause::Unknown)
}

/// With a field absent.
pub const FIELD_ABSENT: [Row; 1] = [row(Cause::Unknown, &[], "")];
/// With a value that nobody knows.
pub const VALUE_UNKNOWN: [Row; 1] = [row(Cause::Unknown, &[], "")];
/// With clocks of nodes that are off.
pub const CLOCKS: [Row; 1] = [row(Cause::Unknown, &[], "")];
