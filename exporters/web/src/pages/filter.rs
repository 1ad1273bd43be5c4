//! The filter of the overview: a plain form whose state is the URL.

use maud::{Markup, html};

use crate::pages::choices::Choices;
use crate::pages::layout::Root;
use crate::pages::text;
use crate::views::{EventKind, Filter};

/// Periods of the select.
const PERIODS: [(&str, &str); 5] = [
    ("15m", "last 15 min"),
    ("1h", "last hour"),
    ("6h", "last 6 h"),
    ("24h", "last 24 h"),
    ("168h", "last 7 days"),
];
const OUTCOMES: [&str; 4] = ["Failed", "Succeeded", "Deleted", "Replaced"];

/// The form. Keys of the filter that have no field stay in the URL.
pub(super) fn form(root: &Root, filter: &Filter, choices: &Choices) -> Markup {
    let since = filter.since.as_ref().map(|since| since.text.clone());
    html! {
        form.filter.card.pad role="search" aria-label="Filter" method="get" action=(root.to("")) {
            div.field.text {
                label for="q" { "Text" }
                input id="q" name="q" type="search" value=(filter.q) autocomplete="off" placeholder="name, cause or words";
            }
            (select("namespace", "Namespace", &filter.namespace, &choices.namespaces))
            (owner(filter, choices))
            (select("cause", "Cause", &filter.cause, &choices.causes))
            (select("outcome", "Outcome", &filter.outcome, &OUTCOMES.map(str::to_owned)))
            div.field {
                label for="since" { "Since" }
                select id="since" name="since" {
                    option value="" { "any time" }
                    @for (value, label) in PERIODS {
                        option value=(value) selected[since.as_deref() == Some(value)] { (label) }
                    }
                    @if let Some(other) = since.as_deref().filter(|since| PERIODS.iter().all(|(value, _)| value != since)) {
                        option value=(other) selected { (text::name(other)) }
                    }
                }
            }
            (further(filter))
            div.send {
                button.main type="submit" { "Filter" }
                @if !filter.is_empty() { a.button href=(root.to("")) { "Clear" } }
            }
        }
    }
}

fn select(name: &str, label: &str, selected: &[String], known: &[String]) -> Markup {
    let first = selected.first();
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { "any" }
                @for value in known { option value=(value) selected[first == Some(value)] { (text::name(value)) } }
                @if let Some(value) = first.filter(|value| !known.contains(value)) {
                    option value=(value) selected { (text::name(value)) }
                }
            }
        }
    }
}

fn owner(filter: &Filter, choices: &Choices) -> Markup {
    html! {
        div.field {
            label for="owner" { "Owner" }
            input id="owner" name="owner" list="owners" autocomplete="off" placeholder="any"
                value=(filter.owner.first().map(String::as_str).unwrap_or_default());
            datalist id="owners" { @for owner in &choices.owners { option value=(owner) {} } }
        }
    }
}

/// Conditions without a field, and further values of a field.
fn further(filter: &Filter) -> Markup {
    let hidden = |name: &str, values: &[String]| {
        html! { @for value in values { input type="hidden" name=(name) value=(value); } }
    };
    let rest = |values: &[String]| values.get(1..).unwrap_or_default().to_vec();
    let events: Vec<String> = filter
        .event
        .iter()
        .copied()
        .map(EventKind::as_str)
        .map(str::to_owned)
        .collect();
    html! {
        @for (name, values) in [("namespace", &filter.namespace), ("owner", &filter.owner), ("cause", &filter.cause),
            ("outcome", &filter.outcome)] {
            (hidden(name, &rest(values)))
        }
        @for (name, values) in [("kind", &filter.kind), ("job", &filter.job), ("category", &filter.category),
            ("reason", &filter.reason), ("event", &events)] {
            (hidden(name, values))
        }
    }
}

/// The query of the URL with one more condition.
pub(super) fn with(filter: &Filter, change: impl FnOnce(&mut Filter)) -> String {
    let mut changed = filter.clone();
    change(&mut changed);
    changed.query()
}
