//! The timeline of the last 24 hours: a chart that the server draws, and the same numbers as a table.
//!
//! Problems are above the axis and successes below it, each with a scale of its own, so that one failure among ten thousand
//! successes stays visible.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::pages::outcome::Look;
use crate::pages::words;
use crate::views::{Bucket, Timeline};

/// The height of the part above the axis, percent.
const ABOVE: f64 = 68.0;
/// The height of the part below it, percent.
const BELOW: f64 = 100.0 - ABOVE;
/// The least height of a count that is not zero, percent.
const LEAST: f64 = 3.0;

/// The chart with its legend and its table.
pub(super) fn chart(timeline: &Timeline) -> Markup {
    let most_problems = timeline.buckets.iter().map(problems).max().unwrap_or(0);
    let most_succeeded = timeline
        .buckets
        .iter()
        .map(|bucket| u64::from(bucket.succeeded))
        .max()
        .unwrap_or(0);
    let width = 100.0 / timeline.buckets.len().max(1) as f64;
    let bar = |(index, bucket): (usize, &Bucket)| {
        let left = width * index as f64;
        html! {
            g {
                title { (label(timeline, bucket)) }
                rect.hit x=(percent(left)) y="0" width=(percent(width)) height="100%" {}
                (stack(bucket, left + width * 0.12, width * 0.76, most_problems))
                (below(bucket, left + width * 0.12, width * 0.76, most_succeeded))
            }
        }
    };
    html! {
        figure.chart {
            figcaption {
                h2 { "Last 24 hours" }
                (keys())
            }
            svg.plot role="img" aria-label=(summary(timeline)) {
                (patterns())
                line.grid x1="0" x2="100%" y1="0.5" y2="0.5" {}
                @for entry in timeline.buckets.iter().enumerate() { (bar(entry)) }
                line.axis x1="0" x2="100%" y1=(percent(ABOVE)) y2=(percent(ABOVE)) {}
                @if most_problems > 0 { text.scale x="2" y="13" { (words::grouped(most_problems)) } }
                @if most_succeeded > 0 { text.scale x="100%" y="100%" dy="-3" text-anchor="end" { (words::grouped(most_succeeded)) " succeeded" } }
            }
            div.ticks aria-hidden="true" { @for hour in ticks(timeline) { span { (hour.strftime("%H:%M")) } } }
            (table(timeline))
        }
    }
}

/// The patterns of counts that are neither failures nor successes: lines, dots, a grid.
pub(super) fn patterns() -> Markup {
    let patterns = [
        (Look::Stalled, "M0 3H6"),
        (Look::Missed, "M1.5 1.5H3.5"),
        (Look::Other, "M3 0V6"),
    ];
    html! {
        defs {
            @for (look, path) in patterns {
                pattern id={ "pattern-" (look.class()) } class=(look.class()) width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    path.pattern d=(path) {}
                }
            }
        }
    }
}

fn problems(bucket: &Bucket) -> u64 {
    u64::from(bucket.failed) + u64::from(bucket.stalled) + bucket.missed
}

/// The problems of a bucket, failures at the axis.
fn stack(bucket: &Bucket, left: f64, width: f64, most: u64) -> Markup {
    let counts = [
        (Look::Failed, u64::from(bucket.failed)),
        (Look::Stalled, u64::from(bucket.stalled)),
        (Look::Missed, bucket.missed),
    ];
    let mut top = ABOVE;
    let mut parts = Vec::with_capacity(counts.len());
    for (look, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        // The least heights may not lift a stack above the plot.
        let height = scaled(count, most, ABOVE - 2.0).min(top);
        top -= height;
        parts.push((look, top, height));
    }
    html! { @for (look, top, height) in parts { (block(look, [left, top, width, height])) } }
}

fn below(bucket: &Bucket, left: f64, width: f64, most: u64) -> Markup {
    let height = scaled(u64::from(bucket.succeeded), most, BELOW);
    html! { @if bucket.succeeded > 0 { (block(Look::Succeeded, [left, ABOVE, width, height])) } }
}

fn scaled(count: u64, most: u64, height: f64) -> f64 {
    (count as f64 / most.max(1) as f64 * height).max(LEAST)
}

/// A block of a bar, in percent of the plot: left, top, width and height.
pub(super) fn block(look: Look, [left, top, width, height]: [f64; 4]) -> Markup {
    let (x, y, width, height) = (percent(left), percent(top), percent(width), percent(height));
    let has_pattern = matches!(look, Look::Stalled | Look::Missed | Look::Other);
    html! {
        g class=(look.class()) {
            @if has_pattern {
                rect.pale x=(x) y=(y) width=(width) height=(height) rx="1" {}
                rect x=(x) y=(y) width=(width) height=(height) fill={ "url(#pattern-" (look.class()) ")" } {}
            } @else {
                rect.fill x=(x) y=(y) width=(width) height=(height) rx="1" {}
            }
        }
    }
}

/// A number with at most two decimals, and a percent sign.
pub(super) fn percent(number: f64) -> String {
    let text = format!("{number:.2}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn keys() -> Markup {
    let key = |look: Look, text: &str| {
        html! { li.key { span class={ "outcome " (look.class()) } { (look.shape()) } (text) } }
    };
    html! {
        ul.keys aria-label="Legend" {
            (key(Look::Failed, "failed"))
            (key(Look::Stalled, "stalled"))
            (key(Look::Missed, "missed"))
            (key(Look::Succeeded, "succeeded (below the line, own scale)"))
        }
    }
}

/// Five times at equal distances.
fn ticks(timeline: &Timeline) -> Vec<Timestamp> {
    let (start, end) = (timeline.start.as_second(), timeline.end.as_second());
    let at = |part: i64| Timestamp::from_second(start + (end - start) * part / 4).unwrap_or(timeline.end);
    (0..=4).map(at).collect()
}

fn period(timeline: &Timeline, bucket: &Bucket) -> String {
    let end = Timestamp::from_second(bucket.start.as_second() + timeline.bucket_seconds).unwrap_or(bucket.start);
    format!("{}–{} UTC", bucket.start.strftime("%H:%M"), end.strftime("%H:%M"))
}

fn label(timeline: &Timeline, bucket: &Bucket) -> String {
    let counts = [
        (u64::from(bucket.failed), "failed"),
        (u64::from(bucket.stalled), "stalled"),
        (bucket.missed, "missed"),
        (u64::from(bucket.succeeded), "succeeded"),
        (u64::from(bucket.deleted), "deleted or replaced"),
    ];
    let present = counts.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = present
        .map(|(count, word)| format!("{} {word}", words::grouped(count)))
        .collect();
    let words = if words.is_empty() {
        "no events".to_owned()
    } else {
        words.join(", ")
    };
    format!("{}: {words}", period(timeline, bucket))
}

/// The chart in one sentence.
fn summary(timeline: &Timeline) -> String {
    let sum = |count: fn(&Bucket) -> u64| words::grouped(timeline.buckets.iter().map(count).sum());
    format!(
        "The last 24 hours: {} failed, {} stalled, {} missed, {} succeeded. The table below has the numbers.",
        sum(|bucket| u64::from(bucket.failed)),
        sum(|bucket| u64::from(bucket.stalled)),
        sum(|bucket| bucket.missed),
        sum(|bucket| u64::from(bucket.succeeded)),
    )
}

/// The same numbers as text; periods without events are omitted.
fn table(timeline: &Timeline) -> Markup {
    let deleted = |bucket: &Bucket| u64::from(bucket.deleted);
    let rows = || {
        timeline
            .buckets
            .iter()
            .rev()
            .filter(|bucket| problems(bucket) + u64::from(bucket.succeeded) + deleted(bucket) > 0)
    };
    html! {
        details id="timeline-table" {
            summary { "As a table" }
            @if rows().next().is_none() {
                p.muted { "No events in the last 24 hours." }
            } @else {
                table.table.stack {
                    thead {
                        tr {
                            th scope="col" { "Period" }
                            @for name in ["Failed", "Stalled", "Missed", "Succeeded"] { th.number scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for bucket in rows() {
                            tr {
                                th.keep scope="row" { (period(timeline, bucket)) }
                                td.number data-label="Failed" { (bucket.failed) }
                                td.number data-label="Stalled" { (bucket.stalled) }
                                td.number data-label="Missed" { (bucket.missed) }
                                td.number data-label="Succeeded" { (bucket.succeeded) }
                            }
                        }
                    }
                }
            }
        }
    }
}
