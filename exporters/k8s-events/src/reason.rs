//! The `reason` of an Event: one word that lists show and rules select.

use job_event::attributes as attr;
use job_event::otlp::find_text;
use job_event::{Outcome, otlp};
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::select::RecordKind;

/// The most bytes of a reason (`pkg/apis/core/validation/events.go`, `ReasonLengthLimit`).
const LONGEST: usize = 128;

/// The cause of a failure itself; a prefix tells stalls and missed runs from it.
pub(crate) fn reason(kind: RecordKind, attributes: &[KeyValue]) -> String {
    let word = |key| {
        find_text(attributes, key)
            .map(camel_case)
            .filter(|word| !word.is_empty())
    };
    let reason = match kind {
        RecordKind::Finished => match otlp::find_text(attributes, attr::OUTCOME) {
            Some(outcome) if outcome != Outcome::Failed.as_str() => format!("Job{}", camel_case(outcome)),
            // Without `reason_enrichment` there is no cause.
            _ => word(attr::FAILURE_CAUSE)
                .filter(|cause| cause != "Unknown")
                .or_else(|| word(attr::FAILURE_REASON))
                .unwrap_or_else(|| "JobFailed".into()),
        },
        RecordKind::Stalled => format!("Stalled{}", word(attr::STALL_CAUSE).unwrap_or_default()),
        RecordKind::Recovered => "Recovered".into(),
        RecordKind::Missed => format!("MissedRun{}", word(attr::MISSED_REASON).unwrap_or_default()),
    };
    reason[..reason.len().min(LONGEST)].to_owned()
}

/// Only letters and digits, so that the text is one word in ASCII.
fn camel_case(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use job_event::otlp::text;

    use super::*;

    fn of(kind: RecordKind, attributes: &[(&str, &str)]) -> String {
        let attributes: Vec<KeyValue> = attributes.iter().map(|(key, value)| text(key, value)).collect();
        reason(kind, &attributes)
    }

    #[test]
    fn a_failure_has_its_cause_as_reason() {
        let failed = (attr::OUTCOME, "Failed");
        let verdict = (attr::FAILURE_REASON, "BackoffLimitExceeded");
        for (attributes, expected) in [
            (
                vec![failed, verdict, (attr::FAILURE_CAUSE, "OutOfMemory")],
                "OutOfMemory",
            ),
            (
                vec![failed, verdict, (attr::FAILURE_CAUSE, "Unknown")],
                "BackoffLimitExceeded",
            ),
            (vec![failed, verdict], "BackoffLimitExceeded"),
            (vec![failed, (attr::FAILURE_REASON, "")], "JobFailed"),
            (vec![failed, (attr::FAILURE_REASON, "two words\n")], "twowords"),
            (vec![], "JobFailed"),
            (vec![(attr::OUTCOME, "Succeeded")], "JobSucceeded"),
            (vec![(attr::OUTCOME, "Replaced")], "JobReplaced"),
        ] {
            assert_eq!(of(RecordKind::Finished, &attributes), expected);
        }
    }

    #[test]
    fn stalls_and_missed_runs_differ_from_failures() {
        let stalled = of(RecordKind::Stalled, &[(attr::STALL_CAUSE, "ImagePull")]);
        assert_eq!(stalled, "StalledImagePull");
        assert_eq!(of(RecordKind::Stalled, &[]), "Stalled");
        assert_eq!(of(RecordKind::Recovered, &[(attr::STALL_CAUSE, "A,B")]), "Recovered");
        let missed = of(RecordKind::Missed, &[(attr::MISSED_REASON, "ConcurrencyForbidden")]);
        assert_eq!(missed, "MissedRunConcurrencyForbidden");
    }

    #[test]
    fn a_reason_has_at_most_128_bytes() {
        let long = "Ü".to_owned() + &"x".repeat(300);
        assert_eq!(of(RecordKind::Finished, &[(attr::FAILURE_CAUSE, &long)]).len(), LONGEST);
    }
}
