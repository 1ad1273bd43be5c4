//! The event's OTLP form: a log record with the evidence, grouped under the owner's resource.

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::attributes as attr;
use crate::evidence::{Evidence, Job};
use crate::outcome::Outcome;
use crate::trace;

/// A record that does not hold what an event of this kind holds.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// An attribute is missing.
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    /// An attribute does not hold what it should.
    #[error("attribute {name} holds {found}, expected {expected}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The evidence does not have the form of this version.
    #[error("attribute k8s.job.evidence does not have the form of this version: {0}")]
    Evidence(#[from] serde_json::Error),
}

/// The resource a Job's metrics belong to: its cluster, namespace and owner. The owner is the CronJob where there
/// is one (a run's own name would make a new series each time), else the Job.
pub fn owner_resource(job: &Job, cluster: Option<&str>) -> Resource {
    let mut attributes = Vec::with_capacity(6);
    if let Some(cluster) = cluster {
        attributes.push(text(attr::CLUSTER_NAME, cluster));
    }
    attributes.push(text(attr::NAMESPACE_NAME, &job.namespace));
    match &job.cronjob {
        Some(cronjob) => attributes.push(text(attr::CRONJOB_NAME, &cronjob.name)),
        None => attributes.push(text(attr::JOB_NAME, &job.name)),
    }
    if let Some(tags) = &job.service_tags {
        for (key, value) in [
            (attr::DEPLOYMENT_ENVIRONMENT, &tags.env),
            (attr::SERVICE_NAME, &tags.service),
            (attr::SERVICE_VERSION, &tags.version),
        ] {
            if let Some(value) = value {
                attributes.push(text(key, value));
            }
        }
    }
    Resource {
        attributes,
        ..Default::default()
    }
}

/// The event of a Job that has ended, as the receiver sends it: with the evidence, without a judgement.
///
/// `observed` is when the receiver decided to send it.
pub fn encode(evidence: &Evidence, cluster: Option<&str>, observed: Timestamp) -> ResourceLogs {
    let job = &evidence.job;
    let outcome = job.outcome();
    let decided = job.decided_at().unwrap_or(observed);
    let mut attributes = vec![
        text(attr::RECORD_UID, &job.uid),
        text(attr::JOB_NAME, &job.name),
        text(attr::JOB_UID, &job.uid),
        text(attr::OUTCOME, outcome.as_str()),
        text(attr::DECISION_TIME, &decided.to_string()),
    ];
    if let Some(cronjob) = &job.cronjob {
        attributes.push(text(attr::CRONJOB_UID, &cronjob.uid));
        if let Some(scheduled) = cronjob.scheduled {
            attributes.push(text(attr::CRONJOB_SCHEDULED, &scheduled.to_string()));
        }
        if let Some(previous) = &cronjob.previous {
            attributes.push(KeyValue {
                key: attr::CRONJOB_PREVIOUS.into(),
                value: Some(from_json(serde_json::to_value(previous).unwrap_or_default())),
                ..Default::default()
            });
        }
    }
    if let Some(parent) = &job.traceparent {
        attributes.push(text(attr::TRACEPARENT, &parent.to_string()));
    }
    if let Some(start) = job.status.start_time {
        attributes.push(text(attr::START_TIME, &start.to_string()));
        attributes.push(key_value(
            attr::DURATION,
            Value::DoubleValue(decided.duration_since(start).as_secs_f64()),
        ));
    }
    if outcome == Outcome::Failed {
        attributes.push(text(attr::FAILURE_REASON, job.reason().unwrap_or_default()));
        attributes.push(text(
            attr::FAILURE_MESSAGE,
            job.verdict().map(|v| &*v.message).unwrap_or_default(),
        ));
    }
    if let Some(indexes) = &job.status.failed_indexes {
        attributes.push(text(attr::FAILED_INDEXES, indexes));
    }
    let quality = if evidence.gaps.is_empty() {
        "complete"
    } else {
        "partial"
    };
    attributes.push(text(attr::EVIDENCE_QUALITY, quality));
    // Serializing these types cannot fail: no maps with keys other than strings, no fallible impls.
    let value = serde_json::to_value(evidence).unwrap_or_default();
    attributes.push(KeyValue {
        key: attr::EVIDENCE.into(),
        value: Some(from_json(value)),
        ..Default::default()
    });

    let (severity_number, severity_text) = match outcome {
        Outcome::Failed => (SeverityNumber::Error, "ERROR"),
        _ => (SeverityNumber::Info, "INFO"),
    };
    let (trace_id, span_id) = trace::of_job(&job.uid, job.traceparent);
    let record = LogRecord {
        trace_id: trace_id.into(),
        span_id: span_id.into(),
        flags: job.traceparent.map_or(0, |parent| u32::from(parent.flags)),
        time_unix_nano: nanos(decided),
        observed_time_unix_nano: nanos(observed),
        severity_number: severity_number as i32,
        severity_text: severity_text.into(),
        event_name: attr::EVENT_NAME.into(),
        body: Some(any(Value::StringValue(format!(
            "Job {}/{}: {}",
            job.namespace,
            job.name,
            outcome.as_str()
        )))),
        attributes,
        ..Default::default()
    };
    let scope = InstrumentationScope {
        name: attr::SCOPE_NAME.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..Default::default()
    };
    ResourceLogs {
        resource: Some(owner_resource(job, cluster)),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope),
            log_records: vec![record],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The evidence in a record.
///
/// # Errors
/// If there is none, or if it has another form.
pub fn evidence(record: &LogRecord) -> Result<Evidence, DecodeError> {
    let value = find(&record.attributes, attr::EVIDENCE).ok_or(DecodeError::Missing(attr::EVIDENCE))?;
    Ok(serde_json::from_value(to_json(value))?)
}

/// The value of an attribute.
pub fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes
        .iter()
        .find(|kv| kv.key == key)
        .and_then(|kv| kv.value.as_ref())
}

/// The text of an attribute that holds one.
pub fn find_text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match find(attributes, key)?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Sets an attribute: replaces the one of that name, or adds it.
pub fn set(attributes: &mut Vec<KeyValue>, attribute: KeyValue) {
    match attributes.iter_mut().find(|kv| kv.key == attribute.key) {
        Some(existing) => *existing = attribute,
        None => attributes.push(attribute),
    }
}

/// Removes an attribute, if it is there.
pub fn remove(attributes: &mut Vec<KeyValue>, key: &str) {
    attributes.retain(|kv| kv.key != key);
}

/// An attribute that holds a text.
pub fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, Value::StringValue(value.into()))
}

/// An attribute.
pub fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(any(value)),
        ..Default::default()
    }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// A time as OTLP counts it: nanoseconds since 1970; times before that become 0.
pub fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

/// JSON as an OTLP value; `null` becomes an empty value.
pub fn from_json(json: serde_json::Value) -> AnyValue {
    use serde_json::Value as Json;
    AnyValue {
        value: match json {
            Json::Null => None,
            Json::Bool(b) => Some(Value::BoolValue(b)),
            Json::Number(n) => Some(match n.as_i64() {
                Some(i) => Value::IntValue(i),
                None => Value::DoubleValue(n.as_f64().unwrap_or(f64::NAN)),
            }),
            Json::String(s) => Some(Value::StringValue(s)),
            Json::Array(values) => Some(Value::ArrayValue(ArrayValue {
                values: values.into_iter().map(from_json).collect(),
            })),
            Json::Object(map) => Some(Value::KvlistValue(KeyValueList {
                values: map
                    .into_iter()
                    .map(|(key, value)| KeyValue {
                        key,
                        value: Some(from_json(value)),
                        ..Default::default()
                    })
                    .collect(),
            })),
        },
    }
}

/// An OTLP value as JSON; bytes become `null`.
pub fn to_json(value: &AnyValue) -> serde_json::Value {
    use serde_json::Value as Json;
    match &value.value {
        Some(Value::BoolValue(b)) => Json::Bool(*b),
        Some(Value::IntValue(i)) => Json::from(*i),
        Some(Value::DoubleValue(d)) => Json::from(*d),
        Some(Value::StringValue(s)) => Json::String(s.clone()),
        Some(Value::ArrayValue(array)) => Json::Array(array.values.iter().map(to_json).collect()),
        Some(Value::KvlistValue(list)) => Json::Object(
            list.values
                .iter()
                .map(|kv| (kv.key.clone(), kv.value.as_ref().map_or(Json::Null, to_json)))
                .collect(),
        ),
        _ => Json::Null,
    }
}
