//! An event to its trace: the span of the Job. Pure.

use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::evidence::Evidence;
use job_event::otlp::{self, DecodeError};
use job_event::trace::{self, SpanId, TraceId};
use job_event::{Finished, Outcome};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::span::{self, HAS_IS_REMOTE, IS_REMOTE, SAMPLED};
use crate::{attempts, happenings};

/// Attributes of the event that the span expresses in its own way, or that are too large for it.
const NOT_ON_SPANS: [&str; 9] = [
    attr::RECORD_UID,
    attr::START_TIME,
    attr::DECISION_TIME,
    attr::DURATION,
    attr::ATTEMPTS,
    attr::ATTEMPT_FAILURES,
    attr::EVIDENCE,
    attr::TRACEPARENT,
    attr::CRONJOB_PREVIOUS,
];

/// The trace of a finished Job; `None` if the record is something else, or if its outcome is not among `outcomes`.
///
/// # Errors
/// If it is named as such an event and cannot be read.
pub fn of_event(
    resource: Option<&Resource>,
    record: &LogRecord,
    outcomes: &[Outcome],
) -> Result<Option<ResourceSpans>, DecodeError> {
    let Some(job) = Finished::read(record)? else {
        return Ok(None);
    };
    if !outcomes.contains(&job.outcome) {
        return Ok(None);
    }
    let evidence = match otlp::evidence(record) {
        Ok(evidence) => Some(evidence),
        // It was left out, for its size or by `keep_evidence`.
        Err(DecodeError::Missing(_)) => None,
        Err(error) => return Err(error),
    };
    let run = Run::new(record, &job, evidence.as_ref());
    let mut spans = vec![job_span(&run, owner(resource).unwrap_or(&job.name), record)];
    attempts::add(&run, &mut spans);
    let scope = InstrumentationScope {
        name: attr::SCOPE_NAME.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..Default::default()
    };
    Ok(Some(ResourceSpans {
        resource: Some(service(resource, &job.name)),
        scope_spans: vec![ScopeSpans {
            scope: Some(scope),
            spans,
            ..Default::default()
        }],
        ..Default::default()
    }))
}

/// The context of all spans of a trace.
pub(crate) struct Run<'a> {
    /// The Job.
    pub job: &'a Finished,
    /// The evidence, unless it was removed.
    pub evidence: Option<&'a Evidence>,
    /// The trace.
    pub trace: TraceId,
    /// The Job's span.
    pub span: SpanId,
    /// When it began: when it was started, else made, or when its first Pod was made if that came earlier.
    pub start: Timestamp,
    /// When it was decided.
    pub end: Timestamp,
}

impl<'a> Run<'a> {
    fn new(record: &LogRecord, job: &'a Finished, evidence: Option<&'a Evidence>) -> Run<'a> {
        let (trace, span) = trace::of_job(&job.uid, job.traceparent);
        let sent = i128::from(record.time_unix_nano);
        let end = job
            .decided
            .unwrap_or_else(|| Timestamp::from_nanosecond(sent).unwrap_or(Timestamp::UNIX_EPOCH));
        let created = || evidence.and_then(|evidence| evidence.job.created);
        let pods = evidence.into_iter().flat_map(|evidence| &evidence.pods);
        let attempts = job.attempts.iter().filter_map(|attempt| attempt.start);
        // A resumed Job has a new `startTime`; Pods that ran before belong to it, too.
        let earlier = pods.filter_map(|pod| pod.created).chain(attempts).min();
        let start = job.start.or_else(created).or(earlier).unwrap_or(end).min(end);
        Run {
            job,
            evidence,
            trace,
            span,
            start: earlier.map_or(start, |earlier| start.min(earlier)),
            end,
        }
    }
}

fn owner(resource: Option<&Resource>) -> Option<&str> {
    otlp::owner_name(&resource?.attributes)
}

/// The resource with a service: without a label that sets it, the service is the owner's name, by the rule of the
/// semantic conventions for Kubernetes ("Specify resource attributes using Kubernetes annotations", `service.name`).
fn service(resource: Option<&Resource>, job: &str) -> Resource {
    let mut with = resource.cloned().unwrap_or_default();
    if otlp::find(&with.attributes, attr::SERVICE_NAME).is_none() {
        let name = otlp::text(attr::SERVICE_NAME, owner(resource).unwrap_or(job));
        with.attributes.push(name);
    }
    with
}

fn job_span(run: &Run<'_>, owner: &str, record: &LogRecord) -> Span {
    let job = run.job;
    let parent = job.traceparent;
    let parent_id = parent.map(|parent| parent.span_id);
    let mut span = span::new(run.trace, run.span, parent_id, owner, run.start, run.end);
    if let Some(parent) = parent {
        span.flags = HAS_IS_REMOTE | IS_REMOTE | u32::from(parent.flags);
    }
    let kept = |attribute: &&KeyValue| !NOT_ON_SPANS.contains(&&*attribute.key);
    span.attributes = record.attributes.iter().filter(kept).cloned().collect();
    span.status = match job.outcome {
        Outcome::Failed => {
            let reason = job.reason.as_deref().filter(|reason| !reason.is_empty());
            span::set(
                &mut span.attributes,
                attr::ERROR_TYPE,
                job.cause.as_deref().or(reason).unwrap_or("_OTHER"),
            );
            let body = record.body.as_ref().and_then(|body| body.value.as_ref());
            let sentence = match body {
                Some(Value::StringValue(sentence)) => sentence,
                _ => "",
            };
            span::status(StatusCode::Error, sentence)
        }
        Outcome::Succeeded => span::status(StatusCode::Ok, ""),
        // A user or the next run ended it: neither good nor bad.
        _ => None,
    };
    span.events = happenings::of_job(run);
    if let Some(previous) = &job.previous {
        let (trace_id, span_id) = trace::of_job(&previous.uid, previous.traceparent);
        span.links.push(Link {
            trace_id: trace_id.into(),
            span_id: span_id.into(),
            attributes: vec![otlp::text(attr::JOB_UID, &previous.uid)],
            flags: HAS_IS_REMOTE | IS_REMOTE | previous.traceparent.map_or(SAMPLED, |parent| u32::from(parent.flags)),
            ..Default::default()
        });
    }
    span
}
