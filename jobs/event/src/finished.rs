//! The event of a finished Job as connectors read it: typed, without its evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde::Deserialize;

use crate::any_value::from_any_value;
use crate::attributes as attr;
use crate::evidence::PreviousRun;
use crate::otlp::{self, DecodeError};
use crate::outcome::Outcome;
use crate::trace::Traceparent;

/// The event of a finished Job.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// `log.record.uid`: the Job's UID.
    pub uid: String,
    /// The Job's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The verdict condition's reason, verbatim; `None` unless it failed. May be empty.
    pub reason: Option<String>,
    /// The cause; `None` unless it failed and was judged.
    pub cause: Option<String>,
    /// The category of the cause.
    pub category: Option<String>,
    /// `status.startTime` of the Job.
    pub start: Option<Timestamp>,
    /// The time of the verdict.
    pub decided: Option<Timestamp>,
    /// From start to verdict, seconds.
    pub duration_s: Option<f64>,
    /// The attempts that ended, oldest first; at most the latest 100.
    pub attempts: Vec<FinishedAttempt>,
    /// How many attempts failed, by cause; all of them.
    pub attempt_failures: BTreeMap<String, u64>,
    /// The span that started the Job.
    pub traceparent: Option<Traceparent>,
    /// The previous run of its CronJob, if it was seen.
    pub previous: Option<PreviousRun>,
}

/// One attempt of a finished Job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FinishedAttempt {
    /// The Pod's name.
    pub pod: String,
    /// The Pod's UID.
    pub uid: String,
    /// The container that explains the outcome best.
    pub container: Option<String>,
    /// The role of that container: `main`, `init` or `sidecar`.
    pub role: Option<String>,
    /// The exit code of that container.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How the attempt ended: `failed`, `succeeded` or `stopped`.
    pub outcome: String,
    /// The cause, if it failed.
    pub cause: Option<String>,
    /// The first start of a container.
    pub start: Option<Timestamp>,
    /// The end of the attempt.
    pub end: Option<Timestamp>,
    /// The completion index.
    pub index: Option<String>,
    /// The node it ran on.
    pub node: Option<String>,
}

impl Finished {
    /// Reads the event; `None` if the record is not an event of a finished Job.
    ///
    /// # Errors
    /// If the record has the event's name but lacks its UID or outcome, or an attribute has another form.
    pub fn read(record: &LogRecord) -> Result<Option<Finished>, DecodeError> {
        if record.event_name != attr::EVENT_NAME {
            return Ok(None);
        }
        let attributes = &record.attributes;
        let text = |name| otlp::find_text(attributes, name).map(str::to_owned);
        let outcome = otlp::find_text(attributes, attr::OUTCOME).ok_or(DecodeError::Missing(attr::OUTCOME))?;
        Ok(Some(Finished {
            uid: text(attr::RECORD_UID).ok_or(DecodeError::Missing(attr::RECORD_UID))?,
            name: text(attr::JOB_NAME).unwrap_or_default(),
            outcome: Outcome::from_name(outcome).ok_or_else(|| DecodeError::Invalid {
                name: attr::OUTCOME,
                found: format!("{outcome:?}"),
                expected: "Succeeded, Failed, Deleted or Replaced",
            })?,
            reason: text(attr::FAILURE_REASON),
            cause: text(attr::FAILURE_CAUSE),
            category: text(attr::FAILURE_CATEGORY),
            start: time(attributes, attr::START_TIME)?,
            decided: time(attributes, attr::DECISION_TIME)?,
            duration_s: number(attributes, attr::DURATION)?,
            attempts: structure(attributes, attr::ATTEMPTS, "an array of maps")?,
            attempt_failures: structure(attributes, attr::ATTEMPT_FAILURES, "a map from cause to count")?,
            // Users write it, and an invalid one must not lose the event.
            traceparent: otlp::find_text(attributes, attr::TRACEPARENT).and_then(|text| text.parse().ok()),
            previous: structure(attributes, attr::CRONJOB_PREVIOUS, "a map with a UID")?,
        }))
    }
}

fn time(attributes: &[KeyValue], name: &'static str) -> Result<Option<Timestamp>, DecodeError> {
    let Some(text) = otlp::find_text(attributes, name) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| DecodeError::Invalid {
        name,
        found: format!("{text:?}"),
        expected: "a time of RFC 3339",
    })
}

fn number(attributes: &[KeyValue], name: &'static str) -> Result<Option<f64>, DecodeError> {
    match otlp::find(attributes, name).map(|value| &value.value) {
        None => Ok(None),
        Some(Some(Value::DoubleValue(number))) => Ok(Some(*number)),
        Some(Some(Value::IntValue(number))) => Ok(Some(*number as f64)),
        Some(other) => Err(DecodeError::Invalid {
            name,
            found: format!("{other:?}"),
            expected: "a number",
        }),
    }
}

fn structure<'a, T: Deserialize<'a> + Default>(
    attributes: &'a [KeyValue],
    name: &'static str,
    expected: &'static str,
) -> Result<T, DecodeError> {
    let Some(value) = otlp::find(attributes, name) else {
        return Ok(T::default());
    };
    from_any_value(value).map_err(|error| DecodeError::Invalid {
        name,
        found: format!("a value of another form ({error})"),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Condition, Evidence, Job, JobStatus};

    fn failed_event() -> LogRecord {
        let start: Timestamp = "2026-11-23T16:14:16Z".parse().unwrap();
        let evidence = Evidence {
            job: Job {
                name: "j".into(),
                uid: "u-1".into(),
                status: JobStatus {
                    start_time: Some(start),
                    conditions: vec![Condition {
                        kind: "FailureTarget".into(),
                        is_true: true,
                        reason: "DeadlineExceeded".into(),
                        since: Some("2026-11-23T16:14:26Z".parse().unwrap()),
                        ..Default::default()
                    }],
                    ..Default::default()
                },
                ..Default::default()
            },
            pods: vec![],
            events: vec![],
            gaps: vec![],
        };
        let mut resource = otlp::encode(&evidence, None, "2026-11-23T16:14:27Z".parse().unwrap());
        resource.scope_logs.remove(0).log_records.remove(0)
    }

    #[test]
    fn evidence_has_the_shape_of_its_json() {
        let record = failed_event();
        let evidence = otlp::evidence(&record).unwrap();
        let value = otlp::find(&record.attributes, attr::EVIDENCE).unwrap();
        let json: serde_json::Value = from_any_value(value).unwrap();
        assert_eq!(json, serde_json::to_value(&evidence).unwrap());
        assert_eq!(json["job"]["status"]["start_time"], "2026-11-23T16:14:16Z");
    }

    #[test]
    fn reads_what_the_receiver_encodes() {
        let finished = Finished::read(&failed_event()).unwrap().unwrap();
        assert_eq!(finished.uid, "u-1");
        assert_eq!(finished.outcome, Outcome::Failed);
        assert_eq!(finished.reason.as_deref(), Some("DeadlineExceeded"));
        assert_eq!(finished.cause, None);
        assert_eq!(finished.duration_s, Some(10.0));
        assert_eq!(finished.start.unwrap().to_string(), "2026-11-23T16:14:16Z");
        assert!(finished.attempts.is_empty());
    }

    #[test]
    fn an_invalid_event_is_an_error_that_names_the_attribute() {
        let mut record = failed_event();
        otlp::set(&mut record.attributes, otlp::text(attr::OUTCOME, "Exploded"));
        let error = Finished::read(&record).unwrap_err().to_string();
        assert_eq!(
            error,
            "attribute k8s.job.outcome holds \"Exploded\", expected Succeeded, Failed, Deleted or Replaced"
        );
        otlp::remove(&mut record.attributes, attr::OUTCOME);
        assert!(Finished::read(&record).unwrap_err().to_string().contains("missing"));
        record.event_name = "something.else".into();
        assert_eq!(Finished::read(&record).unwrap(), None);
    }

    #[test]
    fn setting_an_attribute_replaces_it() {
        let mut attributes = vec![otlp::text("a", "1"), otlp::text("b", "2")];
        otlp::set(&mut attributes, otlp::text("a", "3"));
        otlp::set(&mut attributes, otlp::text("c", "4"));
        assert_eq!(otlp::find_text(&attributes, "a"), Some("3"));
        assert_eq!(attributes.len(), 3);
    }
}
