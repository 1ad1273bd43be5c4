//! The status for people: first if it works, then each problem with its next step, then tables. Pure.

use std::fmt::Write;

use collector_runtime::process_status::{ProcessStatus, WatchState};
use escape::one_line;
use jiff::Timestamp;

use super::next_step::{NEARLY_FULL, percent, problems};

/// The capabilities of the terminal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// The characters of a line; `None` for 80.
    pub width: Option<usize>,
    /// ANSI colours.
    pub colour: bool,
}

const RED: &str = "31;1";
const YELLOW: &str = "33";
const GREEN: &str = "32";
/// Narrower terminals would break every word.
const NARROWEST: usize = 40;
const NARROWEST_COLUMN: usize = 8;

impl Layout {
    fn columns(self) -> usize {
        self.width.unwrap_or(80).max(NARROWEST)
    }

    fn paint(self, text: &str, code: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// Adds the text in lines that begin with `first` and then with as many spaces.
    fn wrap(self, out: &mut String, first: &str, text: &str) {
        let indent = first.chars().count();
        let mut line = first.to_owned();
        let mut used = indent;
        for word in one_line(text).split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if used > indent && used + 1 + length > self.columns() {
                let _ = writeln!(out, "{line}");
                line = " ".repeat(indent);
                used = indent;
            }
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        let _ = writeln!(out, "{line}");
    }
}

/// The whole text.
pub(super) fn page(status: &ProcessStatus, source: &str, layout: Layout) -> String {
    let mut out = String::new();
    headline(&mut out, status, source, layout);
    for problem in problems(status) {
        let _ = writeln!(out);
        layout.wrap(&mut out, "! ", &problem.title);
        if let Some(reason) = &problem.reason {
            layout.wrap(&mut out, "  reason: ", reason);
        }
        layout.wrap(&mut out, "  next:   ", problem.next);
    }
    components(&mut out, status, layout);
    queues(&mut out, status, layout);
    watches(&mut out, status, layout);
    leaders(&mut out, status, layout);
    out
}

fn headline(out: &mut String, status: &ProcessStatus, source: &str, layout: Layout) {
    let count = status.unhealthy.len();
    let is_starting = status
        .components
        .iter()
        .all(|component| matches!(component.status.as_str(), "StatusOK" | "StatusStarting"));
    let (word, code) = match (status.alive, status.ready) {
        (false, _) => ("Dead", RED),
        (_, true) => ("Ready", GREEN),
        (_, false) if is_starting => ("Starting", YELLOW),
        (_, false) => ("Not ready", RED),
    };
    let all = status.components.len();
    let components = match count {
        0 if all == 1 => "its component is ok".into(),
        0 => format!("all {all} components are ok"),
        1 if all == 1 => "its component is not ok".into(),
        1 => format!("1 of {all} components is not ok"),
        _ => format!("{count} of {all} components are not ok"),
    };
    let _ = writeln!(out, "{}: {components}", layout.paint(word, code));
    let up = age(status.time.duration_since(status.started).as_secs());
    let about = format!("kube-job-collector {} at {source}, up {up}", status.version);
    layout.wrap(out, "", &about);
}

fn components(out: &mut String, status: &ProcessStatus, layout: Layout) {
    let rows = status.components.iter().map(|component| {
        let (state, code) = match component.status.as_str() {
            "StatusOK" => ("ok", GREEN),
            "StatusStarting" => ("starting", YELLOW),
            "StatusStopped" => ("stopped", YELLOW),
            "StatusPermanentError" => ("dead", RED),
            _ => ("failing", RED),
        };
        let since = since(status.time, component.since);
        Row::new([component.path.clone(), state.into(), since], Some((1, code)))
    });
    table(out, ["COMPONENT", "STATE", "SINCE"], rows.collect(), layout);
}

fn queues(out: &mut String, status: &ProcessStatus, layout: Layout) {
    let rows = status.queues.iter().map(|queue| {
        let percent = percent(queue);
        let code = (percent >= NEARLY_FULL).then_some((2, RED));
        let size = format!("{} of {} {} ({percent} %)", queue.size, queue.capacity, queue.unit);
        Row::new([bare(&queue.exporter), queue.signal.clone(), size], code)
    });
    table(out, ["QUEUE", "SIGNAL", "USED"], rows.collect(), layout);
}

/// One row for each resource: of several namespaces the worst watch, and the sum of restarts.
fn watches(out: &mut String, status: &ProcessStatus, layout: Layout) {
    let mut merged: Vec<(&WatchState, usize, u64)> = Vec::new();
    for watch in &status.watches {
        let same = |(other, ..): &&mut (&WatchState, usize, u64)| {
            (&other.receiver, &other.resource) == (&watch.receiver, &watch.resource)
        };
        match merged.iter_mut().find(same) {
            Some((worst, count, restarts)) => {
                *count += 1;
                *restarts += watch.restarts;
                if badness(watch) > badness(worst) {
                    *worst = watch;
                }
            }
            None => merged.push((watch, 1, watch.restarts)),
        }
    }
    let rows = merged.into_iter().map(|(watch, count, restarts)| {
        let namespaces = match count {
            1 => watch.namespace.clone().unwrap_or_else(|| "all".into()),
            _ => format!("{count} (worst shown)"),
        };
        let code = match watch.state.as_str() {
            "watching" => GREEN,
            "failing" => RED,
            _ => YELLOW,
        };
        let last = watch
            .last_message_age
            .map_or("-".into(), |seconds| age(unsigned(seconds)));
        let row = [
            bare(&watch.receiver),
            watch.resource.clone(),
            namespaces,
            watch.state.clone(),
            last,
            restarts.to_string(),
        ];
        Row::new(row, Some((3, code)))
    });
    let heads = ["WATCH", "RESOURCE", "NAMESPACE", "STATE", "LAST", "RESTARTS"];
    table(out, heads, rows.collect(), layout);
}

fn badness(watch: &WatchState) -> (u8, u64) {
    let state = match watch.state.as_str() {
        "failing" => 3,
        "denied" => 2,
        "listing" => 1,
        _ => 0,
    };
    (state, watch.last_message_age.unwrap_or(0))
}

fn leaders(out: &mut String, status: &ProcessStatus, layout: Layout) {
    let rows = status.leaders.iter().map(|elector| {
        let leader = elector.leader.clone().unwrap_or_else(|| "unknown".into());
        let lease = elector.lease.clone().unwrap_or_else(|| "-".into());
        Row::new([elector.role.clone(), leader, lease], None)
    });
    table(out, ["ROLE HERE", "LEADER", "LEASE"], rows.collect(), layout);
}

struct Row<const N: usize> {
    cells: [String; N],
    /// A cell and its colour.
    colour: Option<(usize, &'static str)>,
}

impl<const N: usize> Row<N> {
    fn new(cells: [String; N], colour: Option<(usize, &'static str)>) -> Self {
        Row {
            cells: cells.map(|cell| one_line(&cell).into_owned()),
            colour,
        }
    }
}

/// An aligned table whose widest columns are cut if it does not fit. Nothing without rows.
fn table<const N: usize>(out: &mut String, heads: [&str; N], rows: Vec<Row<N>>, layout: Layout) {
    if rows.is_empty() {
        return;
    }
    let mut widths: [usize; N] = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    while widths.iter().map(|width| width + 2).sum::<usize>() > layout.columns() + 2 {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST_COLUMN => *widest -= 1,
            _ => break,
        }
    }
    let _ = writeln!(out);
    line(out, &heads.map(str::to_owned), &widths, |_, cell| cell);
    for row in &rows {
        line(out, &row.cells, &widths, |column, cell| match row.colour {
            Some((coloured, code)) if coloured == column => layout.paint(&cell, code),
            _ => cell,
        });
    }
}

fn line(out: &mut String, cells: &[String], widths: &[usize], paint: impl Fn(usize, String) -> String) {
    let mut line = String::new();
    let mut gap = 0;
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let cell = cut(cell, *width);
        let length = cell.chars().count();
        line.push_str(&" ".repeat(gap));
        line.push_str(&paint(column, cell));
        gap = (width + 2).saturating_sub(length);
    }
    let _ = writeln!(out, "{line}");
}

/// At most `width` characters; the end names the thing, so the middle is left out.
fn cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width < 4 {
        return text.to_owned();
    }
    let end = width / 2;
    let begin: String = text.chars().take(width - 1 - end).collect();
    let rest: String = text.chars().skip(length - end).collect();
    format!("{begin}…{rest}")
}

/// The id of a component without its section.
fn bare(path: &str) -> String {
    path.split_once("::").map_or(path, |(_, id)| id).to_owned()
}

fn since(now: Timestamp, time: Timestamp) -> String {
    age(now.duration_since(time).as_secs())
}

fn unsigned(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// A duration with its two largest units.
fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}
