//! `explain`: why Jobs failed, in a cluster now or in a recording.

mod cronjob;
mod events;
mod find;
mod gone;
mod layout;
mod live;
mod logs;
mod notes;
mod overview;
mod reading;
mod recording;
mod stalled;

use jiff::Timestamp;
use job_event::{Evidence, Outcome};
use job_judge::Judgement;
use job_judge::report::{self, ExplainRecord};
use serde::Serialize;

use super::Failure;
use crate::cli::{ExplainArgs, Format};
use crate::terminal;
use layout::Layout;
pub(crate) use live::client;
use overview::Overview;

/// The answer, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExplainAnswer {
    /// No Job failed.
    NoneFailed,
    /// At least one Job failed.
    Failed,
    /// No Job failed, and at least one is stalled or did not start.
    Stalled,
}

impl ExplainAnswer {
    /// The answer if something is stalled besides.
    fn or_stalled(self) -> ExplainAnswer {
        match self {
            ExplainAnswer::Failed => ExplainAnswer::Failed,
            ExplainAnswer::NoneFailed | ExplainAnswer::Stalled => ExplainAnswer::Stalled,
        }
    }
}

/// Explains the Jobs named on the command line. The answer to a readable recording is always
/// [`ExplainAnswer::NoneFailed`].
pub(crate) fn explain(args: &ExplainArgs) -> Result<ExplainAnswer, Failure> {
    match &args.recording {
        Some(_) if args.stalled_after.is_some() && !args.events => Err(Failure::Usage(
            "--stalled-after has no effect on a recording without --events; add --events or remove it".into(),
        )),
        Some(path) => recording::explain(path, args).map(|()| ExplainAnswer::NoneFailed),
        None => live::explain(args),
    }
}

/// A Job with its verdict.
struct Explained {
    evidence: Evidence,
    judgement: Judgement,
    /// The beginning of its stall, if it is unfinished and stalled.
    stalled_since: Option<Timestamp>,
    /// Notes for people: one entry a line, without a line break.
    notes: Vec<String>,
    /// The end of the log of the container that failed.
    log: Option<ContainerLog>,
}

/// The record of a Job, for programs.
#[derive(Serialize)]
struct JobLine {
    #[serde(flatten)]
    record: ExplainRecord,
    /// Only for a stalled Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    stalled_since: Option<Timestamp>,
}

/// The end of a log, for people.
struct ContainerLog {
    /// The container, or the reason why the log is unavailable.
    head: String,
    /// Lines without line breaks.
    lines: Vec<String>,
}

/// The output, Job by Job.
struct Report {
    format: Format,
    layout: Layout,
    text: String,
}

impl Report {
    /// Fitted to the terminal.
    fn new(format: Format) -> Report {
        Report {
            format,
            layout: Layout {
                width: terminal::width(),
                colour: terminal::colours(&std::io::stdout()),
            },
            text: String::new(),
        }
    }

    fn add(&mut self, job: &Explained) -> Result<(), Failure> {
        let Explained {
            evidence, judgement, ..
        } = job;
        match self.format {
            Format::Json => {
                self.text.push_str(&json_line(&JobLine {
                    record: ExplainRecord::new(evidence, judgement),
                    stalled_since: job.stalled_since,
                })?);
            }
            Format::Text => {
                if !self.text.is_empty() {
                    self.text.push('\n');
                }
                let mut text = report::text(evidence, judgement);
                for note in &job.notes {
                    text.push_str(&format!("  note:     {note}\n"));
                }
                if let Some(log) = &job.log {
                    text.push_str(&format!("  log:      {}\n", log.head));
                }
                self.text.push_str(&self.layout.lay_out(&text, judgement.outcome));
                for line in job.log.iter().flat_map(|log| &log.lines) {
                    self.text.push_str(&format!("  | {line}\n"));
                }
            }
        }
        Ok(())
    }
}

impl Report {
    /// Adds a CronJob: before its runs for people, after them for programs, which read one Job a line.
    fn add_overview(&mut self, overview: &Overview) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.text.push_str(&json_line(overview)?),
            Format::Text => {
                let gap = if self.text.is_empty() { "" } else { "\n" };
                self.text = format!("{}{gap}{}", self.layout.wrapped(&overview.text()), self.text);
            }
        }
        Ok(())
    }
}

/// A record on one line.
fn json_line(record: &impl Serialize) -> Result<String, Failure> {
    let line = serde_json::to_string(record);
    line.map(|line| line + "\n")
        .map_err(|error| Failure::Runtime(format!("cannot write a record: {error}")))
}

fn answer(jobs: &[Explained]) -> ExplainAnswer {
    if jobs.iter().any(|job| job.judgement.outcome == Outcome::Failed) {
        ExplainAnswer::Failed
    } else if jobs.iter().any(|job| job.stalled_since.is_some()) {
        ExplainAnswer::Stalled
    } else {
        ExplainAnswer::NoneFailed
    }
}
