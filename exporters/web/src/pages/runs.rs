//! The runs of an owner as a bar chart: height is the duration, shape and colour the outcome.

use maud::{Markup, html};

use crate::pages::layout::Root;
use crate::pages::outcome::Look;
use crate::pages::timeline::{block, patterns, percent};
use crate::pages::words;
use crate::views::OwnerRun;

/// The most bars.
const MOST: usize = 60;
/// The least height of a bar, percent.
const LEAST: f64 = 3.0;
/// The room above the bars for marks, percent.
const ROOM: f64 = 12.0;

/// The chart, oldest run first; nothing if no run has a duration.
pub(super) fn chart(root: &Root, namespace: &str, newest: &[OwnerRun]) -> Markup {
    let runs: Vec<&OwnerRun> = newest.iter().take(MOST).rev().collect();
    let seconds = |run: &OwnerRun| {
        run.duration
            .filter(|seconds| seconds.is_finite())
            .unwrap_or(0.0)
            .max(0.0)
    };
    let longest = runs.iter().map(|run| seconds(run)).fold(0.0, f64::max);
    // Few runs have bars of the width that many would have.
    let width = 100.0 / runs.len().max(12) as f64;
    let bar = |(index, run): (usize, &&OwnerRun)| {
        let look = Look::of(&run.outcome);
        let height = (seconds(run) / longest.max(f64::MIN_POSITIVE) * (100.0 - ROOM)).max(LEAST);
        let left = width * index as f64;
        let (center, above) = (left + width / 2.0, 100.0 - height);
        html! {
            a href=(root.job(namespace, &run.name, Some(&*run.uid).filter(|uid| !uid.is_empty()))) tabindex="-1" {
                title { (label(run)) }
                rect.hit x=(percent(left)) y="0" width=(percent(width)) height="100%" {}
                (block(look, [left + width * 0.14, above, width * 0.72, height]))
                @if look == Look::Failed {
                    svg.failed x=(percent(center)) y=(percent(above)) width="1" height="1" overflow="visible" {
                        path d="M-3.5 -10 3.5 -3M3.5 -10-3.5 -3" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" {}
                    }
                }
            }
        }
    };
    html! {
        figure.chart {
            figcaption {
                h2 { "Duration of runs" }
                ul.keys aria-label="Legend" {
                    li.key { span.outcome.failed { (Look::Failed.shape()) } "failed" }
                    li.key { span.outcome.succeeded { (Look::Succeeded.shape()) } "succeeded" }
                    li.key { span.outcome.other { (Look::Other.shape()) } "deleted or replaced" }
                }
            }
            svg.plot role="img" aria-label=(summary(&runs, longest)) {
                (patterns())
                line.grid x1="0" x2="100%" y1=(percent(ROOM)) y2=(percent(ROOM)) {}
                @for entry in runs.iter().enumerate() { (bar(entry)) }
                line.axis x1="0" x2="100%" y1="100%" y2="100%" {}
                @if longest > 0.0 { text.scale x="100%" y=(percent(ROOM)) dy="-3" text-anchor="end" { (job_event::span::span(longest)) } }
            }
            div.ticks aria-hidden="true" {
                @if let (Some(first), Some(last)) = (runs.first(), runs.last()) {
                    span { (first.time.strftime("%Y-%m-%d %H:%M")) }
                    @if runs.len() > 12 { span { (last.time.strftime("%Y-%m-%d %H:%M")) } }
                }
            }
        }
    }
}

fn label(run: &OwnerRun) -> String {
    let duration = run
        .duration
        .map(job_event::span::span)
        .unwrap_or_else(|| "not started".into());
    format!(
        "{}: {}, {duration}, {}",
        crate::pages::text::name(&run.name),
        run.outcome,
        words::absolute(run.time)
    )
}

fn summary(runs: &[&OwnerRun], longest: f64) -> String {
    let failed = runs.iter().filter(|run| &*run.outcome == "Failed").count();
    format!(
        "The duration of the latest {}; {failed} of them failed; the longest took {}. The table below has the numbers.",
        words::count(runs.len() as u64, "run"),
        job_event::span::span(longest),
    )
}
