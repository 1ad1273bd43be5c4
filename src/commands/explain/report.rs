//! The output: text for people, records for programs.

use jiff::Timestamp;
use job_judge::report::{self, ExplainRecord};
use job_judge::{JudgedAttempt, stall};
use serde::Serialize;

use super::layout::Layout;
use super::overview::Overview;
use super::{AnswerSource, Explained, Failure};
use crate::cli::Format;
use crate::terminal;

/// The record of a Job, for programs.
#[derive(Serialize)]
struct JobLine<'a> {
    #[serde(flatten)]
    record: ExplainRecord,
    /// The attempts that ended, oldest first, at most the latest 100.
    attempts: &'a [JudgedAttempt],
    notes: &'a [String],
    start_time: Option<Timestamp>,
    decision_time: Option<Timestamp>,
    /// From start to decision, seconds.
    duration: Option<f64>,
    source: AnswerSource,
    /// Only for a stalled Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    stalled_since: Option<Timestamp>,
}

impl JobLine<'_> {
    fn new(job: &Explained) -> JobLine<'_> {
        let start_time = job.evidence.job.status.start_time;
        let decision_time = job.evidence.job.decided_at();
        let duration = start_time
            .zip(decision_time)
            .map(|(start, decided)| decided.duration_since(start).as_secs_f64());
        JobLine {
            record: ExplainRecord::new(&job.evidence, &job.judgement),
            attempts: &job.judgement.attempts,
            notes: &job.notes,
            start_time,
            decision_time,
            duration,
            source: job.source,
            stalled_since: job.stalled_since,
        }
    }
}

/// The output, Job by Job.
pub(super) struct Report {
    format: Format,
    pub layout: Layout,
    pub text: String,
}

impl Report {
    /// Fitted to the terminal.
    pub(super) fn new(format: Format) -> Report {
        Report {
            format,
            layout: Layout {
                width: terminal::width(),
                colour: terminal::colours(&std::io::stdout()),
            },
            text: String::new(),
        }
    }

    /// Adds a Job.
    pub(super) fn add(&mut self, job: &Explained) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.text.push_str(&json_line(&JobLine::new(job))?),
            Format::Text => {
                let text = text(job);
                self.separate();
                self.text.push_str(&self.layout.lay_out(&text, job.judgement.outcome));
                for line in job.log.iter().flat_map(|log| &log.lines) {
                    self.text.push_str(&format!("  | {line}\n"));
                }
            }
        }
        Ok(())
    }

    /// Adds a CronJob with its runs: before them for people, after them for programs, which read one Job a line.
    pub(super) fn add_cronjob(&mut self, overview: Option<&Overview>, runs: &[Explained]) -> Result<(), Failure> {
        if let (Format::Text, Some(overview)) = (self.format, overview) {
            self.add_text(&overview.text());
        }
        for run in runs {
            self.add(run)?;
        }
        if let (Format::Json, Some(overview)) = (self.format, overview) {
            self.text.push_str(&json_line(overview)?);
        }
        Ok(())
    }

    /// Adds a paragraph for people.
    pub(super) fn add_text(&mut self, text: &str) {
        self.separate();
        self.text.push_str(&self.layout.wrapped(text));
    }

    fn separate(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

/// A Job as text, without its log.
fn text(job: &Explained) -> String {
    let mut text = report::text(&job.evidence, &job.judgement);
    match job.source {
        AnswerSource::Collector => text.push_str("  source:   collector\n"),
        AnswerSource::Cluster => text.push_str("  source:   cluster\n"),
        AnswerSource::Recording => {}
    }
    for note in &job.notes {
        text.push_str(&format!("  note:     {note}\n"));
    }
    if let Some(log) = &job.log {
        text.push_str(&format!("  log:      {}\n", log.head));
    }
    text
}

/// The record of a Job without what changes with the time alone: how long a stall lasts.
pub(super) fn timeless(job: &Explained, now: Timestamp) -> Result<String, Failure> {
    let mut line = JobLine::new(job);
    if let Some(stall) = stall(&job.evidence, now).filter(|_| !job.has_ended()) {
        line.record.summary = format!("{}: {}", stall.cause.as_str(), stall.why);
    } else if job.stalled_since.is_some() {
        line.record.summary.clear();
    }
    json_line(&line)
}

/// A record on one line.
pub(super) fn json_line(record: &impl Serialize) -> Result<String, Failure> {
    let line = serde_json::to_string(record);
    line.map(|line| line + "\n")
        .map_err(|error| Failure::Runtime(format!("cannot write a record: {error}")))
}
