//! The evidence of an event for a person: the Job's status, each Pod with its containers, the Events of the cluster.

use jiff::Timestamp;
use job_event::Evidence;
use job_event::evidence::{Condition, Container, ContainerRole, ContainerState, Pod};
use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::pages::{text, words};
use crate::views::WholeEvent;

/// The most Pods, containers of a Pod and Events that are shown; the record as JSON has all.
const MOST: usize = 20;

/// Folded parts, one for each kind of evidence.
pub(super) fn details(event: &WholeEvent, now: Timestamp) -> Markup {
    let evidence = event
        .evidence
        .as_ref()
        .map(|evidence| serde_json::from_value::<Evidence>(evidence.clone()));
    html! {
        @match evidence {
            Some(Ok(evidence)) => (known(&evidence, now)),
            Some(Err(_)) => p.empty { "The evidence has another form; the record as JSON shows it." },
            None => p.empty { "This event has no evidence: only the end of a Job has. The commands show a Job that still exists." },
        }
        (map("attributes", "Attributes", &event.attributes))
        (map("resource", "Resource", &event.resource))
    }
}

fn known(evidence: &Evidence, now: Timestamp) -> Markup {
    html! {
        (job(evidence, now))
        @for (index, pod) in evidence.pods.iter().take(MOST).enumerate() { (one_pod(index, pod, now)) }
        (rest(evidence.pods.len(), "Pods"))
        (events(evidence, now))
    }
}

fn rest(total: usize, noun: &str) -> Markup {
    html! { @if total > MOST { p.empty { (total - MOST) " more " (noun) " are in the record as JSON." } } }
}

fn fact(name: &str, value: impl std::fmt::Display) -> Markup {
    html! { dt { (name) } dd { (text::name(&value.to_string())) } }
}

fn job(evidence: &Evidence, now: Timestamp) -> Markup {
    let (job, gaps) = (&evidence.job, &evidence.gaps);
    let (spec, status) = (&job.spec, &job.status);
    html! {
        details id="evidence-job" {
            summary { "Job: spec and status" }
            dl.facts {
                @if let Some(seconds) = spec.active_deadline_seconds { (fact("activeDeadlineSeconds", seconds)) }
                @if let Some(limit) = spec.backoff_limit { (fact("backoffLimit", limit)) }
                @if let Some(limit) = spec.backoff_limit_per_index { (fact("backoffLimitPerIndex", limit)) }
                @if let Some(limit) = spec.max_failed_indexes { (fact("maxFailedIndexes", limit)) }
                @if let Some(completions) = spec.completions { (fact("completions", completions)) }
                @if let Some(parallelism) = spec.parallelism { (fact("parallelism", parallelism)) }
                @if let Some(policy) = &spec.restart_policy { (fact("restartPolicy", policy)) }
                @if let Some(schedule) = job.cronjob.as_ref().and_then(|cronjob| cronjob.schedule.as_ref()) { (fact("schedule", schedule)) }
                (fact("Pods", format!("{} active, {} ready, {} succeeded, {} failed", status.active, status.ready, status.succeeded, status.failed)))
                @if let Some(indexes) = &status.failed_indexes { (fact("failedIndexes", indexes)) }
                @for condition in &status.conditions { (condition_fact(condition, now)) }
                @if let Some(removed) = &job.removed { dt { "Deleted" } dd { (words::both(removed.at, now)) } }
                @for gap in gaps { (fact("Missing evidence", serde_json::to_value(gap).ok().and_then(|gap| gap.as_str().map(|gap| gap.replace('_', " "))).unwrap_or_default())) }
            }
        }
    }
}

fn condition_fact(condition: &Condition, now: Timestamp) -> Markup {
    html! {
        dt { (text::name(&condition.kind)) }
        dd {
            (if condition.is_true { "True" } else { "False" })
            @if !condition.reason.is_empty() { ", " (text::name(&condition.reason)) }
            @if let Some(since) = condition.since { span.muted { ", since " } (words::both(since, now)) }
            @if !condition.message.is_empty() { (text::message(&condition.message)) }
        }
    }
}

fn one_pod(index: usize, pod: &Pod, now: Timestamp) -> Markup {
    html! {
        details id={ "evidence-pod-" (index) } {
            summary { "Pod " (text::name(&pod.name)) @if !pod.phase.is_empty() { ", " (text::name(&pod.phase)) } }
            dl.facts {
                @if let Some(node) = &pod.node { (fact("Node", node)) }
                @if let Some(index) = &pod.index { (fact("Completion index", index)) }
                @if let Some(created) = pod.created { dt { "Created" } dd { (words::both(created, now)) } }
                @if !pod.reason.is_empty() { (fact("Reason", &pod.reason)) }
                @if !pod.message.is_empty() { dt { "Message" } dd { (text::message(&pod.message)) } }
                @for condition in [&pod.not_scheduled, &pod.disruption].into_iter().flatten() { (condition_fact(condition, now)) }
                @if let Some(deletion) = &pod.deletion { dt { "Deletion requested" } dd { (words::both(deletion.requested, now)) } }
                @for one in pod.containers.iter().take(MOST) { dt { (role(one.role)) } dd { (container(one, now)) } }
            }
            (rest(pod.containers.len(), "containers"))
        }
    }
}

fn role(role: ContainerRole) -> &'static str {
    match role {
        ContainerRole::Main => "Container",
        ContainerRole::Init => "Init container",
        ContainerRole::Sidecar => "Sidecar",
    }
}

fn container(container: &Container, now: Timestamp) -> Markup {
    let state = match container.state {
        ContainerState::Absent => "no status",
        ContainerState::Waiting => "waiting",
        ContainerState::Running => "running",
        ContainerState::Terminated => "terminated",
    };
    html! {
        strong { (text::name(&container.name)) } ", " (state)
        @if container.restarts > 0 { ", " (words::count(container.restarts.unsigned_abs().into(), "restart")) }
        @if !container.image.is_empty() { br; span.muted { "image " (text::name(&container.image)) } }
        @if let Some(waiting) = &container.waiting {
            br; "waiting: " (text::name(&waiting.reason))
            @if !waiting.message.is_empty() { (text::message(&waiting.message)) }
        }
        @for end in container.terminations.iter().rev().take(MOST) {
            br; "exit code " (end.exit_code)
            @if !end.reason.is_empty() { ", " (text::name(&end.reason)) }
            @if let Some(finished) = end.finished { ", " (words::both(finished, now)) }
            @if !end.message.is_empty() { (text::message(&end.message)) }
        }
    }
}

fn events(evidence: &Evidence, now: Timestamp) -> Markup {
    let events = &evidence.events;
    html! {
        @if !events.is_empty() {
            details id="evidence-events" {
                summary { (words::count(events.len() as u64, "Event")) " of the cluster" }
                table.table.stack {
                    thead { tr { @for name in ["Last", "Object", "Reason", "Message"] { th scope="col" { (name) } } } }
                    tbody {
                        @for event in events.iter().rev().take(MOST) {
                            tr {
                                td.keep data-label="Last" { @if let Some(last) = event.last { span { (words::both(last, now)) } } }
                                td data-label="Object" { (text::name(&format!("{} {}", kind(&event.kind), event.name))) }
                                td data-label="Reason" { span { (text::name(&event.reason)) @if event.count > 1 { span.muted { " ×" (event.count) } } } }
                                td data-label="Message" { div { (text::sentence(&event.message)) } }
                            }
                        }
                    }
                }
            }
            (rest(events.len(), "Events"))
        }
    }
}

fn kind(kind: &impl serde::Serialize) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|kind| kind.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Attributes by name.
fn map(id: &str, title: &str, attributes: &Map<String, Value>) -> Markup {
    html! {
        @if !attributes.is_empty() {
            details id=(id) {
                summary { (title) }
                dl.facts {
                    @for (name, value) in attributes.iter().take(200) {
                        dt { (text::name(name)) }
                        dd {
                            @match value {
                                Value::String(value) => (text::sentence(value)),
                                other => (text::sentence(&other.to_string())),
                            }
                        }
                    }
                }
            }
        }
    }
}
