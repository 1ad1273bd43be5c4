//! The health of the pipeline: components, queues, watches and the leader.

use collector_runtime::process_status::{ComponentState, ProcessStatus, QueueState, WatchState};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::pages::outcome::Look;
use crate::pages::{list, text, words};

/// The content of the page.
pub(super) fn body(status: &ProcessStatus, now: Timestamp) -> Markup {
    html! {
        div.head {
            h1 { "Health" }
            @if status.ready { (Look::Succeeded.badge("Ready")) } @else { (Look::Failed.badge("Not ready")) }
        }
        @if !status.unhealthy.is_empty() {
            div.card.said.failed {
                p.sentence {
                    (words::count(status.unhealthy.len() as u64, "component")) " not ok: "
                    @for (index, path) in status.unhealthy.iter().enumerate() { @if index > 0 { ", " } code { (text::name(path)) } }
                }
            }
        }
        div.split.wide {
            section.region aria-labelledby="components" { (components(&status.components, now)) }
            section.region aria-labelledby="process" { (process(status, now)) }
        }
        section.region aria-labelledby="queues" { (queues(&status.queues)) }
        section.region aria-labelledby="watches" { (watches(&status.watches)) }
    }
}

fn process(status: &ProcessStatus, now: Timestamp) -> Markup {
    html! {
        (list::heading("process", "Process", ""))
        div.card.pad {
            dl.facts {
                dt { "Version" } dd { (text::name(&status.version)) }
                dt { "Started" } dd { (words::both(status.started, now)) }
                @if let Some(configuration) = &status.configuration {
                    dt { "Configuration" }
                    dd {
                        (text::name(&configuration.status)) ", " (words::both(configuration.since, now))
                        @if let Some(reason) = &configuration.reason { (text::message(reason)) }
                    }
                }
                @for leader in &status.leaders {
                    dt { "Leader" }
                    dd {
                        @match &leader.leader {
                            Some(name) => (text::name(name)),
                            None => "none is known",
                        }
                        @if leader.role == "leader" { " (this replica)" } @else { span.muted { ", this replica is " (text::name(&leader.role)) } }
                        @if let Some(lease) = &leader.lease { br; span.muted { "Lease " (text::name(lease)) } }
                    }
                }
                @if status.leaders.is_empty() { dt { "Leader" } dd { "none: this collector has no leader elector" } }
            }
        }
    }
}

fn components(components: &[ComponentState], now: Timestamp) -> Markup {
    html! {
        (list::heading("components", "Components", ""))
        div.card {
            table.table.stack aria-labelledby="components" {
                thead { tr { @for name in ["Component", "Status", "Since"] { th scope="col" { (name) } } } }
                tbody {
                    @for component in components {
                        tr {
                            th scope="row" { code { (text::name(&component.path)) } }
                            td data-label="Status" {
                                div {
                                    (component_status(&component.status))
                                    @if let Some(reason) = &component.reason { div { (text::sentence(reason)) } }
                                }
                            }
                            td data-label="Since" { span { (words::both(component.since, now)) } }
                        }
                    }
                }
            }
        }
    }
}

fn component_status(status: &str) -> Markup {
    match status {
        "StatusOK" => Look::Succeeded.badge("ok"),
        "StatusStarting" => Look::Other.badge("starting"),
        "StatusStopped" => Look::Other.badge("stopped"),
        "StatusRecoverableError" => Look::Stalled.badge("recoverable error, retries"),
        "StatusPermanentError" => Look::Failed.badge("permanent error"),
        other => Look::Other.badge(other),
    }
}

fn queues(queues: &[QueueState]) -> Markup {
    html! {
        (list::heading("queues", "Queues", "Data that waits for a backend or is in flight"))
        @if queues.is_empty() {
            p.card.empty { strong { "No queue has received data." } " The queue of an exporter appears with its first data." }
        } @else {
            div.card {
                table.table.stack aria-labelledby="queues" {
                    thead {
                        tr {
                            @for name in ["Exporter", "Signal", "Fill"] { th scope="col" { (name) } }
                            th.number scope="col" { "Size" }
                            th.number scope="col" { "Capacity" }
                        }
                    }
                    tbody { @for queue in queues { (queue_row(queue)) } }
                }
            }
        }
    }
}

fn queue_row(queue: &QueueState) -> Markup {
    let percent = queue.size as f64 / queue.capacity.max(1) as f64 * 100.0;
    let label = format!("{percent:.0} %");
    html! {
        tr {
            th scope="row" { code { (text::name(&queue.exporter)) } }
            td data-label="Signal" { (text::name(&queue.signal)) }
            td data-label="Fill" {
                div {
                    meter min="0" max="100" high="80" optimum="0" value=(format!("{:.1}", percent.clamp(0.0, 100.0)))
                        aria-label={ "Fill of the queue of " (text::name(&queue.exporter)) ", " (text::name(&queue.signal)) } { (label) }
                    span.muted { (label) }
                }
            }
            td.number data-label="Size" { (words::grouped(queue.size)) " " (text::name(&queue.unit)) }
            td.number data-label="Capacity" { (words::grouped(queue.capacity)) }
        }
    }
}

fn watches(watches: &[WatchState]) -> Markup {
    html! {
        (list::heading("watches", "Watches", "Lists and watches of the Kubernetes API"))
        @if watches.is_empty() {
            p.card.empty { strong { "No watch." } " A standby does not watch; neither does a pipeline without a Kubernetes receiver." }
        } @else {
            div.card {
                table.table.stack aria-labelledby="watches" {
                    thead {
                        tr {
                            @for name in ["Resource", "State", "Receiver"] { th scope="col" { (name) } }
                            th.number scope="col" { "Last data" }
                            th.number scope="col" { "Restarts" }
                        }
                    }
                    tbody { @for watch in watches { (watch_row(watch)) } }
                }
            }
        }
    }
}

fn watch_row(watch: &WatchState) -> Markup {
    let badge = match &*watch.state {
        "watching" => Look::Succeeded.badge("watching"),
        "failing" => Look::Failed.badge("failing, retries"),
        "denied" => Look::Stalled.badge("denied"),
        other => Look::Other.badge(other),
    };
    html! {
        tr {
            th scope="row" {
                (text::name(&watch.resource))
                @if let Some(namespace) = &watch.namespace { span.muted { " in " (text::name(namespace)) } }
            }
            td data-label="State" { div { (badge) @if let Some(reason) = &watch.reason { div { (text::sentence(reason)) } } } }
            td data-label="Receiver" { span { code { (text::name(&watch.receiver)) } } }
            td.number data-label="Last data" {
                @match watch.last_message_age {
                    Some(age) => { (job_event::span::span(age as f64)) " ago" },
                    None => "none yet",
                }
            }
            td.number data-label="Restarts" { (words::grouped(watch.restarts)) }
        }
    }
}
