//! `explain`: why Jobs ended as they did, in a cluster as it is now or in a recording.

mod find;
mod layout;
mod live;
mod logs;
mod notes;
mod recording;

use job_event::{Evidence, Outcome};
use job_judge::Judgement;
use job_judge::report::{self, ExplainRecord};

use super::Failure;
use crate::cli::{ExplainArgs, Format};
use crate::terminal;
use layout::Layout;
pub use live::client;

/// What there is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No Job failed.
    NoneFailed,
    /// At least one Job failed.
    Failed,
}

/// Explains what the command line asks for. A recording that could be read is answered with
/// [`Answer::NoneFailed`], whatever is in it.
pub fn explain(args: &ExplainArgs) -> Result<Answer, Failure> {
    match &args.recording {
        Some(path) => recording::explain(path, args).map(|()| Answer::NoneFailed),
        None => live::explain(args),
    }
}

/// A Job with what was found out about it.
struct Explained {
    evidence: Evidence,
    judgement: Judgement,
    /// What else to say, for people: one entry a line, without a line break.
    notes: Vec<String>,
    /// The end of the log of the container that failed.
    log: Option<Log>,
}

/// The end of a log, for people.
struct Log {
    /// Whose log it is, or why there is none.
    head: String,
    /// Its lines, without line breaks.
    lines: Vec<String>,
}

/// The output, Job by Job.
struct Output {
    format: Format,
    layout: Layout,
    text: String,
}

impl Output {
    /// As the command line and the terminal ask for.
    fn new(format: Format) -> Output {
        Output {
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
                let line = serde_json::to_string(&ExplainRecord::new(evidence, judgement))
                    .map_err(|error| Failure::Runtime(format!("cannot write a record: {error}")))?;
                self.text.push_str(&line);
                self.text.push('\n');
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

/// Whether any of the Jobs failed.
fn answer<'a>(jobs: impl IntoIterator<Item = &'a Explained>) -> Answer {
    let failed = jobs.into_iter().any(|job| job.judgement.outcome == Outcome::Failed);
    if failed { Answer::Failed } else { Answer::NoneFailed }
}
