//! The overview: what fails now, stalled Jobs, missed runs, the last 24 hours and the latest events.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::pages::choices::Choices;
use crate::pages::layout::Root;
use crate::pages::outcome::Look;
use crate::pages::{filter, latest, list, text, timeline, words};
use crate::views::{EventList, FailingGroup, Filter, MissedGroup, Overview, QueryError, Shortened, Totals};

/// The entries of each list without `limit`: with them the page is below 200 KiB.
const LIMIT: usize = 25;
/// The largest `limit`: the lists of the view end there.
const MOST: usize = 100;

/// The query of the page.
pub(super) struct Query {
    pub(super) filter: Filter,
    /// The most entries of each list.
    pub(super) limit: usize,
    /// The latest events begin after this number.
    pub(super) cursor: Option<u64>,
}

/// The data of the page.
pub(super) struct Data {
    pub(super) overview: Overview,
    pub(super) latest: EventList,
    pub(super) choices: Choices,
    /// The start of the collector.
    pub(super) started: Timestamp,
}

impl Query {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// An unknown key, or an invalid value.
    pub(super) fn parse(query: &str) -> Result<Query, QueryError> {
        const KEYS: [&str; 2] = ["limit", "cursor"];
        let (filter, pairs) = Filter::parse(query, &KEYS)?;
        let (mut limit, mut cursor) = (LIMIT, None);
        for (key, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            let number = value.parse::<u64>();
            let invalid = |expected: &str| QueryError {
                message: format!("query key {key}: found {value:?}, expected {expected}"),
                key: key.clone(),
                known: Filter::KEYS.iter().chain(&KEYS).copied().collect(),
            };
            match (&*key, number) {
                ("limit", Ok(number)) if (1..=MOST as u64).contains(&number) => limit = number as usize,
                ("limit", _) => return Err(invalid("a number from 1 to 100")),
                (_, Ok(number)) => cursor = Some(number),
                (_, Err(_)) => return Err(invalid("the number in the link to older events")),
            }
        }
        Ok(Query { filter, limit, cursor })
    }

    /// A query with the same filter and more.
    pub(super) fn and(&self, more: &str) -> String {
        let query = self.filter.query();
        let separator = if query.is_empty() { "" } else { "&" };
        format!("{query}{separator}{more}")
    }
}

/// The content of the page.
pub(super) fn body(root: &Root, query: &Query, data: &Data) -> Markup {
    let overview = &data.overview;
    html! {
        h1.hidden { "Overview" }
        (filter::form(root, &query.filter, &data.choices))
        div.split.top {
            (totals(root, query, overview))
            div.card.pad { (timeline::chart(&overview.timeline)) }
        }
        section.region aria-labelledby="failing" { (failing(root, query, data)) }
        div.split.even {
            section.region aria-labelledby="stalled" { (stalled(root, query, data)) }
            section.region aria-labelledby="missed" { (missed(root, query, overview)) }
        }
        section.region aria-labelledby="latest" { (latest::section(root, query, &data.latest, overview.now)) }
    }
}

fn totals(root: &Root, query: &Query, overview: &Overview) -> Markup {
    let totals = &overview.totals;
    let cell = |look: Look, number: u64, label: &str, href: String| {
        html! {
            div.stat.none[number == 0] {
                dt class=(if number == 0 { "" } else { look.class() }) { (look.shape()) a href=(href) { (label) } }
                dd { (words::grouped(number)) }
            }
        }
    };
    let window = match query.filter.since {
        Some(_) => "in the period",
        None => "in 24 h",
    };
    let failed = filter::with(&query.filter, |filter| filter.outcome = vec!["Failed".into()]);
    html! {
        dl.stats.card {
            (cell(Look::Failed, totals.failing_owners as u64, "failing now", "#failing".into()))
            (cell(Look::Stalled, overview.stalled.total as u64, "stalled now", "#stalled".into()))
            (cell(Look::Missed, totals.missed, &format!("missed runs {window}"), "#missed".into()))
            (cell(Look::Failed, totals.failed, &format!("of {} failed {window}", words::count(totals.failed + totals.succeeded, "Job")),
                root.overview(&failed)))
        }
    }
}

fn failing(root: &Root, query: &Query, data: &Data) -> Markup {
    let failing = &data.overview.failing;
    html! {
        (list::heading("failing", "Failing now", "Owners whose latest run failed, newest first"))
        @if failing.items.is_empty() {
            p.card.empty { (nothing_fails(query, &data.overview.totals, data)) }
        } @else {
            ol.list.card {
                @for group in failing.items.iter().take(query.limit) { (group_entry(root, query, group, data.overview.now)) }
            }
            (more(root, query, failing, "groups"))
        }
    }
}

fn nothing_fails(query: &Query, totals: &Totals, data: &Data) -> Markup {
    let now = data.overview.now;
    let has_filter = !query.filter.is_empty();
    html! {
        @if has_filter {
            strong { "No failing owner matches the filter." } " "
            (words::count(totals.kept as u64, "event")) " stored, " (words::grouped(totals.matching as u64)) " of them match."
        } @else if totals.kept == 0 {
            strong { "No Job has failed since the collector started at " (words::both(data.started, now)) "." }
            " This page shows a Job within seconds of its failure. Jobs that ended before are not reported."
        } @else {
            strong { "The latest run of every owner succeeded." }
            @if let Some(oldest) = totals.oldest {
                " " (words::count(totals.kept as u64, "event")) " stored, the oldest of " (words::both(oldest, now)) "."
            }
        }
    }
}

fn group_entry(root: &Root, query: &Query, group: &FailingGroup, now: Timestamp) -> Markup {
    let event = &group.latest;
    let cause = filter::with(&query.filter, |filter| filter.cause = vec![group.cause.to_string()]);
    let kind = Some(&*group.owner.kind).filter(|kind| *kind != "Job");
    html! {
        li.failed data-id=(event.id) {
            div.line {
                h3 { (list::owner(root, &group.namespace, &group.owner)) }
                span.muted { (text::name(&group.namespace)) @if let Some(kind) = kind { " · " (text::name(kind)) } }
                @if group.cause.is_empty() {
                    span.tag { (text::name(&event.reason)) }
                } @else {
                    a.tag href=(root.overview(&cause)) title="Show this cause only" { (text::name(&group.cause)) }
                }
                @if !group.category.is_empty() { span.muted { (text::name(&group.category)) } }
                span.end { (words::both(event.time, now)) }
            }
            (list::sentence(&event.summary))
            p.facts-line {
                span {
                    @if group.runs == 1 { "1 failed run" } @else {
                        (words::grouped(group.runs as u64)) " failed runs since " (words::ago(group.first, now))
                    }
                }
                span { "latest " (list::job(root, event)) }
                (list::next_run(group.next_run, now))
            }
        }
    }
}

fn stalled(root: &Root, query: &Query, data: &Data) -> Markup {
    let stalled = &data.overview.stalled;
    let shown = stalled.items.get(..query.limit).unwrap_or(&stalled.items);
    html! {
        (list::heading("stalled", "Stalled now", "Unfinished Jobs without progress"))
        @if shown.is_empty() {
            p.card.empty {
                strong { "No Job is stalled." }
                " A Job that makes no progress appears here after the threshold of its cause, and leaves when it recovers or ends."
            }
        } @else {
            (list::stalls(root, shown, data.overview.now))
            (more(root, query, stalled, "stalled Jobs"))
        }
    }
}

fn missed(root: &Root, query: &Query, overview: &Overview) -> Markup {
    let missed = &overview.missed;
    html! {
        (list::heading("missed", "Missed runs", "Runs of CronJobs that did not start"))
        @if missed.items.is_empty() {
            p.card.empty {
                strong { "No run was missed." }
                " A run appears here if its CronJob did not start it in time."
            }
        } @else {
            ol.list.card {
                @for group in missed.items.iter().take(query.limit) { (missed_entry(root, group, overview.now)) }
            }
            (more(root, query, missed, "groups"))
        }
    }
}

fn missed_entry(root: &Root, group: &MissedGroup, now: Timestamp) -> Markup {
    let event = &group.latest;
    html! {
        li.missed data-id=(event.id) {
            div.line {
                h3 { (list::owner(root, &group.namespace, &group.owner)) }
                span.muted { (text::name(&group.namespace)) }
                (list::cause(&group.reason))
                span.end { (words::both(event.time, now)) }
            }
            (list::sentence(&event.summary))
            p.facts-line {
                span { (words::count(group.runs, "run")) " missed" }
                (list::next_run(group.next_run, now))
            }
        }
    }
}

/// A link to more entries, or how to see the rest.
fn more<T>(root: &Root, query: &Query, entries: &Shortened<T>, noun: &str) -> Markup {
    let shown = entries.items.len().min(query.limit);
    html! {
        @if entries.total > shown {
            p.note {
                (words::grouped(shown as u64)) " of " (words::grouped(entries.total as u64)) " " (noun) " shown. "
                @if query.limit < MOST && shown < entries.items.len() {
                    a href=(root.overview(&query.and(&format!("limit={MOST}")))) { "Show more" }
                } @else {
                    "Use the filter to see the rest."
                }
            }
        }
    }
}
