//! The OTLP form of the event: a log record with the evidence, under the resource of the owner.

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::Serialize;

use crate::any_value::{AnyValueError, from_any_value, to_any_value};
use crate::attributes as attr;
use crate::evidence::{Evidence, Job, JobSet, OwnerRule};
use crate::outcome::Outcome;
use crate::trace;

mod notice;

pub use notice::encode_notice;

/// A record is not a valid event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// An attribute is missing.
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    /// An attribute has another form.
    #[error("attribute {name} holds {found}, expected {expected}")]
    Invalid {
        /// The attribute.
        name: &'static str,
        /// The value in the record.
        found: String,
        /// The form of a valid value.
        expected: &'static str,
    },
    /// The evidence does not have the form of this version.
    #[error("attribute k8s.job.evidence does not have the form of this version: {0}")]
    Evidence(#[from] AnyValueError),
}

/// The resource of a Job's metrics: its cluster, namespace and owner ([`Job::owner`]), since the name of a run would make a
/// new series each time. Without a label for it, the service is the owner's name, as in the semantic conventions for
/// Kubernetes.
pub fn owner_resource(job: &Job, cluster: Option<&str>) -> Resource {
    let mut attributes = Vec::with_capacity(6);
    if let Some(cluster) = cluster {
        attributes.push(text(attr::CLUSTER_NAME, cluster));
    }
    attributes.push(text(attr::NAMESPACE_NAME, &job.namespace));
    let owner = job.owner();
    if owner.is_controller {
        attributes.push(text(attr::OWNERREF_KIND, owner.kind));
        attributes.push(text(attr::OWNERREF_NAME, owner.name));
        attributes.extend(convention(owner.kind).map(|key| text(key, owner.name)));
    } else if owner.rule == OwnerRule::CronJob {
        attributes.push(text(attr::CRONJOB_NAME, owner.name));
    } else {
        attributes.push(text(attr::JOB_NAME, owner.name));
    }
    let tags = job.service_tags.as_deref();
    let service = tags.and_then(|tags| tags.service.as_deref()).unwrap_or(owner.name);
    for (key, value) in [
        (attr::DEPLOYMENT_ENVIRONMENT, tags.and_then(|tags| tags.env.as_deref())),
        (attr::SERVICE_NAME, Some(service)),
        (attr::SERVICE_VERSION, tags.and_then(|tags| tags.version.as_deref())),
    ] {
        if let Some(value) = value {
            attributes.push(text(key, value));
        }
    }
    Resource {
        attributes,
        ..Default::default()
    }
}

/// True if these attributes of a resource have the service that [`owner_resource`] sets without a label.
pub fn has_default_service(attributes: &[KeyValue]) -> bool {
    let service = find_text(attributes, attr::SERVICE_NAME);
    service.is_some() && service == owner_name(attributes)
}

/// The name of the owner in these attributes of a resource: that of the CronJob or another object, else that of the Job or
/// its group.
pub fn owner_name(attributes: &[KeyValue]) -> Option<&str> {
    let keys = [attr::CRONJOB_NAME, attr::OWNERREF_NAME, attr::JOB_NAME];
    keys.into_iter().find_map(|key| find_text(attributes, key))
}

/// The attribute of the semantic conventions for the name of an object that may control a Job (registry, `k8s`). A Job
/// that controls another one has none: its name would be taken for that of the Job itself.
fn convention(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "DaemonSet" => "k8s.daemonset.name",
        "Deployment" => "k8s.deployment.name",
        "ReplicaSet" => "k8s.replicaset.name",
        "ReplicationController" => "k8s.replicationcontroller.name",
        "StatefulSet" => "k8s.statefulset.name",
        _ => return None,
    })
}

/// The event of a finished Job as the receiver emits it: with the evidence, not judged.
///
/// `observed` is the time at which the receiver decided to emit it.
pub fn encode(evidence: &Evidence, cluster: Option<&str>, observed: Timestamp) -> ResourceLogs {
    let job = &evidence.job;
    let outcome = job.outcome();
    let decided = job.decided_at().unwrap_or(observed);
    let (severity_number, severity_text) = match outcome {
        Outcome::Failed => (SeverityNumber::Error, "ERROR"),
        _ => (SeverityNumber::Info, "INFO"),
    };
    let body = format!("Job {}/{}: {}", job.namespace, job.name, outcome.as_str());
    let record = LogRecord {
        time_unix_nano: nanos(decided),
        observed_time_unix_nano: nanos(observed),
        severity_number: severity_number as i32,
        severity_text: severity_text.into(),
        event_name: attr::EVENT_NAME.into(),
        body: Some(any(Value::StringValue(body))),
        attributes: event_attributes(evidence, outcome, decided),
        ..in_trace(job)
    };
    of_owner(job, cluster, record)
}

/// An empty record in the trace of a Job.
fn in_trace(job: &Job) -> LogRecord {
    let (trace_id, span_id) = trace::of_job(&job.uid, job.traceparent);
    LogRecord {
        trace_id: trace_id.into(),
        span_id: span_id.into(),
        flags: job.traceparent.map_or(0, |parent| u32::from(parent.flags)),
        ..Default::default()
    }
}

/// One record under the resource of a Job's owner.
fn of_owner(job: &Job, cluster: Option<&str>, record: LogRecord) -> ResourceLogs {
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

/// The attributes that name a Job: its event's id, its name, its UID, its owner and its JobSet.
fn job_attributes(job: &Job, record_uid: &str) -> Vec<KeyValue> {
    let mut attributes = vec![
        text(attr::RECORD_UID, record_uid),
        text(attr::JOB_NAME, &job.name),
        text(attr::JOB_UID, &job.uid),
    ];
    if let Some(cronjob) = &job.cronjob {
        attributes.push(text(attr::CRONJOB_UID, &cronjob.uid));
        if let Some(scheduled) = cronjob.scheduled {
            attributes.push(text(attr::CRONJOB_SCHEDULED, &scheduled.to_string()));
        }
    }
    let owner = job.owner();
    attributes.push(text(attr::OWNER_RULE, owner.rule.as_str()));
    attributes.push(text(attr::OWNER_KIND, owner.kind));
    attributes.push(text(attr::OWNER_NAME, owner.name));
    if let Some(jobset) = &job.jobset {
        attributes.extend(jobset_attributes(jobset));
    }
    if let Some(parent) = &job.traceparent {
        attributes.push(text(attr::TRACEPARENT, &parent.to_string()));
    }
    if let Some(start) = job.status.start_time {
        attributes.push(text(attr::START_TIME, &start.to_string()));
    }
    attributes
}

fn jobset_attributes(jobset: &JobSet) -> impl Iterator<Item = KeyValue> {
    let texts = [
        (attr::JOBSET_NAME, Some(&jobset.name)),
        (attr::JOBSET_REPLICATED_JOB, jobset.replicated_job.as_ref()),
    ];
    let numbers = [
        (attr::JOBSET_JOB_INDEX, jobset.job_index),
        (attr::JOBSET_RESTART_ATTEMPT, jobset.restart_attempt),
    ];
    let texts = texts.into_iter().filter_map(|(key, value)| Some(text(key, value?)));
    let numbers = numbers
        .into_iter()
        .filter_map(|(key, value)| Some(key_value(key, Value::IntValue(value?))));
    texts.chain(numbers)
}

fn event_attributes(evidence: &Evidence, outcome: Outcome, decided: Timestamp) -> Vec<KeyValue> {
    let job = &evidence.job;
    let mut attributes = job_attributes(job, &job.uid);
    attributes.push(text(attr::OUTCOME, outcome.as_str()));
    attributes.push(text(attr::DECISION_TIME, &decided.to_string()));
    if let Some(previous) = job.cronjob.as_ref().and_then(|cronjob| cronjob.previous.as_ref()) {
        attributes.push(structure(attr::CRONJOB_PREVIOUS, previous));
    }
    if let Some(start) = job.status.start_time {
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
    attributes.push(structure(attr::EVIDENCE, evidence));
    add_extracted(&mut attributes, job);
    attributes
}

/// Adds the labels and annotations that rules select. None replaces an attribute of the event, also one that the processor
/// adds: the name may follow from a key that anyone may choose.
fn add_extracted(attributes: &mut Vec<KeyValue>, job: &Job) {
    let allowed = job
        .extracted
        .iter()
        .filter(|extracted| !attr::is_reserved(&extracted.name));
    attributes.extend(allowed.map(|extracted| text(&extracted.name, &extracted.value)));
}

/// The evidence in a record.
///
/// # Errors
/// If the attribute is missing or has another form.
pub fn evidence(record: &LogRecord) -> Result<Evidence, DecodeError> {
    let value = find(&record.attributes, attr::EVIDENCE).ok_or(DecodeError::Missing(attr::EVIDENCE))?;
    Ok(from_any_value(value)?)
}

/// The value of an attribute.
pub fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes
        .iter()
        .find(|kv| kv.key == key)
        .and_then(|kv| kv.value.as_ref())
}

/// The text of an attribute; `None` if it is missing or holds something else.
pub fn find_text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match find(attributes, key)?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Sets an attribute; replaces an existing one of this name.
pub fn set(attributes: &mut Vec<KeyValue>, attribute: KeyValue) {
    match attributes.iter_mut().find(|kv| kv.key == attribute.key) {
        Some(existing) => *existing = attribute,
        None => attributes.push(attribute),
    }
}

/// Removes an attribute, if it exists.
pub fn remove(attributes: &mut Vec<KeyValue>, key: &str) {
    attributes.retain(|kv| kv.key != key);
}

/// An attribute that holds text.
pub fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, Value::StringValue(value.into()))
}

/// An attribute that holds a structure of text, numbers, lists and maps.
pub fn structure<T: Serialize + ?Sized>(key: &str, data: &T) -> KeyValue {
    KeyValue {
        key: key.into(),
        // Such a structure always has a value; see `to_any_value`.
        value: Some(to_any_value(data).unwrap_or_default()),
        ..Default::default()
    }
}

/// An attribute that holds a value.
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

/// Nanoseconds since 1970; 0 for earlier times.
pub fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CronJob, ServiceTags};

    fn resource(job: &Job) -> Vec<(String, String)> {
        let attributes = owner_resource(job, None).attributes;
        let text = |kv: &KeyValue| find_text(&attributes, &kv.key).unwrap_or_default().to_owned();
        attributes.iter().map(|kv| (kv.key.clone(), text(kv))).collect()
    }

    fn job(service: Option<&str>) -> Job {
        Job {
            name: "nightly-1".into(),
            namespace: "shop".into(),
            service_tags: service.map(|service| {
                Box::new(ServiceTags {
                    service: Some(service.into()),
                    ..Default::default()
                })
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_service_is_the_label_else_the_owner() {
        let service = |job: &Job| {
            let resource = owner_resource(job, None);
            let service = find_text(&resource.attributes, attr::SERVICE_NAME).unwrap_or_default();
            (service.to_owned(), has_default_service(&resource.attributes))
        };
        assert_eq!(service(&job(None)), ("nightly-1".into(), true));
        assert_eq!(service(&job(Some("billing"))), ("billing".into(), false));
        let mut run = job(None);
        run.cronjob = Some(Box::new(CronJob {
            name: "nightly".into(),
            ..Default::default()
        }));
        assert_eq!(service(&run), ("nightly".into(), true));
        assert!(!has_default_service(&[]));
        assert!(!has_default_service(&[text(attr::NAMESPACE_NAME, "shop")]));
    }

    #[test]
    fn a_label_with_the_default_service_makes_no_other_resource() {
        assert_eq!(resource(&job(None)), resource(&job(Some("nightly-1"))));
    }
}
