//! A span for each Pod, and below it one for each run of its containers. Pure.

use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::evidence::{Container, ContainerRole, ContainerState, Pod, Termination};
use job_event::finished::FinishedAttempt;
use job_event::trace::{SpanId, span_id};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::happenings;
use crate::span::{self, integer, set};
use crate::trace::Run;

/// The name of every Pod's span: Pods' own names are too many.
const ATTEMPT: &str = "attempt";

/// Adds the spans of a Job's Pods and their containers.
pub(crate) fn add(run: &Run<'_>, spans: &mut Vec<Span>) {
    for pod in run.evidence.iter().flat_map(|evidence| &evidence.pods) {
        add_pod(run, pod, spans);
    }
    // Pods of which only their attempts are known: the evidence was left out.
    let rest = run.job.attempts.iter().filter(|attempt| {
        let pods = run.evidence.map_or(&[][..], |evidence| &evidence.pods);
        !pods.iter().any(|pod| *pod.uid == attempt.uid)
    });
    let mut seen: Vec<&str> = Vec::new();
    for attempt in rest {
        if !seen.contains(&&*attempt.uid) {
            seen.push(&attempt.uid);
            add_bare(run, &attempt.uid, spans);
        }
    }
}

/// The attempts of a Pod: one, or one for each run of a container that it restarts.
fn attempts_of<'a>(run: &Run<'a>, uid: &'a str) -> impl DoubleEndedIterator<Item = &'a FinishedAttempt> + Clone {
    run.job.attempts.iter().filter(move |attempt| attempt.uid == uid)
}

fn pod_span(run: &Run<'_>, uid: &str, name: &str, start: Timestamp, end: Timestamp) -> Span {
    let id = span_id(&["pod", uid]);
    let mut span = span::new(run.trace, id, Some(run.span), ATTEMPT, start, end);
    set(&mut span.attributes, attr::POD_NAME, name);
    set(&mut span.attributes, attr::POD_UID, uid);
    span
}

/// Adds the verdict on the Pod's last attempt.
fn judge(run: &Run<'_>, uid: &str, span: &mut Span) {
    let Some(last) = attempts_of(run, uid).next_back() else {
        return;
    };
    set(&mut span.attributes, "k8s.job.attempt.outcome", &last.outcome);
    let cause = last.cause.as_deref().unwrap_or("_OTHER");
    span.status = match &*last.outcome {
        "failed" => {
            set(&mut span.attributes, attr::ERROR_TYPE, cause);
            span::status(StatusCode::Error, last.cause.as_deref().unwrap_or_default())
        }
        "succeeded" => span::status(StatusCode::Ok, ""),
        _ => None,
    };
}

fn add_bare(run: &Run<'_>, uid: &str, spans: &mut Vec<Span>) {
    let attempts = attempts_of(run, uid);
    let Some(last) = attempts.clone().next_back() else {
        return;
    };
    let start = attempts.clone().filter_map(|attempt| attempt.start).min();
    let end = attempts.filter_map(|attempt| attempt.end).max().unwrap_or(run.end);
    let mut span = pod_span(run, uid, &last.pod, start.unwrap_or(run.start), end);
    set(
        &mut span.attributes,
        attr::NODE_NAME,
        last.node.as_deref().unwrap_or_default(),
    );
    set(
        &mut span.attributes,
        attr::COMPLETION_INDEX,
        last.index.as_deref().unwrap_or_default(),
    );
    set(
        &mut span.attributes,
        attr::CONTAINER_NAME,
        last.container.as_deref().unwrap_or_default(),
    );
    let code = last.exit_code.map(|code| integer(attr::EXIT_CODE, i64::from(code)));
    span.attributes.extend(code);
    judge(run, uid, &mut span);
    spans.push(span);
}

fn add_pod(run: &Run<'_>, pod: &Pod, spans: &mut Vec<Span>) {
    let start = pod.created.or(pod.start_time).unwrap_or(run.start);
    let ends = pod.containers.iter().flat_map(|container| &container.terminations);
    let last_end = ends.filter(|end| end.ran).filter_map(|end| end.finished).max();
    let judged_end = attempts_of(run, &pod.uid).filter_map(|attempt| attempt.end).max();
    // A Pod without a known end existed when the Job was decided.
    let end = judged_end.max(last_end).unwrap_or(run.end);
    // A Pod whose containers are restarted exists until it is deleted.
    let deleted = pod.deletion.map(|deletion| deletion.requested.min(run.end));
    let end = deleted.map_or(end, |deleted| end.max(deleted));
    let mut span = pod_span(run, &pod.uid, &pod.name, start, end);
    set(
        &mut span.attributes,
        attr::NODE_NAME,
        pod.node.as_deref().unwrap_or_default(),
    );
    set(
        &mut span.attributes,
        attr::COMPLETION_INDEX,
        pod.index.as_deref().unwrap_or_default(),
    );
    set(&mut span.attributes, "k8s.pod.status.phase", &pod.phase);
    set(&mut span.attributes, "k8s.pod.status.reason", &pod.reason);
    judge(run, &pod.uid, &mut span);
    span.events = happenings::of_pod(run, pod);
    let id = span_id(&["pod", &pod.uid]);
    spans.push(span);
    for container in &pod.containers {
        add_container(run, pod, container, (id, end), spans);
    }
}

/// The span of one run of a container, the nth: number 0 is its first.
fn run_span(
    run: &Run<'_>,
    pod: (&Pod, SpanId),
    container: &Container,
    number: i32,
    start: Timestamp,
    end: Timestamp,
) -> Span {
    let id = span_id(&["container", &pod.0.uid, &container.name, &number.to_string()]);
    let mut span = span::new(run.trace, id, Some(pod.1), &container.name, start, end);
    set(&mut span.attributes, attr::CONTAINER_NAME, &container.name);
    span.attributes
        .push(integer("k8s.container.restart_count", i64::from(number)));
    set(&mut span.attributes, "container.image.name", &container.image);
    let role = match container.role {
        ContainerRole::Main => "main",
        ContainerRole::Init => "init",
        ContainerRole::Sidecar => "sidecar",
    };
    set(&mut span.attributes, "k8s.container.role", role);
    span
}

fn add_container(run: &Run<'_>, pod: &Pod, container: &Container, parent: (SpanId, Timestamp), spans: &mut Vec<Span>) {
    let (id, pod_end) = parent;
    let begin = pod.created.or(pod.start_time).unwrap_or(run.start);
    for end in container.terminations.iter().filter(|end| end.ran) {
        let finished = end.finished.unwrap_or(pod_end);
        // containerd writes 1970 as the start of a container that never started.
        let started = end.started.filter(|started| *started >= begin).unwrap_or(finished);
        let mut span = run_span(run, (pod, id), container, end.attempt, started, finished);
        ended(run, pod, container, end, &mut span);
        span.events = happenings::of_end(end, finished);
        spans.push(span);
    }
    let is_over = |started| container.terminations.iter().any(|end| end.started == Some(started));
    let running = container.running_since.filter(|since| !is_over(*since));
    if let Some(since) = running.filter(|_| container.state == ContainerState::Running) {
        let mut span = run_span(run, (pod, id), container, container.restarts, since, pod_end);
        set(&mut span.attributes, attr::CONTAINER_STATE, "running");
        spans.push(span);
    } else if !container.started && container.waiting.is_some() {
        let start = pod.start_time.unwrap_or(begin);
        let mut span = run_span(run, (pod, id), container, container.restarts, start, pod_end);
        set(&mut span.attributes, attr::CONTAINER_STATE, "waiting");
        if let Some(waiting) = &container.waiting {
            set(&mut span.attributes, attr::CONTAINER_REASON, &waiting.reason);
            set(&mut span.attributes, attr::ERROR_TYPE, &waiting.reason);
            span.status = span::status(StatusCode::Error, &waiting.message);
        }
        span.events = happenings::of_wait(run, pod, container, start);
        spans.push(span);
    }
}

/// Adds how a run of a container ended.
fn ended(run: &Run<'_>, pod: &Pod, container: &Container, end: &Termination, span: &mut Span) {
    set(&mut span.attributes, attr::CONTAINER_STATE, "terminated");
    set(&mut span.attributes, attr::CONTAINER_REASON, &end.reason);
    span.attributes.push(integer(attr::EXIT_CODE, i64::from(end.exit_code)));
    let signal = end
        .signal
        .map(|signal| integer("process.exit.signal", i64::from(signal)));
    span.attributes.extend(signal);
    if end.exit_code == 0 {
        span.status = span::status(StatusCode::Ok, "");
        return;
    }
    // A container that ends after a request to stop has not failed by itself.
    if pod.deletion.is_some() && !end.before_deletion {
        return;
    }
    let judged = attempts_of(run, &pod.uid)
        .find(|attempt| attempt.container.as_deref() == Some(&*container.name) && attempt.end == end.finished);
    let cause = judged.and_then(|attempt| attempt.cause.as_deref());
    set(&mut span.attributes, attr::ERROR_TYPE, cause.unwrap_or(&end.reason));
    span.status = span::status(StatusCode::Error, &end.message);
}
