//! What the demo writes for people. Pure: arrivals in, text out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use job_event::attributes as attr;
use simulator::otlp_intake::{Point, PointValue, Record};

use super::container_metric::ContainerMetric;

/// Text with or without colour.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether to use ANSI colours: only on a terminal.
    pub colour: bool,
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

/// The Job an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl JobName {
    /// The Job of an event.
    pub fn of(record: &Record) -> JobName {
        JobName {
            namespace: text(&record.resource, attr::NAMESPACE_NAME),
            name: text(&record.attributes, attr::JOB_NAME),
        }
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

/// One event, as it arrives. `time` is the cluster's time since the demo began.
pub fn arrival(style: Style, time: Duration, record: &Record, metric: &ContainerMetric) -> String {
    let job = JobName::of(record);
    let outcome = text(&record.attributes, attr::OUTCOME);
    let mut out = format!("{}  {}  {}", style.dim(&clock(time)), style.outcome(&outcome), job.name);
    if outcome == "Failed" {
        let _ = write!(
            out,
            "  {}, cause {} ({})",
            text(&record.attributes, attr::FAILURE_REASON),
            style.paint("1", &text(&record.attributes, attr::FAILURE_CAUSE)),
            text(&record.attributes, attr::FAILURE_CATEGORY),
        );
    }
    out.push('\n');
    let indent = " ".repeat(18);
    let body = record.body.as_str().unwrap_or_default();
    let sentence = body.strip_prefix(&format!("Job {}: ", job.name)).unwrap_or(body);
    for line in wrap(sentence, 100) {
        let _ = writeln!(out, "{indent}{line}");
    }
    if outcome == "Failed" {
        let said = metric.about(&job.namespace, &job.name).unwrap_or("nothing yet");
        let _ = writeln!(
            out,
            "{indent}{}",
            style.dim(&format!("a container-status metric says: {said}"))
        );
    }
    out
}

/// A container-status metric says something new about a Job.
pub fn container_metric(style: Style, time: Duration, job: &str, reason: &str) -> String {
    style.dim(&format!(
        "{}  {:<9}  {job}  a container-status metric now says: {reason}",
        clock(time),
        ""
    )) + "\n"
}

/// Every Job that was reported beside what a container-status metric said of it, then the sums that arrived.
pub fn totals(style: Style, records: &[Record], points: &[Point], metric: &ContainerMetric) -> String {
    let mut rows = vec![["Job", "outcome", "reason", "cause", "container-status metric, at best"].map(str::to_owned)];
    for record in records {
        let job = JobName::of(record);
        let outcome = text(&record.attributes, attr::OUTCOME);
        let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        rows.push([
            job.name.clone(),
            outcome,
            or_dash(text(&record.attributes, attr::FAILURE_REASON)),
            or_dash(text(&record.attributes, attr::FAILURE_CAUSE)),
            metric.about(&job.namespace, &job.name).unwrap_or("nothing").to_owned(),
        ]);
    }
    let mut out = style.paint("1", "What happened, and what a container-status metric made of it") + "\n\n";
    out.push_str(&table(&rows));
    out.push('\n');
    out.push_str(&style.paint("1", "Sums that arrived at the OTLP intake (delta)"));
    out.push_str("\n\n");
    out.push_str(&table(&sums(points)));
    out
}

/// The sums of all delta sums, a row for each series.
fn sums(points: &[Point]) -> Vec<[String; 3]> {
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

/// The owner as the tag that Datadog makes of the resource attribute.
fn owner(resource: &BTreeMap<String, String>) -> Option<String> {
    [(attr::CRONJOB_NAME, "kube_cronjob"), (attr::JOB_NAME, "kube_job")]
        .iter()
        .find_map(|(key, tag)| resource.get(*key).map(|name| format!("{tag}={name}")))
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, " {cell:<width$} ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Breaks a text at spaces into lines of at most `width` characters; a longer word stands alone.
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

    #[test]
    fn columns_line_up() {
        let rows = [["a".into(), "bb".into()], ["ccc".into(), "d".into()]];
        assert_eq!(table(&rows), "  a    bb\n  ccc  d\n");
    }
}
