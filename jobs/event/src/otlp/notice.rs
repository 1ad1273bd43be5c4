//! The OTLP form of notices: events about unfinished Jobs and about runs that did not start.

use jiff::{SignedDuration, Timestamp};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, SeverityNumber};

use super::{add_extracted, any, in_trace, job_attributes, key_value, nanos, of_owner, text};
use crate::attributes as attr;
use crate::notice::{MissedRuns, Notice, RecoveredJob, StalledJob};

/// The event of a notice.
///
/// `observed` is the time at which the receiver decided to emit it.
pub fn encode_notice(notice: &Notice, cluster: Option<&str>, observed: Timestamp) -> ResourceLogs {
    let (at, mut attributes) = match notice {
        Notice::Stalled(stalled) => (stalled.at, of_stalled(notice, stalled)),
        Notice::Recovered(recovered) => (recovered.at, of_recovered(notice, recovered)),
        Notice::Missed(missed) => (missed.at, of_missed(notice, missed)),
    };
    add_extracted(&mut attributes, notice.job());
    let (severity_number, severity_text) = match notice {
        Notice::Recovered(_) => (SeverityNumber::Info, "INFO"),
        Notice::Stalled(_) | Notice::Missed(_) => (SeverityNumber::Warn, "WARN"),
    };
    let job = notice.job();
    let origin = match notice {
        Notice::Missed(_) => LogRecord::default(),
        Notice::Stalled(_) | Notice::Recovered(_) => in_trace(job),
    };
    let (kind, name) = notice.subject();
    let sentence = format!("{kind} {name}: {}", notice.summary());
    let record = LogRecord {
        time_unix_nano: nanos(at),
        observed_time_unix_nano: nanos(observed),
        severity_number: severity_number as i32,
        severity_text: severity_text.into(),
        event_name: notice.event_name().into(),
        body: Some(any(Value::StringValue(sentence))),
        attributes,
        ..origin
    };
    of_owner(job, cluster, record)
}

fn of_stalled(notice: &Notice, stalled: &StalledJob) -> Vec<KeyValue> {
    let mut attributes = job_attributes(&stalled.job, &notice.record_uid());
    attributes.extend([
        text(attr::STALL_CAUSE, stalled.cause),
        text(attr::STALL_CATEGORY, stalled.category),
        text(attr::STALL_RETRY, stalled.retry),
        text(attr::STALL_NEXT_STEP, &stalled.next_step),
    ]);
    attributes.extend(duration(stalled.since, stalled.at));
    if let Some((pod, container)) = &stalled.container {
        attributes.push(text(attr::POD_NAME, pod));
        attributes.push(text(attr::CONTAINER_NAME, container));
    }
    attributes.extend(
        stalled
            .index
            .as_deref()
            .map(|index| text(attr::COMPLETION_INDEX, index)),
    );
    attributes
}

fn of_recovered(notice: &Notice, recovered: &RecoveredJob) -> Vec<KeyValue> {
    let mut attributes = job_attributes(&recovered.job, &notice.record_uid());
    attributes.push(text(attr::STALL_CAUSE, &recovered.causes.join(",")));
    attributes.extend(duration(recovered.since, recovered.at));
    if let Some(outcome) = recovered.outcome {
        attributes.push(text(attr::OUTCOME, outcome.as_str()));
    }
    attributes
}

fn of_missed(notice: &Notice, missed: &MissedRuns) -> Vec<KeyValue> {
    let mut attributes = vec![
        text(attr::RECORD_UID, &notice.record_uid()),
        text(attr::CRONJOB_SCHEDULED, &missed.first.to_string()),
        text(attr::MISSED_LAST, &missed.last.to_string()),
        key_value(
            attr::MISSED_COUNT,
            Value::IntValue(i64::try_from(missed.count).unwrap_or(i64::MAX)),
        ),
        text(attr::MISSED_REASON, missed.reason.as_str()),
    ];
    let cronjob = missed.cronjob.cronjob.as_deref();
    let optional = [
        (attr::CRONJOB_UID, cronjob.map(|cronjob| &*cronjob.uid)),
        (
            attr::CRONJOB_SCHEDULE,
            cronjob.and_then(|cronjob| cronjob.schedule.as_deref()),
        ),
        (attr::CRONJOB_TIME_ZONE, missed.time_zone.as_deref()),
        (
            attr::MISSED_MESSAGE,
            Some(&*missed.message).filter(|message| !message.is_empty()),
        ),
    ];
    attributes.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some(text(name, value?))),
    );
    attributes
}

/// The beginning and the duration of a stall. The clocks of two machines may differ, so the end may be before the beginning.
fn duration(since: Timestamp, at: Timestamp) -> [KeyValue; 2] {
    let duration = at.duration_since(since).max(SignedDuration::ZERO);
    [
        text(attr::STALL_SINCE, &since.to_string()),
        key_value(attr::STALL_DURATION, Value::DoubleValue(duration.as_secs_f64())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CronJob, Job, JobStatus};
    use crate::notice::MissReason;
    use crate::otlp::find_text;
    use crate::outcome::Outcome;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-28T{time}Z").parse().unwrap()
    }

    fn run() -> Job {
        Job {
            namespace: "shop".into(),
            name: "report-29".into(),
            uid: "de3a51b8-55e3-4fe0-8237-514a566ec862".into(),
            cronjob: Some(Box::new(CronJob {
                name: "report".into(),
                uid: "c-1".into(),
                schedule: Some("*/5 * * * *".into()),
                scheduled: Some(at("10:00:00")),
                ..Default::default()
            })),
            status: JobStatus {
                start_time: Some(at("10:00:01")),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn stalled() -> Notice {
        Notice::Stalled(Box::new(StalledJob {
            job: run(),
            cause: "ImagePull",
            category: "configuration",
            retry: "no",
            summary: "Stalled for 2 min: image a:1 could not be pulled.".into(),
            next_step: "Correct the image.".into(),
            container: Some(("report-29-x".into(), "main".into())),
            index: Some("4".into()),
            since: at("10:00:01"),
            at: at("10:02:01"),
        }))
    }

    fn recovered(outcome: Option<Outcome>) -> Notice {
        Notice::Recovered(Box::new(RecoveredJob {
            job: run(),
            causes: vec!["Unschedulable".into(), "ImagePull".into()],
            since: at("10:00:01"),
            at: at("10:12:01"),
            outcome,
        }))
    }

    fn missed(message: &str) -> Notice {
        Notice::Missed(Box::new(MissedRuns {
            cronjob: Job {
                namespace: "shop".into(),
                cronjob: run().cronjob,
                ..Default::default()
            },
            time_zone: Some("Europe/Berlin".into()),
            reason: MissReason::ConcurrencyForbidden,
            message: message.into(),
            first: at("10:05:00"),
            last: at("10:10:00"),
            count: 2,
            at: at("10:11:00"),
        }))
    }

    fn encoded(notice: &Notice) -> (Vec<String>, LogRecord) {
        let mut resource = encode_notice(notice, Some("prod"), at("10:20:00"));
        let owner = resource.resource.unwrap_or_default().attributes;
        let owner = owner.into_iter().map(|attribute| attribute.key).collect();
        (owner, resource.scope_logs.remove(0).log_records.remove(0))
    }

    fn body(record: &LogRecord) -> &str {
        match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Value::StringValue(body)) => body,
            other => panic!("a sentence was expected, found {other:?}"),
        }
    }

    const OWNER: [&str; 4] = [
        attr::CLUSTER_NAME,
        attr::NAMESPACE_NAME,
        attr::CRONJOB_NAME,
        attr::SERVICE_NAME,
    ];

    fn number(record: &LogRecord, name: &str) -> Option<Value> {
        crate::otlp::find(&record.attributes, name)?.value.clone()
    }

    #[test]
    fn a_stall_names_its_cause_since_and_container() {
        let (owner, record) = encoded(&stalled());
        assert_eq!(owner, OWNER);
        assert_eq!(record.event_name, "k8s.job.stalled");
        assert_eq!(
            (record.severity_number, &*record.severity_text),
            (SeverityNumber::Warn as i32, "WARN")
        );
        assert_eq!(record.time_unix_nano, nanos(at("10:02:01")));
        assert_eq!(record.observed_time_unix_nano, nanos(at("10:20:00")));
        assert_eq!(
            body(&record),
            "Job report-29: Stalled for 2 min: image a:1 could not be pulled."
        );
        for (name, value) in [
            (
                attr::RECORD_UID,
                "de3a51b8-55e3-4fe0-8237-514a566ec862/stalled/ImagePull",
            ),
            (attr::JOB_NAME, "report-29"),
            (attr::JOB_UID, "de3a51b8-55e3-4fe0-8237-514a566ec862"),
            (attr::CRONJOB_UID, "c-1"),
            (attr::CRONJOB_SCHEDULED, "2026-11-28T10:00:00Z"),
            (attr::OWNER_RULE, "cronjob"),
            (attr::OWNER_KIND, "CronJob"),
            (attr::OWNER_NAME, "report"),
            (attr::START_TIME, "2026-11-28T10:00:01Z"),
            (attr::STALL_CAUSE, "ImagePull"),
            (attr::STALL_CATEGORY, "configuration"),
            (attr::STALL_RETRY, "no"),
            (attr::STALL_NEXT_STEP, "Correct the image."),
            (attr::STALL_SINCE, "2026-11-28T10:00:01Z"),
            (attr::POD_NAME, "report-29-x"),
            (attr::CONTAINER_NAME, "main"),
            (attr::COMPLETION_INDEX, "4"),
        ] {
            assert_eq!(find_text(&record.attributes, name), Some(value), "{name}");
        }
        assert_eq!(number(&record, attr::STALL_DURATION), Some(Value::DoubleValue(120.0)));
        assert_eq!(record.attributes.len(), 18);
    }

    #[test]
    fn notices_of_a_job_belong_to_its_trace() {
        let (trace_id, span_id) = crate::trace::of_job(&run().uid, None);
        for notice in [stalled(), recovered(None)] {
            let (_, record) = encoded(&notice);
            assert_eq!((record.trace_id, record.span_id), (trace_id.to_vec(), span_id.to_vec()));
        }
        let (_, record) = encoded(&missed(""));
        assert!(record.trace_id.is_empty() && record.span_id.is_empty());
    }

    #[test]
    fn a_recovery_has_all_causes_and_the_whole_duration() {
        let (_, record) = encoded(&recovered(None));
        assert_eq!(
            (record.severity_number, &*record.severity_text),
            (SeverityNumber::Info as i32, "INFO")
        );
        assert_eq!(record.event_name, "k8s.job.recovered");
        assert_eq!(
            body(&record),
            "Job report-29: Makes progress again after being stalled for 12 min (Unschedulable, ImagePull)."
        );
        assert_eq!(
            find_text(&record.attributes, attr::STALL_CAUSE),
            Some("Unschedulable,ImagePull")
        );
        assert_eq!(find_text(&record.attributes, attr::OUTCOME), None);
        assert_eq!(number(&record, attr::STALL_DURATION), Some(Value::DoubleValue(720.0)));
        let (_, record) = encoded(&recovered(Some(Outcome::Failed)));
        assert_eq!(find_text(&record.attributes, attr::OUTCOME), Some("Failed"));
        assert_eq!(
            body(&record),
            "Job report-29: Ended (Failed) after being stalled for 12 min (Unschedulable, ImagePull)."
        );
    }

    #[test]
    fn missed_runs_name_their_slots_and_reason() {
        let (owner, record) = encoded(&missed("Not starting job"));
        assert_eq!(owner, OWNER);
        assert_eq!(record.event_name, "k8s.cronjob.missed");
        assert_eq!(record.severity_number, SeverityNumber::Warn as i32);
        assert_eq!(record.time_unix_nano, nanos(at("10:11:00")));
        assert!(body(&record).starts_with("CronJob report: "), "{}", body(&record));
        for (name, value) in [
            (attr::RECORD_UID, "c-1/missed/2026-11-28T10:05:00Z"),
            (attr::CRONJOB_UID, "c-1"),
            (attr::CRONJOB_SCHEDULED, "2026-11-28T10:05:00Z"),
            (attr::MISSED_LAST, "2026-11-28T10:10:00Z"),
            (attr::MISSED_REASON, "ConcurrencyForbidden"),
            (attr::MISSED_MESSAGE, "Not starting job"),
            (attr::CRONJOB_SCHEDULE, "*/5 * * * *"),
            (attr::CRONJOB_TIME_ZONE, "Europe/Berlin"),
        ] {
            assert_eq!(find_text(&record.attributes, name), Some(value), "{name}");
        }
        assert_eq!(number(&record, attr::MISSED_COUNT), Some(Value::IntValue(2)));
        let (_, record) = encoded(&missed(""));
        assert_eq!(find_text(&record.attributes, attr::MISSED_MESSAGE), None);
    }

    #[test]
    fn labels_never_replace_attributes_of_a_notice() {
        let attribute = |name: &str| crate::evidence::Attribute {
            name: name.into(),
            value: "label".into(),
        };
        let mut job = run();
        job.extracted = [
            attr::JOB_NAME,
            attr::RECORD_UID,
            attr::STALL_CAUSE,
            attr::FAILURE_CAUSE,
            "team",
        ]
        .map(attribute)
        .into();
        let Notice::Stalled(stalled) = stalled() else {
            panic!("a stall was expected");
        };
        let (_, record) = encoded(&Notice::Stalled(Box::new(StalledJob { job, ..*stalled })));
        let labels = record
            .attributes
            .iter()
            .filter(|kv| find_text(std::slice::from_ref(kv), &kv.key) == Some("label"));
        assert_eq!(labels.map(|kv| &*kv.key).collect::<Vec<_>>(), ["team"]);
        assert_eq!(find_text(&record.attributes, attr::JOB_NAME), Some("report-29"));
    }

    #[test]
    fn a_clock_that_is_behind_gives_no_negative_duration() {
        let [_, duration] = duration(at("10:00:01"), at("10:00:00"));
        assert_eq!(
            duration.value.and_then(|value| value.value),
            Some(Value::DoubleValue(0.0))
        );
    }
}
