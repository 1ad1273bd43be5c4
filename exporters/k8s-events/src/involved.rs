//! The objects that an Event is about.

use job_event::attributes as attr;
use job_event::otlp::find_text;
use job_watch::client::is_dns_label;
use k8s_openapi::api::core::v1::ObjectReference;
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::select::RecordKind;

/// The kind of an object that an Event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvolvedKind {
    Job,
    CronJob,
}

impl InvolvedKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            InvolvedKind::Job => "Job",
            InvolvedKind::CronJob => "CronJob",
        }
    }
}

/// An object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvolvedObject {
    pub(crate) kind: InvolvedKind,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl InvolvedObject {
    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some("batch/v1".into()),
            kind: Some(self.kind.as_str().into()),
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }
}

/// The objects of a record: the Job and, for a run of a CronJob, the CronJob; of missed runs the CronJob alone.
///
/// # Errors
/// The attribute that is missing or invalid.
pub(crate) fn objects(
    kind: RecordKind,
    resource: &[KeyValue],
    record: &[KeyValue],
) -> Result<Vec<InvolvedObject>, String> {
    let needed = |attributes, key: &'static str| {
        find_text(attributes, key)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| format!("the event {} lacks the attribute {key}", kind.event_name()))
    };
    let namespace = needed(resource, attr::NAMESPACE_NAME)?;
    if !is_dns_label(namespace) {
        let (event, key) = (kind.event_name(), attr::NAMESPACE_NAME);
        return Err(format!(
            "the event {event} has the attribute {key} {namespace:?}, expected the name of a namespace"
        ));
    }
    let object = |kind, name: &str, uid: &str| InvolvedObject {
        kind,
        namespace: namespace.into(),
        name: name.into(),
        uid: uid.into(),
    };
    if kind == RecordKind::Missed {
        let (name, uid) = (
            needed(resource, attr::CRONJOB_NAME)?,
            needed(record, attr::CRONJOB_UID)?,
        );
        return Ok(vec![object(InvolvedKind::CronJob, name, uid)]);
    }
    let job = object(
        InvolvedKind::Job,
        needed(record, attr::JOB_NAME)?,
        needed(record, attr::JOB_UID)?,
    );
    // A rule may give the runs of a CronJob another owner; then the event does not name the CronJob.
    let cronjob = find_text(resource, attr::CRONJOB_NAME).zip(find_text(record, attr::CRONJOB_UID));
    let cronjob = cronjob.map(|(name, uid)| object(InvolvedKind::CronJob, name, uid));
    Ok([job].into_iter().chain(cronjob).collect())
}
