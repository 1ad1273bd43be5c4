//! The page of an owner: its state, its runs, the causes of failures, its next run.

use maud::{Markup, html};

use crate::pages::layout::Root;
use crate::pages::outcome::Look;
use crate::pages::{list, runs, text, words};
use crate::views::{OwnerRun, OwnerView};

/// The rows of the table of runs; the overview has older ones.
const RUNS: usize = 60;
/// The most missed runs.
const MISSED: usize = 20;

/// The content of the page.
pub(super) fn body(root: &Root, view: &OwnerView) -> Markup {
    let now = view.now;
    html! {
        (crumbs(root, view))
        div.head {
            h1 { (text::name(&view.owner.name)) }
            (state(view))
        }
        div.split.wide {
            div.card.pad { (runs::chart(root, &view.namespace, &view.runs.items)) }
            div.card.pad { (facts(view)) }
        }
        @if !view.stalled.is_empty() {
            section.region aria-labelledby="stalled" {
                (list::heading("stalled", "Stalled now", "Unfinished Jobs without progress"))
                (list::stalls(root, &view.stalled, now))
            }
        }
        div class={ "split" @if !view.causes.is_empty() && !view.missed.items.is_empty() { " even" } } {
            @if !view.causes.is_empty() { section.region aria-labelledby="causes" { (causes(root, view)) } }
            @if !view.missed.items.is_empty() { section.region aria-labelledby="missed" { (missed(view)) } }
        }
        section.region aria-labelledby="runs" { (table(root, view)) }
    }
}

fn crumbs(root: &Root, view: &OwnerView) -> Markup {
    let namespace = {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("namespace", &view.namespace);
        query.finish()
    };
    html! {
        nav.crumbs aria-label="Breadcrumbs" {
            ol {
                li { a href=(root.to("")) { "Overview" } }
                li { a href=(root.overview(&namespace)) { (text::name(&view.namespace)) } }
                li { (text::name(&view.owner.kind)) }
            }
        }
    }
}

fn state(view: &OwnerView) -> Markup {
    let decided = view
        .runs
        .items
        .iter()
        .any(|run| matches!(&*run.outcome, "Failed" | "Succeeded"));
    html! {
        @if view.is_failing {
            (Look::Failed.badge("Failing"))
        } @else if decided {
            (Look::Succeeded.badge("Latest run succeeded"))
        }
        @if !view.stalled.is_empty() { (Look::Stalled.badge("Stalled")) }
        @if view.is_suspended == Some(true) { (Look::Other.badge("Suspended")) }
    }
}

fn facts(view: &OwnerView) -> Markup {
    let now = view.now;
    html! {
        h2.hidden { "State" }
        dl.facts {
            dt { "Failed in a row" }
            dd { (words::count(view.consecutive_failures, "run")) }
            dt { "Last success" }
            dd { @if let Some(time) = view.last_success { (words::both(time, now)) } @else { "unknown: none is stored" } }
            @if &*view.owner.kind == "CronJob" {
                dt { "Next run" }
                dd {
                    @if let Some(next) = view.next_run {
                        (words::both(next, now))
                    } @else if view.is_suspended == Some(true) {
                        "none: the CronJob is suspended"
                    } @else {
                        "unknown: no metrics of the CronJob arrived in the last 15 min"
                    }
                }
            }
            @if let Some(pods) = view.active_pods { dt { "Active Pods" } dd { (words::grouped(pods)) } }
            dt { "Stored runs" }
            dd { (words::grouped(view.runs.total as u64)) }
            dt { "Namespace" }
            dd { (text::name(&view.namespace)) }
            dt { "Kind" }
            dd { (text::name(&view.owner.kind)) }
        }
    }
}

fn causes(root: &Root, view: &OwnerView) -> Markup {
    let query = |cause: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("namespace", &view.namespace)
            .append_pair("owner", &view.owner.name)
            .append_pair("cause", cause);
        query.finish()
    };
    html! {
        (list::heading("causes", "Causes", "Of the stored failed runs, most frequent first"))
        div.card {
            table.table aria-labelledby="causes" {
                thead { tr { th scope="col" { "Cause" } th scope="col" { "Category" } th.number scope="col" { "Runs" } th scope="col" { "Latest" } } }
                tbody {
                    @for cause in &view.causes {
                        tr {
                            th scope="row" {
                                @if cause.cause.is_empty() { "not judged" } @else {
                                    a href=(root.overview(&query(&cause.cause))) { (text::name(&cause.cause)) }
                                }
                            }
                            td { (text::name(&cause.category)) }
                            td.number { (words::grouped(cause.runs as u64)) }
                            td { (words::ago(cause.latest, view.now)) }
                        }
                    }
                }
            }
        }
    }
}

fn missed(view: &OwnerView) -> Markup {
    html! {
        (list::heading("missed", "Missed runs", "Runs that did not start, latest first"))
        ol.list.card {
            @for event in view.missed.items.iter().take(MISSED) {
                li.missed {
                    div.line {
                        h3 { (words::count(event.missed_runs, "run")) }
                        (list::cause(&event.reason))
                        span.end { (words::both(event.time, view.now)) }
                    }
                    (list::sentence(&event.summary))
                }
            }
        }
    }
}

fn table(root: &Root, view: &OwnerView) -> Markup {
    let runs = &view.runs;
    let shown = runs.items.len().min(RUNS);
    let note = match runs.total > shown {
        true => format!(
            "{shown} of {} stored ones, newest first",
            words::grouped(runs.total as u64)
        ),
        false => "Newest first".to_owned(),
    };
    html! {
        (list::heading("runs", "Runs", &note))
        @if runs.items.is_empty() {
            p.card.empty { strong { "No run has ended." } " A run appears here when it succeeds or fails." }
        } @else {
            div.card {
                table.table.stack.compact aria-labelledby="runs" {
                    thead {
                        tr {
                            @for name in ["Ended", "Outcome", "Job", "Cause"] { th scope="col" { (name) } }
                            th.number scope="col" { "Attempts" }
                            th.number scope="col" { "Duration" }
                        }
                    }
                    tbody { @for run in runs.items.iter().take(RUNS) { (row(root, view, run)) } }
                }
            }
        }
    }
}

fn row(root: &Root, view: &OwnerView, run: &OwnerRun) -> Markup {
    let cause = if run.cause.is_empty() { &run.reason } else { &run.cause };
    let uid = Some(&*run.uid).filter(|uid| !uid.is_empty());
    html! {
        tr data-id=(run.uid) {
            td.keep.second data-label="Ended" { span { (words::both(run.time, view.now)) } }
            td.first data-label="Outcome" { span { (Look::of(&run.outcome).badge(&run.outcome)) } }
            td.whole data-label="Job" { a href=(root.job(&view.namespace, &run.name, uid)) { (text::name(&run.name)) } }
            td.cause data-label="Cause" { (text::name(cause)) }
            td.number data-label="Attempts" { @if run.attempt_count > 0 { (run.attempt_count) } }
            td.number data-label="Duration" { @if let Some(duration) = run.duration { (job_event::span::span(duration)) } }
        }
    }
}
