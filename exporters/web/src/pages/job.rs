//! The page of a Job: the sentence, the next step, the verdict, the attempts, the evidence, the record as JSON.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use crate::pages::latest::look;
use crate::pages::layout::{Root, segment};
use crate::pages::outcome::Look;
use crate::pages::{commands, evidence, list, text, words};
use crate::views::{EventKind, JobView, WholeEvent};

/// The most characters of the record as JSON; the API has the whole record.
const RAW: usize = 64 * 1024;

/// The content of the page about the Job with this UID, else about the latest one of the name.
pub(super) fn body(root: &Root, view: &JobView, uid: Option<&str>) -> Markup {
    let uid = uid
        .or_else(|| view.jobs.first().map(|job| &*job.uid))
        .unwrap_or_default();
    let of_job: Vec<&WholeEvent> = view.events.iter().filter(|event| *event.listed.uid == *uid).collect();
    let end = of_job.iter().find(|event| event.listed.event == EventKind::Finished);
    let Some(event) = end.or_else(|| of_job.first()).copied() else {
        return html! { h1 { (text::name(&view.name)) } };
    };
    html! {
        (crumbs(root, view, event))
        div.head {
            h1 { (text::name(&view.name)) }
            (state(event))
        }
        (said(event))
        div.split.even {
            section.region aria-labelledby="verdict" {
                (list::heading("verdict", "Verdict", ""))
                div.card.pad { (facts(root, event, view.now)) }
            }
            section.region aria-labelledby="commands" {
                (list::heading("commands", "Commands", "They need the Job to exist"))
                div.card.pad { (commands::of_job(&view.namespace, &view.name)) }
            }
        }
        (attempts(event, view.now))
        section.region aria-labelledby="evidence" {
            (list::heading("evidence", "Evidence", "As observed before the verdict"))
            div.card {
                (evidence::details(event, view.now))
                (raw(root, view, event))
            }
        }
        (history(root, view, uid, event))
    }
}

fn crumbs(root: &Root, view: &JobView, event: &WholeEvent) -> Markup {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("namespace", &view.namespace);
    let owner = &event.listed.owner;
    html! {
        nav.crumbs aria-label="Breadcrumbs" {
            ol {
                li { a href=(root.to("")) { "Overview" } }
                li { a href=(root.overview(&query.finish())) { (text::name(&view.namespace)) } }
                @if !owner.name.is_empty() { li { (text::name(&owner.kind)) " " (list::owner(root, &view.namespace, owner)) } }
            }
        }
    }
}

fn state(event: &WholeEvent) -> Markup {
    let (look, word) = look(&event.listed);
    look.badge(word)
}

fn said(event: &WholeEvent) -> Markup {
    let (look, _) = look(&event.listed);
    html! {
        div class={ "card said " (look.class()) } {
            p.sentence { (text::sentence(list::without_subject(&event.listed.summary))) }
            @if let Some(step) = &event.next_step {
                div.step {
                    h2.label { "Next step" }
                    p { (text::sentence(step)) }
                }
            }
        }
    }
}

fn facts(root: &Root, event: &WholeEvent, now: Timestamp) -> Markup {
    let listed = &event.listed;
    let retry = match &*listed.retry {
        "yes" => "Yes: a retry of the unchanged Job can help",
        "no" => "No: a retry of the unchanged Job fails again",
        "maybe" => "Maybe",
        other => other,
    };
    let duration_name = match listed.event {
        EventKind::Stalled => "Stalled before the report",
        EventKind::Recovered => "Was stalled for",
        EventKind::Finished | EventKind::Missed => "Duration",
    };
    let quality = event
        .attributes
        .get(job_event::attributes::EVIDENCE_QUALITY)
        .and_then(Value::as_str);
    let text_of =
        |name: &str, value: &str| html! { @if !value.is_empty() { dt { (name) } dd { (text::name(value)) } } };
    let time_of = |name: &str, time: Option<Timestamp>| {
        html! { @if let Some(time) = time { dt { (name) } dd { (words::both(time, now)) } } }
    };
    html! {
        dl.facts {
            (text_of("Reason", &listed.reason))
            @if let Some(message) = event.message.as_deref().filter(|message| !message.is_empty()) {
                dt { "Message" } dd { (text::message(message)) }
            }
            (text_of("Cause", &listed.cause))
            (text_of("Category", &listed.category))
            (text_of("Can a retry help?", retry))
            (time_of("Started", listed.start_time))
            (time_of("Stalled since", listed.since))
            (time_of(if listed.event == EventKind::Finished { "Decided" } else { "Reported" }, Some(event.decision_time.unwrap_or(listed.time))))
            @if let Some(duration) = listed.duration { dt { (duration_name) } dd { (job_event::span::span(duration)) } }
            @if !listed.owner.name.is_empty() {
                dt { "Owner" }
                dd { (text::name(&listed.owner.kind)) " " (list::owner(root, &listed.namespace, &listed.owner)) }
            }
            (text_of("Cluster", &listed.cluster))
            (text_of("UID", &listed.uid))
            @if let Some(quality) = quality.filter(|quality| *quality != "complete") {
                dt { "Evidence" }
                dd { (text::name(quality)) ": some evidence is missing, so the cause may be broader" }
            }
        }
    }
}

fn attempts(event: &WholeEvent, now: Timestamp) -> Markup {
    html! {
        @if !event.attempts.is_empty() {
            section.region aria-labelledby="attempts" {
                (list::heading("attempts", "Attempts", "Each Pod, or each start of a container, oldest first"))
                div.card {
                    table.table.stack aria-labelledby="attempts" {
                        thead {
                            tr {
                                @for name in ["Pod", "Outcome", "Cause", "Container", "Exit", "Ended", "Ran", "Node"] { th scope="col" { (name) } }
                            }
                        }
                        tbody { @for attempt in &event.attempts { (attempt_row(attempt, now)) } }
                    }
                }
            }
        }
    }
}

fn attempt_row(attempt: &Value, now: Timestamp) -> Markup {
    let field = |key: &str| attempt[key].as_str().unwrap_or_default();
    let time = |key: &str| field(key).parse::<Timestamp>().ok();
    let ran = time("start")
        .zip(time("end"))
        .map(|(start, end)| end.duration_since(start).as_secs_f64());
    let outcome = match field("outcome") {
        "failed" => Look::Failed.badge("Failed"),
        "succeeded" => Look::Succeeded.badge("Succeeded"),
        "stopped" => Look::Other.badge("Stopped"),
        other => Look::Other.badge(other),
    };
    let exit = match (attempt["exit_code"].as_i64(), attempt["signal"].as_i64()) {
        (Some(code), Some(signal)) => format!("{code} (signal {signal})"),
        (Some(code), None) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => String::new(),
    };
    html! {
        tr {
            th scope="row" {
                (text::name(field("pod")))
                @if !field("index").is_empty() { span.muted { " index " (text::name(field("index"))) } }
            }
            td data-label="Outcome" { span { (outcome) } }
            td data-label="Cause" { (text::name(field("cause"))) }
            td data-label="Container" {
                @if !field("container").is_empty() {
                    span { (text::name(field("container"))) @if !matches!(field("role"), "" | "main") { span.muted { " " (text::name(field("role"))) } } }
                }
            }
            td data-label="Exit" { (exit) }
            td.keep data-label="Ended" { @if let Some(end) = time("end") { span { (words::both(end, now)) } } }
            td.keep data-label="Ran" { @if let Some(ran) = ran { (job_event::span::span(ran)) } }
            td data-label="Node" { (text::name(field("node"))) }
        }
    }
}

/// The record as JSON, cut where a page would become too large.
fn raw(root: &Root, view: &JobView, event: &WholeEvent) -> Markup {
    let json = serde_json::to_string_pretty(event).unwrap_or_default();
    let api = format!(
        "api/v1/jobs/{}/{}?uid={}",
        segment(&view.namespace),
        segment(&view.name),
        segment(&event.listed.uid)
    );
    let is_cut = json.len() > RAW;
    html! {
        details id="raw" {
            summary { "Record as JSON, " (words::bytes(json.len() as u64)) }
            @if is_cut { p.muted { "Only the beginning is shown. " a href=(root.to(&api)) { "The API has the whole record" } "." } }
            pre tabindex="0" { code { (text::block(&json, RAW)) } }
            @if !is_cut { p { a href=(root.to(&api)) { "The same from the API" } } }
        }
    }
}

/// The other events of the Job, and other Jobs of its name.
fn history(root: &Root, view: &JobView, uid: &str, shown: &WholeEvent) -> Markup {
    let others: Vec<&WholeEvent> = view
        .events
        .iter()
        .filter(|event| event.listed.id != shown.listed.id)
        .collect();
    html! {
        @if !others.is_empty() {
            section.region aria-labelledby="history" {
                (list::heading("history", "Other events of this name", "Newest first"))
                ol.list.card {
                    @for event in others {
                        @let listed = &event.listed;
                        @let (look, word) = look(listed);
                        li class=(look.class()) {
                            div.line {
                                h3 { (look.badge(word)) }
                                (list::cause(&listed.cause))
                                @if *listed.uid != *uid { a href=(root.job(&view.namespace, &view.name, Some(&listed.uid))) { "another Job of this name" } }
                                span.end { (words::both(listed.time, view.now)) }
                            }
                            (list::sentence(&listed.summary))
                        }
                    }
                }
            }
        }
    }
}
