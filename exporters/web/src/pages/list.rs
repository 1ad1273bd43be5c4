//! Parts that several pages share: lists of stalls and missed runs, links to owners and Jobs.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::pages::layout::Root;
use crate::pages::{text, words};
use crate::views::{Listed, Owner, Stall};

/// The longest sentence in a list, characters.
const EXCERPT: usize = 280;

/// The sentence of a list entry, without the name of the object at its beginning, which the entry has already.
pub(super) fn sentence(summary: &str) -> Markup {
    html! { p.text { (text::excerpt(without_subject(summary), EXCERPT)) } }
}

/// A sentence without `Job a: ` or `CronJob a: ` at its beginning.
pub(super) fn without_subject(summary: &str) -> &str {
    let rest = ["Job ", "CronJob "].iter().find_map(|kind| summary.strip_prefix(kind));
    match rest.and_then(|rest| rest.split_once(": ")) {
        Some((name, sentence)) if !name.contains(' ') => sentence,
        _ => summary,
    }
}

/// A link to the page of an owner; a text if the owner is unknown.
pub(super) fn owner(root: &Root, namespace: &str, owner: &Owner) -> Markup {
    html! {
        @if owner.name.is_empty() || namespace.is_empty() {
            (text::name(&owner.name))
        } @else {
            a href=(root.owner(namespace, &owner.kind, &owner.name)) { (text::name(&owner.name)) }
        }
    }
}

/// A link to the page of the Job of an event.
pub(super) fn job(root: &Root, event: &Listed) -> Markup {
    html! {
        @if event.name.is_empty() || event.namespace.is_empty() {
            (text::name(&event.name))
        } @else {
            a href=(root.job(&event.namespace, &event.name, uid(event))) { (text::name(&event.name)) }
        }
    }
}

fn uid(event: &Listed) -> Option<&str> {
    Some(&*event.uid).filter(|uid| !uid.is_empty())
}

/// The heading of a list, and a sentence beside it.
pub(super) fn heading(id: &str, title: &str, note: &str) -> Markup {
    html! {
        header {
            h2 id=(id) { (title) }
            @if !note.is_empty() { p { (note) } }
        }
    }
}

/// Stalled Jobs.
pub(super) fn stalls(root: &Root, stalls: &[Stall], now: Timestamp) -> Markup {
    html! {
        ol.list.card {
            @for stall in stalls {
                @let event = &stall.event;
                li.stalled data-id=(event.id) {
                    div.line {
                        h3 { (job(root, event)) }
                        span.muted { (text::name(&event.namespace)) }
                        (cause(&event.cause))
                        span.end { "for " (job_event::span::span(stall.stalled_for)) }
                    }
                    (sentence(&event.summary))
                    p.facts-line {
                        span { "owner " (owner(root, &event.namespace, &event.owner)) }
                        @if let Some(since) = event.since { span { "since " (words::both(since, now)) } }
                    }
                }
            }
        }
    }
}

/// A cause as a tag.
pub(super) fn cause(cause: &str) -> Markup {
    html! { @if !cause.is_empty() { span.tag { (text::name(cause)) } } }
}

/// The next run of a CronJob, if it is known.
pub(super) fn next_run(next: Option<Timestamp>, now: Timestamp) -> Markup {
    html! { @if let Some(next) = next { span { "next run " (words::both(next, now)) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_not_repeated() {
        assert_eq!(without_subject("Job a: Failed: b"), "Failed: b");
        assert_eq!(without_subject("CronJob c: The run"), "The run");
        assert_eq!(without_subject("Job a b: c"), "Job a b: c");
        assert_eq!(without_subject("Failed: b"), "Failed: b");
    }
}
