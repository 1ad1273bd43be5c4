//! `explain`: why Jobs failed, in a cluster now or in a recording.

mod answers;
mod collector;
mod cronjob;
mod events;
mod failed;
mod find;
mod gone;
mod layout;
mod live;
mod logs;
mod look;
mod merge;
mod notes;
mod overview;
mod reading;
mod recording;
mod report;
mod stalled;
mod stored;
mod watch;

use jiff::Timestamp;
use job_event::Evidence;
use job_judge::Judgement;
use serde::Serialize;

use super::Failure;
use crate::cli::ExplainArgs;
pub(crate) use live::client;
use report::Report;

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

/// The origin of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum AnswerSource {
    /// The event of the Job that the collector keeps.
    Collector,
    /// The objects and Events of the cluster.
    Cluster,
    /// A file.
    Recording,
}

/// A Job with its verdict.
struct Explained {
    evidence: Evidence,
    judgement: Judgement,
    source: AnswerSource,
    /// The beginning of its stall, if it is unfinished and stalled.
    stalled_since: Option<Timestamp>,
    /// Notes for people: one entry a line, without a line break.
    notes: Vec<String>,
    /// The end of the log of the container that failed.
    log: Option<ContainerLog>,
}

impl Explained {
    /// True if the Job has ended, so that its answer is final.
    fn has_ended(&self) -> bool {
        self.judgement.outcome.is_final()
    }
}

/// The end of a log, for people.
struct ContainerLog {
    /// The container, or the reason why the log is unavailable.
    head: String,
    /// Lines without line breaks.
    lines: Vec<String>,
}
