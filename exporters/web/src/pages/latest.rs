//! The table of the latest events.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::pages::layout::Root;
use crate::pages::outcome::Look;
use crate::pages::overview::Query;
use crate::pages::{list, text, words};
use crate::views::{EventKind, EventList, Listed};

/// How an event looks, and its word.
pub(super) fn look(event: &Listed) -> (Look, &str) {
    match event.event {
        EventKind::Finished => (Look::of(&event.outcome), &event.outcome),
        EventKind::Stalled => (Look::Stalled, "Stalled"),
        EventKind::Recovered => (Look::Other, "Recovered"),
        EventKind::Missed => (Look::Missed, "Missed"),
    }
}

/// The section with its heading and the links to other pages of the list.
pub(super) fn section(root: &Root, query: &Query, latest: &EventList, now: Timestamp) -> Markup {
    let note = words::count(latest.matching as u64, "stored event");
    let is_first = query.cursor.is_none();
    html! {
        (list::heading("latest", if is_first { "Latest events" } else { "Older events" }, &note))
        @if latest.events.is_empty() {
            p.card.empty {
                @if query.filter.is_empty() {
                    strong { "No event yet." } " Every Job that ends, stalls or recovers appears here, and every missed run."
                } @else {
                    strong { "No event matches the filter." }
                }
            }
        } @else {
            div.card { (table(root, &latest.events, now)) }
            p.line {
                @if !is_first { a href=(root.overview(&query.filter.query())) { "Latest events" } }
                @if let Some(next) = &latest.next {
                    a href={ (root.overview(&query.and(&format!("limit={}&cursor={next}", query.limit)))) "#latest" } rel="next" { "Older events" }
                }
            }
        }
    }
}

fn table(root: &Root, events: &[Listed], now: Timestamp) -> Markup {
    html! {
        table.table.stack.compact aria-labelledby="latest" {
            thead {
                tr {
                    @for name in ["Time", "Event", "Job", "Owner", "Namespace", "Cause"] { th scope="col" { (name) } }
                    th.number scope="col" { "Duration" }
                }
            }
            tbody { @for event in events { (row(root, event, now)) } }
        }
    }
}

fn row(root: &Root, event: &Listed, now: Timestamp) -> Markup {
    let (look, word) = look(event);
    let cause = if event.cause.is_empty() {
        &event.reason
    } else {
        &event.cause
    };
    html! {
        tr data-id=(event.id) {
            td.keep.second data-label="Time" { span { (words::both(event.time, now)) } }
            td.first data-label="Event" { span { (look.badge(word)) } }
            td.whole data-label="Job" {
                @if event.event == EventKind::Missed { span { (words::count(event.missed_runs, "run")) } } @else { (list::job(root, event)) }
            }
            td.owner data-label="Owner" { (list::owner(root, &event.namespace, &event.owner)) }
            td data-label="Namespace" { (text::name(&event.namespace)) }
            td.cause data-label="Cause" { (text::name(cause)) }
            td.number data-label="Duration" { @if let Some(duration) = event.duration { (job_event::span::span(duration)) } }
        }
    }
}
