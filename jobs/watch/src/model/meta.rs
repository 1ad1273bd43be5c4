//! Metadata and conditions, which all objects have.

use jiff::Timestamp;
use job_event::trace::Traceparent;
use serde::Deserialize;
use smol_str::SmolStr;

use super::lenient::{Lenient, Object, lenient};
use crate::extract::Extracted;

/// `metadata` of an object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// `name`.
    #[serde(deserialize_with = "lenient")]
    pub name: SmolStr,
    /// `generateName`: the prefix of a generated name.
    #[serde(deserialize_with = "lenient")]
    pub generate_name: SmolStr,
    /// `namespace`.
    #[serde(deserialize_with = "lenient")]
    pub namespace: SmolStr,
    /// `uid`.
    #[serde(deserialize_with = "lenient")]
    pub uid: SmolStr,
    /// `resourceVersion`.
    #[serde(deserialize_with = "lenient")]
    pub resource_version: SmolStr,
    /// `generation`: counts the changes of the spec.
    #[serde(deserialize_with = "lenient")]
    pub generation: Option<i64>,
    /// `creationTimestamp`.
    #[serde(deserialize_with = "lenient")]
    pub creation_timestamp: Option<Timestamp>,
    /// `deletionTimestamp`: the latest end of the object, not the time of the request.
    #[serde(deserialize_with = "lenient")]
    pub deletion_timestamp: Option<Timestamp>,
    /// `deletionGracePeriodSeconds`, seconds.
    #[serde(deserialize_with = "lenient")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// `labels`, those that are used.
    #[serde(deserialize_with = "lenient")]
    pub labels: Labels,
    /// `annotations`, those that are used.
    #[serde(deserialize_with = "lenient")]
    pub annotations: Annotations,
    /// `ownerReferences`.
    #[serde(deserialize_with = "lenient")]
    pub owner_references: Vec<Owner>,
    /// The labels and annotations that rules select; `None` without.
    #[serde(skip)]
    pub extracted: Option<Box<Extracted>>,
}

/// The length to which the API server cuts a `generateName` before it adds [`RANDOM`] characters
/// (`staging/src/k8s.io/apiserver/pkg/storage/names/generate.go`).
const LONGEST_PREFIX: usize = 58;
/// The number of random characters.
const RANDOM: usize = 5;

impl Metadata {
    /// The controlling owner, if it is of the given kind of the API group `batch`.
    pub fn controller(&self, kind: &str) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| {
            owner.controller && &*owner.kind == kind && owner.api_version == ApiGroup::Batch && !owner.uid.is_empty()
        })
    }

    /// The controlling owner of any kind. The API server accepts at most one.
    pub fn any_controller(&self) -> Option<&Owner> {
        let is_complete = |owner: &&Owner| !owner.kind.is_empty() && !owner.name.is_empty() && !owner.uid.is_empty();
        self.owner_references
            .iter()
            .find(|owner| owner.controller && is_complete(owner))
    }

    /// The value of a label that [`Extraction::keep_label`](crate::extract::Extraction::keep_label) names.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.extracted.as_ref()?.label(key)
    }

    /// The `generateName` that the name begins with. A client may set both, with a name that has nothing in common with the
    /// prefix, or with more after it than the API server adds, as Argo CD does.
    pub fn generated_prefix(&self) -> Option<&str> {
        let prefix = match self.generate_name.get(..LONGEST_PREFIX) {
            Some(cut) if self.name.len() == LONGEST_PREFIX + RANDOM => cut,
            _ => &self.generate_name,
        };
        let rest = self.name.strip_prefix(prefix)?;
        (!prefix.is_empty() && !rest.is_empty()).then_some(prefix)
    }
}

/// True for a field with a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct IsSet(bool);

impl IsSet {
    /// True if the field has a text.
    pub fn is_set(self) -> bool {
        self.0
    }
}

impl Lenient for IsSet {
    fn from_text(_: &str) -> Option<Self> {
        Some(IsSet(true))
    }
}

/// The group of an `apiVersion`. Other groups than `batch` have kinds named `Job`, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiGroup {
    /// No `apiVersion`: some components leave it out of references.
    #[default]
    Absent,
    /// The core (`v1`).
    Core,
    /// `batch`, in any version.
    Batch,
    /// Another group.
    Other,
}

impl Lenient for ApiGroup {
    fn from_text(text: &str) -> Option<Self> {
        Some(match text.split_once('/') {
            None if text.is_empty() => ApiGroup::Absent,
            None => ApiGroup::Core,
            Some(("batch", _)) => ApiGroup::Batch,
            Some(_) => ApiGroup::Other,
        })
    }

    fn from_integer(_: i64) -> Option<Self> {
        Some(ApiGroup::Other)
    }
}

/// The labels that are used.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// The index of a Pod of an indexed Job.
    #[serde(rename = "batch.kubernetes.io/job-completion-index", deserialize_with = "lenient")]
    pub completion_index: Option<Box<str>>,
    /// Datadog's unified service tag `env`.
    #[serde(rename = "tags.datadoghq.com/env", deserialize_with = "lenient")]
    pub env: Option<Box<str>>,
    /// Datadog's unified service tag `service`.
    #[serde(rename = "tags.datadoghq.com/service", deserialize_with = "lenient")]
    pub service: Option<Box<str>>,
    /// Datadog's unified service tag `version`.
    #[serde(rename = "tags.datadoghq.com/version", deserialize_with = "lenient")]
    pub version: Option<Box<str>>,
    /// The queue of Kueue that admits a Job.
    #[serde(rename = "kueue.x-k8s.io/queue-name", deserialize_with = "lenient")]
    pub queue: Option<Box<str>>,
    /// The JobSet that a Job belongs to.
    #[serde(rename = "jobset.sigs.k8s.io/jobset-name", deserialize_with = "lenient")]
    pub jobset: Option<Box<str>>,
    /// The replicated Job in the JobSet.
    #[serde(rename = "jobset.sigs.k8s.io/replicatedjob-name", deserialize_with = "lenient")]
    pub replicated_job: Option<Box<str>>,
    /// The index among the Jobs of the replicated Job.
    #[serde(rename = "jobset.sigs.k8s.io/job-index", deserialize_with = "lenient")]
    pub job_index: Option<Box<str>>,
    /// How often the JobSet was restarted before.
    #[serde(rename = "jobset.sigs.k8s.io/restart-attempt", deserialize_with = "lenient")]
    pub restart_attempt: Option<Box<str>>,
}

/// The annotations that are used.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Annotations {
    /// The scheduled time of a CronJob's run.
    #[serde(
        rename = "batch.kubernetes.io/cronjob-scheduled-timestamp",
        deserialize_with = "lenient"
    )]
    pub scheduled: Option<Timestamp>,
    /// The index of a Pod of an indexed Job.
    #[serde(rename = "batch.kubernetes.io/job-completion-index", deserialize_with = "lenient")]
    pub completion_index: Option<Box<str>>,
    /// The default container of `kubectl logs`.
    #[serde(rename = "kubectl.kubernetes.io/default-container", deserialize_with = "lenient")]
    pub default_container: Option<Box<str>>,
    /// The span that started a Job.
    #[serde(deserialize_with = "lenient")]
    pub traceparent: Option<Traceparent>,
    /// How long a Job makes no progress before it is reported: a duration, or `off`.
    #[serde(rename = "k8s-job-collector/stalled-after", deserialize_with = "lenient")]
    pub stalled_after: Option<Box<str>>,
    /// `off` if missed runs of a CronJob are not reported.
    #[serde(rename = "k8s-job-collector/missed-runs", deserialize_with = "lenient")]
    pub missed_runs: Option<Box<str>>,
}

/// One of `ownerReferences`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// `apiVersion`: group and version.
    #[serde(rename = "apiVersion", deserialize_with = "lenient")]
    pub api_version: ApiGroup,
    /// `kind`.
    #[serde(deserialize_with = "lenient")]
    pub kind: SmolStr,
    /// `name`.
    #[serde(deserialize_with = "lenient")]
    pub name: SmolStr,
    /// `uid`.
    #[serde(deserialize_with = "lenient")]
    pub uid: SmolStr,
    /// `controller`.
    #[serde(deserialize_with = "lenient")]
    pub controller: bool,
}

/// A condition of a Job or a Pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// `type`.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: SmolStr,
    /// `status`: `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "lenient")]
    pub status: SmolStr,
    /// `reason`.
    #[serde(deserialize_with = "lenient")]
    pub reason: SmolStr,
    /// `message`.
    #[serde(deserialize_with = "lenient")]
    pub message: SmolStr,
    /// `lastTransitionTime`.
    #[serde(deserialize_with = "lenient")]
    pub last_transition_time: Option<Timestamp>,
}

impl Condition {
    /// True if `status` is `True`.
    pub fn is_true(&self) -> bool {
        &*self.status == "True"
    }

    /// The condition as evidence.
    pub fn to_evidence(&self) -> job_event::evidence::Condition {
        job_event::evidence::Condition {
            kind: self.kind.as_str().into(),
            is_true: self.is_true(),
            reason: self.reason.as_str().into(),
            message: self.message.as_str().into(),
            since: self.last_transition_time,
        }
    }
}

/// An error of the API server: the body of a reply that is not a success, or an `ERROR` event of a watch.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `code`: the HTTP status.
    #[serde(deserialize_with = "lenient")]
    pub code: i32,
    /// `reason`: `Expired`, `Forbidden`, ...
    #[serde(deserialize_with = "lenient")]
    pub reason: Box<str>,
    /// `message`.
    #[serde(deserialize_with = "lenient")]
    pub message: Box<str>,
    /// `details`.
    #[serde(deserialize_with = "lenient")]
    pub details: StatusDetails,
}

/// `details` of a [`Status`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusDetails {
    /// `retryAfterSeconds`, seconds.
    #[serde(deserialize_with = "lenient")]
    pub retry_after_seconds: Option<i64>,
}

impl Object for Metadata {}
impl Object for Labels {}
impl Object for Annotations {}
impl Object for Owner {}
impl Object for Condition {}
impl Object for Status {}
impl Object for StatusDetails {}
