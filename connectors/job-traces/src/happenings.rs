//! The events of a Job, a Pod or a container as events of its span. Pure.

use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::evidence::{Condition, Container, Event as KubernetesEvent, Pod, Termination};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::Event;

use crate::span::{event, integer, set};
use crate::trace::Run;

/// The verdict on the Job or its removal, and Kubernetes' Events about the Job.
pub(crate) fn of_job(run: &Run<'_>) -> Vec<Event> {
    let job = run.job;
    let mut events = Vec::new();
    let mut attributes = Vec::new();
    set(&mut attributes, attr::OUTCOME, job.outcome.as_str());
    set(
        &mut attributes,
        attr::FAILURE_REASON,
        job.reason.as_deref().unwrap_or_default(),
    );
    if let Some(evidence) = run.evidence {
        let uid = &*evidence.job.uid;
        let about = evidence
            .events
            .iter()
            .filter(|event| &*event.kind == "Job" && &*event.uid == uid);
        events.extend(about.filter_map(kubernetes_event));
        let message = evidence.job.verdict().map(|verdict| &*verdict.message);
        set(&mut attributes, attr::FAILURE_MESSAGE, message.unwrap_or_default());
    }
    events.push(event("k8s.job.decided", run.end, attributes));
    in_order(events)
}

/// Scheduling, disruption, deletion, and Kubernetes' Events about the Pod and its node.
pub(crate) fn of_pod(run: &Run<'_>, pod: &Pod) -> Vec<Event> {
    let mut events = Vec::new();
    let condition = |name, condition: &Condition| {
        let mut attributes = Vec::new();
        set(&mut attributes, "k8s.pod.condition.reason", &condition.reason);
        set(&mut attributes, "k8s.pod.condition.message", &condition.message);
        condition.since.map(|since| event(name, since, attributes))
    };
    events.extend(
        pod.not_scheduled
            .as_ref()
            .and_then(|c| condition("k8s.pod.unschedulable", c)),
    );
    events.extend(pod.disruption.as_ref().and_then(|c| condition("k8s.pod.disrupted", c)));
    events.extend(pod.start_time.map(|at| {
        let mut attributes = Vec::new();
        set(
            &mut attributes,
            attr::NODE_NAME,
            pod.node.as_deref().unwrap_or_default(),
        );
        event("k8s.pod.scheduled", at, attributes)
    }));
    events.extend(pod.deletion.map(|deletion| {
        let grace = integer("k8s.pod.deletion.grace_period", deletion.grace_seconds);
        event("k8s.pod.deletion_requested", deletion.requested, vec![grace])
    }));
    events.extend(
        pod.node_outage
            .map(|outage| event("k8s.node.not_ready", outage.since, Vec::new())),
    );
    let said = run.evidence.map_or(&[][..], |evidence| &evidence.events);
    let about = said.iter().filter(|event| match &*event.kind {
        "Pod" => event.uid == pod.uid,
        "Node" => pod.node.as_deref() == Some(&*event.name),
        _ => false,
    });
    events.extend(about.filter_map(kubernetes_event));
    in_order(events)
}

/// How a run of a container ended, if that has a name, such as `OOMKilled`.
pub(crate) fn of_end(end: &Termination, at: Timestamp) -> Vec<Event> {
    if matches!(&*end.reason, "" | "Completed" | "Error") {
        return Vec::new();
    }
    let mut attributes = Vec::new();
    set(&mut attributes, attr::CONTAINER_MESSAGE, &end.message);
    vec![event(&end.reason, at, attributes)]
}

/// The reason for which a container waits, such as `ImagePullBackOff`: at the time of the first Event about it, else from the
/// beginning of the wait.
pub(crate) fn of_wait(run: &Run<'_>, pod: &Pod, container: &Container, start: Timestamp) -> Vec<Event> {
    let Some(waiting) = &container.waiting else {
        return Vec::new();
    };
    let path = format!("{{{}}}", container.name);
    let said = run.evidence.map_or(&[][..], |evidence| &evidence.events);
    let about = said
        .iter()
        .filter(|event| event.uid == pod.uid && event.field_path.ends_with(&path));
    let at = about.filter_map(|event| event.first).min().unwrap_or(start);
    let mut attributes = Vec::new();
    set(&mut attributes, attr::CONTAINER_MESSAGE, &waiting.message);
    vec![event(&waiting.reason, at, attributes)]
}

/// An Event of Kubernetes keeps its reason as its name and has the time of its first observation.
fn kubernetes_event(said: &KubernetesEvent) -> Option<Event> {
    let at = said.first.or(said.last)?;
    let mut attributes: Vec<KeyValue> = Vec::new();
    set(&mut attributes, "k8s.event.message", &said.message);
    attributes.push(integer("k8s.event.count", i64::from(said.count)));
    if let Some(last) = said.last.filter(|last| *last != at) {
        set(&mut attributes, "k8s.event.last_time", &last.to_string());
    }
    if let Some((_, container)) = said.field_path.split_once('{') {
        set(&mut attributes, attr::CONTAINER_NAME, container.trim_end_matches('}'));
    }
    Some(event(&said.reason, at, attributes))
}

fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| event.time_unix_nano);
    events
}
