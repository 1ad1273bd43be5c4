//! A record as Events.

use jiff::Timestamp;
use job_event::Outcome;
use job_event::attributes as attr;
use job_event::otlp::find_text;
use job_watch::model::OWN_COMPONENT;
use k8s_openapi::api::core::v1::{Event, EventSource};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use crate::involved::{self, InvolvedObject};
use crate::message::message;
use crate::name::event_name;
use crate::reason::reason;
use crate::select::RecordKind;

/// The Events of a record, the one about the Job first. `instance` is the `reportingInstance`.
///
/// # Errors
/// The attribute that is missing or invalid.
pub(crate) fn events(resource: &[KeyValue], record: &LogRecord, instance: &str) -> Result<Vec<Event>, String> {
    let name = &record.event_name;
    let kind = RecordKind::of(name).ok_or_else(|| format!("the event {name} is none about Jobs"))?;
    let attributes = &record.attributes;
    let uid = find_text(attributes, attr::RECORD_UID)
        .ok_or_else(|| format!("the event {name} lacks the attribute {}", attr::RECORD_UID))?;
    let objects = involved::objects(kind, resource, attributes)?;
    let event = |object: InvolvedObject| Event {
        metadata: ObjectMeta {
            name: Some(event_name(&object, uid)),
            namespace: Some(object.namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: object.reference(),
        type_: Some(event_type(kind, attributes).into()),
        reason: Some(reason(kind, attributes)),
        message: Some(message(sentence(record), next_step(kind, attributes), &object)),
        source: Some(EventSource {
            component: Some(OWN_COMPONENT.into()),
            host: None,
        }),
        reporting_component: Some(OWN_COMPONENT.into()),
        reporting_instance: Some(instance.into()),
        first_timestamp: time(record),
        last_timestamp: time(record),
        count: Some(1),
        ..Event::default()
    };
    Ok(objects.into_iter().map(event).collect())
}

fn event_type(kind: RecordKind, attributes: &[KeyValue]) -> &'static str {
    match kind {
        RecordKind::Recovered => "Normal",
        RecordKind::Finished if find_text(attributes, attr::OUTCOME) != Some(Outcome::Failed.as_str()) => "Normal",
        RecordKind::Finished | RecordKind::Stalled | RecordKind::Missed => "Warning",
    }
}

fn sentence(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

fn next_step(kind: RecordKind, attributes: &[KeyValue]) -> Option<&str> {
    match kind {
        RecordKind::Finished => find_text(attributes, attr::FAILURE_NEXT_STEP),
        RecordKind::Stalled => find_text(attributes, attr::STALL_NEXT_STEP),
        RecordKind::Recovered | RecordKind::Missed => None,
    }
}

/// The time of the record in whole seconds, as the API server stores it.
fn time(record: &LogRecord) -> Option<Time> {
    let nanos = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        nanos => nanos,
    };
    let second = i64::try_from(nanos / 1_000_000_000).ok().filter(|second| *second > 0)?;
    Timestamp::from_second(second).ok().map(Time)
}

#[cfg(test)]
mod tests {
    use job_event::otlp::text;
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use serde_json::{Value as Json, json};

    use super::*;

    const JOB: &str = "de3a51b8-55e3-4fe0-8237-514a566ec862";
    const CRONJOB: &str = "0b8e4c4e-8f3a-4c0e-9d4e-6a2f1d7c9b10";

    fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
        pairs.iter().map(|(key, value)| text(key, value)).collect()
    }

    fn made(event: &str, body: &str, resource: &[(&str, &str)], record: &[(&str, &str)]) -> Result<Json, String> {
        let record = LogRecord {
            event_name: event.into(),
            time_unix_nano: 1_795_450_466_987_000_000,
            body: Some(AnyValue {
                value: Some(Value::StringValue(body.into())),
            }),
            attributes: attributes(record),
            ..LogRecord::default()
        };
        let events = events(&attributes(resource), &record, "collector-7f9c")?;
        Ok(serde_json::to_value(events).unwrap())
    }

    fn failed_run() -> Vec<(&'static str, &'static str)> {
        vec![
            (attr::RECORD_UID, JOB),
            (attr::JOB_NAME, "report-29"),
            (attr::JOB_UID, JOB),
            (attr::CRONJOB_UID, CRONJOB),
            (attr::OUTCOME, "Failed"),
            (attr::FAILURE_REASON, "BackoffLimitExceeded"),
            (attr::FAILURE_CAUSE, "OutOfMemory"),
            (attr::FAILURE_NEXT_STEP, "Raise resources.limits.memory."),
        ]
    }

    const RUN: [(&str, &str); 2] = [(attr::NAMESPACE_NAME, "shop"), (attr::CRONJOB_NAME, "report")];
    const BODY: &str = "Job report-29: Failed after 3 attempts: container main ran out of memory.";

    #[test]
    fn a_failed_run_is_written_onto_job_and_cronjob() {
        let found = made(attr::EVENT_NAME, BODY, &RUN, &failed_run()).unwrap();
        assert_eq!(
            found[0],
            json!({
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": found[0]["metadata"]["name"], "namespace": "shop"},
                "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "shop", "name": "report-29", "uid": JOB},
                "type": "Warning",
                "reason": "OutOfMemory",
                "message": "Failed after 3 attempts: container main ran out of memory. Next step: Raise \
                            resources.limits.memory.",
                "source": {"component": "kube-job-collector"},
                "reportingComponent": "kube-job-collector",
                "reportingInstance": "collector-7f9c",
                "firstTimestamp": "2026-11-23T16:14:26Z",
                "lastTimestamp": "2026-11-23T16:14:26Z",
                "count": 1,
            })
        );
        assert_eq!(found.as_array().unwrap().len(), 2);
        assert_eq!(
            found[1]["involvedObject"],
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "namespace": "shop", "name": "report", "uid": CRONJOB})
        );
        assert_eq!(found[1]["reason"], "OutOfMemory");
        let message = found[1]["message"].as_str().unwrap();
        assert!(
            message.starts_with("Job report-29: Failed after 3 attempts"),
            "{message}"
        );
        assert_ne!(found[0]["metadata"]["name"], found[1]["metadata"]["name"]);
    }

    #[test]
    fn an_event_without_a_cronjob_is_about_the_job_only() {
        for resource in [&RUN[..1], &[(attr::NAMESPACE_NAME, "shop"), (attr::JOB_NAME, "report")]] {
            let found = made(attr::EVENT_NAME, BODY, resource, &failed_run()).unwrap();
            assert_eq!(found.as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn a_missed_run_is_about_the_cronjob() {
        let record = [
            (attr::RECORD_UID, "c/missed/2026-11-28T10:05:00Z"),
            (attr::CRONJOB_UID, CRONJOB),
            (attr::MISSED_REASON, "ConcurrencyForbidden"),
        ];
        let found = made(attr::MISSED_EVENT, "CronJob report: Missed 1 run.", &RUN, &record).unwrap();
        assert_eq!(found.as_array().unwrap().len(), 1);
        assert_eq!(found[0]["involvedObject"]["uid"], CRONJOB);
        assert_eq!(found[0]["message"], "Missed 1 run.");
        assert_eq!(found[0]["reason"], "MissedRunConcurrencyForbidden");
    }

    #[test]
    fn only_failures_stalls_and_missed_runs_are_warnings() {
        let of = |event, outcome| {
            let mut record = failed_run();
            record.push((attr::STALL_CAUSE, "ImagePull"));
            record[4].1 = outcome;
            made(event, BODY, &RUN, &record).unwrap()[0]["type"].clone()
        };
        assert_eq!(of(attr::EVENT_NAME, "Failed"), "Warning");
        assert_eq!(of(attr::STALLED_EVENT, ""), "Warning");
        assert_eq!(of(attr::MISSED_EVENT, ""), "Warning");
        assert_eq!(of(attr::EVENT_NAME, "Succeeded"), "Normal");
        assert_eq!(of(attr::EVENT_NAME, "Deleted"), "Normal");
        assert_eq!(of(attr::RECOVERED_EVENT, "Failed"), "Normal");
    }

    #[test]
    fn names_the_attribute_that_is_missing() {
        for key in [attr::RECORD_UID, attr::JOB_NAME, attr::JOB_UID] {
            let record: Vec<_> = failed_run().into_iter().filter(|(found, _)| *found != key).collect();
            let error = made(attr::EVENT_NAME, BODY, &RUN, &record).unwrap_err();
            assert_eq!(error, format!("the event k8s.job.finished lacks the attribute {key}"));
        }
        let error = made(attr::EVENT_NAME, BODY, &[], &failed_run()).unwrap_err();
        assert_eq!(
            error,
            "the event k8s.job.finished lacks the attribute k8s.namespace.name"
        );
        let error = made(attr::MISSED_EVENT, BODY, &RUN[..1], &failed_run()).unwrap_err();
        assert_eq!(
            error,
            "the event k8s.cronjob.missed lacks the attribute k8s.cronjob.name"
        );
        let error = made(attr::EVENT_NAME, BODY, &[(attr::NAMESPACE_NAME, "a/b")], &failed_run()).unwrap_err();
        assert_eq!(
            error,
            "the event k8s.job.finished has the attribute k8s.namespace.name \"a/b\", expected the name of a namespace"
        );
    }
}
