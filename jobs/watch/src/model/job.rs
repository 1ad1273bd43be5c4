//! Jobs and CronJobs.

use jiff::Timestamp;
use job_event::evidence;
use job_event::outcome::is_finished;
use job_event::trace::Traceparent;
use serde::Deserialize;

use super::lenient::{Lenient, Object, lenient};
use super::meta::{Annotations, Condition, IsSet, Metadata};

/// The built-in controller's name in `spec.managedBy` (`pkg/apis/batch/v1`, `JobControllerName`).
const JOB_CONTROLLER: &str = "kubernetes.io/job-controller";

/// A Job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Job {
    /// `metadata`.
    #[serde(deserialize_with = "lenient")]
    pub metadata: Metadata,
    /// `spec`.
    #[serde(deserialize_with = "lenient")]
    pub spec: JobSpec,
    /// `status`.
    #[serde(deserialize_with = "lenient")]
    pub status: JobStatus,
}

/// `spec` of a Job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JobSpec {
    #[serde(deserialize_with = "lenient")]
    pub active_deadline_seconds: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    backoff_limit: Option<i32>,
    #[serde(deserialize_with = "lenient")]
    backoff_limit_per_index: Option<i32>,
    #[serde(deserialize_with = "lenient")]
    max_failed_indexes: Option<i32>,
    #[serde(deserialize_with = "lenient")]
    pub completions: Option<i32>,
    #[serde(deserialize_with = "lenient")]
    pub parallelism: Option<i32>,
    #[serde(deserialize_with = "lenient")]
    completion_mode: Box<str>,
    #[serde(deserialize_with = "lenient")]
    suspend: bool,
    #[serde(deserialize_with = "lenient")]
    managed_by: Option<Box<str>>,
    #[serde(deserialize_with = "lenient")]
    manual_selector: bool,
    #[serde(deserialize_with = "lenient")]
    template: Template,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Template {
    #[serde(deserialize_with = "lenient")]
    metadata: TemplateMetadata,
    #[serde(deserialize_with = "lenient")]
    spec: TemplateSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    #[serde(deserialize_with = "lenient")]
    annotations: Annotations,
    #[serde(deserialize_with = "lenient")]
    labels: TemplateLabels,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct TemplateLabels {
    #[serde(rename = "job-name", deserialize_with = "lenient")]
    job_name: IsSet,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TemplateSpec {
    #[serde(deserialize_with = "lenient")]
    restart_policy: Option<Box<str>>,
    #[serde(deserialize_with = "lenient")]
    containers: Vec<TemplateContainer>,
    #[serde(deserialize_with = "lenient")]
    scheduling_gates: Vec<Reference>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct TemplateContainer {
    #[serde(deserialize_with = "lenient")]
    env: Vec<Variable>,
}

/// An environment variable. Only the name and value of a trace context are read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Variable {
    #[serde(deserialize_with = "lenient")]
    name: IsTraceparent,
    #[serde(deserialize_with = "lenient")]
    value: Option<Traceparent>,
}

/// True for the variable with the parent span (OpenTelemetry, "Environment Variables as Context Propagation Carriers").
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct IsTraceparent(bool);

impl Lenient for IsTraceparent {
    fn from_text(text: &str) -> Option<Self> {
        Some(IsTraceparent(text == "TRACEPARENT"))
    }
}

/// `status` of a Job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JobStatus {
    #[serde(deserialize_with = "lenient")]
    pub start_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    pub completion_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    pub active: i32,
    #[serde(deserialize_with = "lenient")]
    pub ready: i32,
    #[serde(deserialize_with = "lenient")]
    pub succeeded: i32,
    #[serde(deserialize_with = "lenient")]
    pub failed: i32,
    #[serde(deserialize_with = "lenient")]
    completed_indexes: Option<Box<str>>,
    #[serde(deserialize_with = "lenient")]
    failed_indexes: Option<Box<str>>,
    #[serde(deserialize_with = "lenient")]
    pub conditions: Vec<Condition>,
}

impl Template {
    fn traceparent(&self) -> Option<Traceparent> {
        let variables = self.spec.containers.iter().flat_map(|container| &container.env);
        let variable = || {
            variables
                .filter(|variable| variable.name.0)
                .find_map(|variable| variable.value)
        };
        self.metadata.annotations.traceparent.or_else(variable)
    }
}

impl Job {
    /// When its last Pod ended after the Job was decided; `None` before that, or if unknown.
    pub fn finished_at(&self) -> Option<Timestamp> {
        let mut conditions = self.status.conditions.iter();
        let finished = conditions.find(|condition| condition.is_true() && is_finished(&condition.kind));
        finished?.last_transition_time
    }

    /// True if its Pods lack the label by which they are listed and watched, so that only their owner reference finds them.
    ///
    /// Source: `pkg/registry/batch/job/strategy.go`: labels are generated unless `manualSelector` is true.
    pub fn hides_its_pods(&self) -> bool {
        self.spec.manual_selector && !self.spec.template.metadata.labels.job_name.is_set()
    }

    /// The Job as evidence, without the CronJob's schedule and policy, which are in the CronJob, and without an owner by the
    /// receiver's rules.
    pub fn to_evidence(&self) -> evidence::Job {
        let Job { metadata, spec, status } = self;
        let labels = &metadata.labels;
        let tagged = labels.env.is_some() || labels.service.is_some() || labels.version.is_some();
        evidence::Job {
            namespace: metadata.namespace.as_str().into(),
            name: metadata.name.as_str().into(),
            uid: metadata.uid.as_str().into(),
            cronjob: metadata.controller("CronJob").map(|owner| {
                Box::new(evidence::CronJob {
                    name: owner.name.as_str().into(),
                    uid: owner.uid.as_str().into(),
                    scheduled: metadata.annotations.scheduled,
                    ..Default::default()
                })
            }),
            owner: None,
            jobset: labels.jobset.as_ref().map(|name| {
                let number = |text: &Option<Box<str>>| text.as_ref()?.parse().ok();
                Box::new(evidence::JobSet {
                    name: name.clone(),
                    replicated_job: labels.replicated_job.clone(),
                    job_index: number(&labels.job_index),
                    restart_attempt: number(&labels.restart_attempt),
                })
            }),
            service_tags: tagged.then(|| {
                Box::new(evidence::ServiceTags {
                    env: labels.env.clone(),
                    service: labels.service.clone(),
                    version: labels.version.clone(),
                })
            }),
            traceparent: metadata.annotations.traceparent.or_else(|| spec.template.traceparent()),
            created: metadata.creation_timestamp,
            spec: evidence::JobSpec {
                active_deadline_seconds: spec.active_deadline_seconds,
                backoff_limit: spec.backoff_limit,
                backoff_limit_per_index: spec.backoff_limit_per_index,
                max_failed_indexes: spec.max_failed_indexes,
                completions: spec.completions,
                parallelism: spec.parallelism,
                indexed: &*spec.completion_mode == "Indexed",
                suspend: spec.suspend,
                managed_by: spec.managed_by.clone().filter(|by| &**by != JOB_CONTROLLER),
                restart_policy: spec.template.spec.restart_policy.clone(),
                queue: labels.queue.clone(),
                gated: !spec.template.spec.scheduling_gates.is_empty(),
            },
            status: evidence::JobStatus {
                start_time: status.start_time,
                completion_time: status.completion_time,
                active: status.active,
                ready: status.ready,
                succeeded: status.succeeded,
                failed: status.failed,
                completed_indexes: status.completed_indexes.clone().filter(|i| !i.is_empty()),
                failed_indexes: status.failed_indexes.clone().filter(|i| !i.is_empty()),
                conditions: status.conditions.iter().map(Condition::to_evidence).collect(),
            },
            removed: None,
            extracted: Vec::new(),
        }
    }
}

/// A CronJob.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CronJob {
    /// `metadata`.
    #[serde(deserialize_with = "lenient")]
    pub metadata: Metadata,
    /// `spec`.
    #[serde(deserialize_with = "lenient")]
    pub spec: CronJobSpec,
    /// `status`.
    #[serde(deserialize_with = "lenient")]
    pub status: CronJobStatus,
}

/// `spec` of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CronJobSpec {
    /// `schedule`.
    #[serde(deserialize_with = "lenient")]
    pub schedule: Option<Box<str>>,
    /// `concurrencyPolicy`.
    #[serde(deserialize_with = "lenient")]
    pub concurrency_policy: Option<Box<str>>,
    /// `timeZone`.
    #[serde(deserialize_with = "lenient")]
    pub time_zone: Option<Box<str>>,
    /// `suspend`.
    #[serde(deserialize_with = "lenient")]
    pub suspend: Option<bool>,
    /// `startingDeadlineSeconds`.
    #[serde(deserialize_with = "lenient")]
    pub starting_deadline_seconds: Option<i64>,
    /// `successfulJobsHistoryLimit`.
    #[serde(deserialize_with = "lenient")]
    pub successful_jobs_history_limit: Option<i32>,
    /// `failedJobsHistoryLimit`.
    #[serde(deserialize_with = "lenient")]
    pub failed_jobs_history_limit: Option<i32>,
}

/// `status` of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CronJobStatus {
    /// `active`: its Jobs that run.
    #[serde(deserialize_with = "lenient")]
    pub active: Vec<Reference>,
    /// `lastScheduleTime`.
    #[serde(deserialize_with = "lenient")]
    pub last_schedule_time: Option<Timestamp>,
    /// `lastSuccessfulTime`.
    #[serde(deserialize_with = "lenient")]
    pub last_successful_time: Option<Timestamp>,
}

/// One of `active`; it is only counted.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Reference {}

impl Object for Job {}
impl Object for JobSpec {}
impl Object for Template {}
impl Object for TemplateMetadata {}
impl Object for TemplateLabels {}
impl Object for TemplateSpec {}
impl Object for TemplateContainer {}
impl Object for Variable {}
impl Object for JobStatus {}
impl Object for CronJob {}
impl Object for CronJobSpec {}
impl Object for CronJobStatus {}
impl Object for Reference {}
