//! The text output of the demo. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use job_event::attributes as attr;
use simulator::otlp_intake::{PointValue, ReceivedPoint, ReceivedRecord};

use super::container_metric::ContainerMetric;

/// Line width if the terminal's width is unknown.
pub(super) const DEFAULT_WIDTH: usize = 80;
/// Column of an event's details: below the name of its Job.
const INDENT: usize = 18;
/// Narrower than this no text is wrapped.
const NARROWEST: usize = 30;

/// The capabilities of the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Use ANSI colours.
    pub colour: bool,
    /// The width of a line, in characters.
    pub width: usize,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn outcome(self, outcome: &str) -> String {
        let code = match outcome {
            "Failed" => "31;1",
            "Succeeded" => "32",
            _ => "33",
        };
        self.paint(code, &format!("{outcome:<9}"))
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// The Job an event is about, or the CronJob of missed runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl JobName {
    /// The Job of an event, or the CronJob.
    pub(super) fn of(record: &ReceivedRecord) -> JobName {
        let name = match &*record.event_name {
            attr::MISSED_EVENT => text(&record.resource, attr::CRONJOB_NAME),
            _ => text(&record.attributes, attr::JOB_NAME),
        };
        JobName {
            namespace: text(&record.resource, attr::NAMESPACE_NAME),
            name,
        }
    }
}

/// An event in words.
struct Verdict {
    /// `Failed`, `Succeeded`, ...; `Stalled`, `Recovered` or `Missed`.
    outcome: String,
    /// The reason of a failure or of missed runs.
    reason: String,
    cause: String,
    category: String,
}

impl Verdict {
    fn of(record: &ReceivedRecord) -> Verdict {
        let get = |key| text(&record.attributes, key);
        let (outcome, [reason, cause, category]) = match &*record.event_name {
            attr::STALLED_EVENT => ("Stalled".into(), ["", attr::STALL_CAUSE, attr::STALL_CATEGORY]),
            attr::RECOVERED_EVENT => ("Recovered".into(), ["", attr::STALL_CAUSE, ""]),
            attr::MISSED_EVENT => ("Missed".into(), [attr::MISSED_REASON, "", ""]),
            _ => {
                let keys = [attr::FAILURE_REASON, attr::FAILURE_CAUSE, attr::FAILURE_CATEGORY];
                (get(attr::OUTCOME), keys)
            }
        };
        Verdict {
            outcome,
            reason: get(reason),
            cause: get(cause),
            category: get(category),
        }
    }

    /// True if something is wrong, so that other metrics should show it, too.
    fn is_problem(&self) -> bool {
        matches!(&*self.outcome, "Failed" | "Stalled" | "Missed")
    }

    /// `BackoffLimitExceeded, cause NonZeroExit (application)`.
    fn line(&self) -> String {
        let cause = Some(format!("cause {} ({})", self.cause, self.category)).filter(|_| !self.cause.is_empty());
        let reason = Some(self.reason.clone()).filter(|reason| !reason.is_empty());
        let parts: Vec<String> = reason.into_iter().chain(cause).collect();
        parts.join(", ")
    }
}

fn text(attributes: &BTreeMap<String, serde_json::Value>, key: &str) -> String {
    attributes
        .get(key)
        .and_then(|v| v.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn clock(time: Duration) -> String {
    format!("{:>2}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// One event. `time` is the time of the cluster since the start of the demo.
pub(super) fn arrival(style: Style, time: Duration, record: &ReceivedRecord, metric: &ContainerMetric) -> String {
    let job = JobName::of(record);
    let verdict = Verdict::of(record);
    let mut out = format!("{}  {}  ", style.dim(&clock(time)), style.outcome(&verdict.outcome));
    let line = Some(verdict.line())
        .filter(|_| verdict.is_problem())
        .unwrap_or_default();
    let paint = |line: &str| match verdict.cause.is_empty() {
        true => line.to_owned(),
        false => line.replacen(&verdict.cause, &style.paint("1", &verdict.cause), 1),
    };
    style.write_beside(&mut out, (&job.name, &job.name), &line, paint);
    let body = record.body.as_str().unwrap_or_default();
    let sentence = body
        .split_once(&format!("Job {}: ", job.name))
        .map_or(body, |(_, sentence)| sentence);
    style.write_below(&mut out, sentence, str::to_owned);
    if verdict.is_problem() {
        let reason = metric.reason(&job.namespace, &job.name).unwrap_or("no reason yet");
        let line = format!("container-status metric: {reason}");
        style.write_below(&mut out, &line, |line| style.dim(line));
    }
    out
}

/// A new reason of the container-status metric for a Job.
pub(super) fn container_metric(style: Style, time: Duration, job: &str, reason: &str) -> String {
    let mut out = style.dim(&format!("{}  {:<9}  ", clock(time), ""));
    let text = format!("container-status metric changed to: {reason}");
    style.write_beside(&mut out, (job, &style.dim(job)), &text, |line| style.dim(line));
    out
}

/// A text in lines of at most `width` characters.
pub(super) fn paragraph(text: &str, width: usize) -> String {
    wrap(text, width.max(NARROWEST))
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

impl Style {
    /// The width of a line below the name of a Job.
    fn room(self) -> usize {
        self.width.saturating_sub(INDENT).max(NARROWEST)
    }

    /// Writes the name of a Job (plain and painted), and a text beside it if it fits, else below it.
    fn write_beside(self, out: &mut String, (name, painted): (&str, &str), text: &str, paint: impl Fn(&str) -> String) {
        out.push_str(painted);
        let fits = characters(name) + 2 + characters(text) <= self.room();
        if fits && !text.is_empty() {
            let _ = write!(out, "  {}", paint(text));
        }
        out.push('\n');
        if !fits {
            self.write_below(out, text, paint);
        }
    }

    /// Writes a text below a Job's name.
    fn write_below(self, out: &mut String, text: &str, paint: impl Fn(&str) -> String) {
        for line in wrap(text, self.room()) {
            let _ = writeln!(out, "{}{}", " ".repeat(INDENT), paint(&line));
        }
    }
}

/// The reported Jobs beside the reasons of the container-status metric, then the received sums.
pub(super) fn totals(
    style: Style,
    records: &[ReceivedRecord],
    points: &[ReceivedPoint],
    metric: &ContainerMetric,
) -> String {
    // If not all columns fit, the reason is left out first, then the outcome.
    const DISPENSABLE: &[usize] = &[2, 1];
    let mut rows = vec![["Job", "outcome", "reason", "cause", "container-status metric, at best"].map(str::to_owned)];
    for record in records {
        let job = JobName::of(record);
        let verdict = Verdict::of(record);
        let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        rows.push([
            job.name.clone(),
            verdict.outcome,
            or_dash(verdict.reason),
            or_dash(verdict.cause),
            metric
                .reason(&job.namespace, &job.name)
                .unwrap_or("no reason")
                .to_owned(),
        ]);
    }
    let mut out = style.paint("1", "Reported Jobs, and the reason of a container-status metric") + "\n\n";
    out.push_str(&table(&rows, style.width, DISPENSABLE));
    out.push('\n');
    out.push_str(&style.paint("1", "Delta sums received by the OTLP intake"));
    out.push_str("\n\n");
    out.push_str(&table(&sums(points), style.width, &[]));
    out
}

/// The total of each series of delta sums.
fn sums(points: &[ReceivedPoint]) -> Vec<[String; 3]> {
    let mut series: BTreeMap<(String, String), f64> = BTreeMap::new();
    for point in points {
        let (PointValue::Int(_) | PointValue::Double(_), Some(_)) = (&point.value, point.temporality) else {
            continue;
        };
        let value = match point.value {
            PointValue::Int(i) => i as f64,
            PointValue::Double(d) => d,
            _ => 0.0,
        };
        let tags: Vec<String> = owner(&point.resource)
            .into_iter()
            .chain(point.attributes.iter().map(|(k, v)| format!("{k}={v}")))
            .collect();
        *series.entry((point.metric.clone(), tags.join(" "))).or_default() += value;
    }
    let mut rows = vec![["metric", "value", "tags"].map(str::to_owned)];
    rows.extend(
        series
            .into_iter()
            .map(|((metric, tags), value)| [metric, value.to_string(), tags]),
    );
    rows
}

/// The owner as the tag that Datadog derives from the resource attribute.
fn owner(resource: &BTreeMap<String, String>) -> Option<String> {
    [(attr::CRONJOB_NAME, "kube_cronjob"), (attr::JOB_NAME, "kube_job")]
        .iter()
        .find_map(|(key, tag)| resource.get(*key).map(|name| format!("{tag}={name}")))
}

/// A table with a head that fits into `width`: texts with spaces, heads and the last column are wrapped first, then
/// columns are left out, in the order of `dispensable`.
fn table<const N: usize>(rows: &[[String; N]], width: usize, dispensable: &[usize]) -> String {
    let mut columns: Vec<usize> = (0..N).collect();
    let mut dispensable = dispensable.iter();
    let longest =
        |column: usize, measure: fn(&str) -> usize| rows.iter().map(|row| measure(&row[column])).max().unwrap_or(0);
    let widths = loop {
        let natural: Vec<usize> = columns.iter().map(|column| longest(*column, characters)).collect();
        let least: Vec<usize> = columns.iter().map(|column| longest(*column, longest_word)).collect();
        let room = width.saturating_sub(2 * columns.len());
        if natural.iter().sum::<usize>() <= room {
            break natural;
        }
        let spare = room.checked_sub(least.iter().sum());
        match (spare, dispensable.next()) {
            (None, Some(column)) => columns.retain(|other| other != column),
            (spare, _) => {
                // The first columns get the remaining width.
                let mut spare = spare.unwrap_or(0);
                let grow = |(least, natural): (usize, usize)| {
                    let more = (natural - least).min(spare);
                    spare -= more;
                    least + more
                };
                break least.into_iter().zip(natural).map(grow).collect();
            }
        }
    };
    let mut out = String::new();
    for row in rows {
        let cells: Vec<Vec<String>> = columns
            .iter()
            .zip(&widths)
            .map(|(column, width)| wrap(&row[*column], *width))
            .collect();
        for number in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                let part = cell.get(number).map_or("", String::as_str);
                let _ = write!(line, "  {part:<width$}");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

fn longest_word(text: &str) -> usize {
    text.split_whitespace().map(characters).max().unwrap_or(0)
}

/// Breaks a text at spaces into lines of at most `width` characters; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), Vec::<String>::new());
    }

    fn rows() -> Vec<[String; 3]> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        vec![row(["a", "column", "two words"]), row(["ccc", "d", "x=1 y=2 z=3"])]
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            table(&rows(), 80, &[1]),
            "  a    column  two words\n  ccc  d       x=1 y=2 z=3\n"
        );
    }

    #[test]
    fn narrow_tables_wrap_and_then_leave_columns_out() {
        assert_eq!(
            table(&rows(), 22, &[1]),
            "  a    column  two\n               words\n  ccc  d       x=1 y=2\n               z=3\n"
        );
        assert_eq!(
            table(&rows(), 17, &[1]),
            "  a    two words\n  ccc  x=1 y=2\n       z=3\n"
        );
    }

    #[test]
    fn wraps_long_text_below_the_name() {
        let style = Style {
            colour: false,
            width: 60,
        };
        let time = Duration::from_secs(65);
        assert_eq!(
            container_metric(style, time, "j", "error"),
            " 1:05             j\n                  container-status metric changed to: error\n"
        );
        let wide = Style {
            colour: false,
            width: 100,
        };
        assert_eq!(
            container_metric(wide, time, "j", "error"),
            " 1:05             j  container-status metric changed to: error\n"
        );
    }
}
