//! The answers about everything on the command line, and the exit code that follows from all of them. Pure.

use job_event::Outcome;

use super::overview::Overview;
use super::{ExplainAnswer, Explained};
use crate::commands::Failure;

/// Why something was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It does not exist, or has left no trace.
    Missing(String),
    /// It could not be read.
    Unreadable(String),
}

impl Unanswered {
    pub(super) fn text(&self) -> &str {
        match self {
            Unanswered::Missing(text) | Unanswered::Unreadable(text) => text,
        }
    }
}

/// The answer about one name, or about everything that an option selects.
#[derive(Default)]
pub(super) struct Answer {
    /// The CronJob whose runs the Jobs are.
    pub overview: Option<Overview>,
    /// The Jobs, in the order of the output.
    pub jobs: Vec<Explained>,
    /// Notes on the whole answer, for standard error.
    pub notes: Vec<String>,
    pub unanswered: Option<Unanswered>,
}

impl Answer {
    pub(super) fn missing(problem: String) -> Answer {
        Answer {
            unanswered: Some(Unanswered::Missing(problem)),
            ..Answer::default()
        }
    }

    pub(super) fn unreadable(problem: String) -> Answer {
        Answer {
            unanswered: Some(Unanswered::Unreadable(problem)),
            ..Answer::default()
        }
    }

    /// True if nothing about it can change any more. A CronJob has further runs.
    pub(super) fn is_final(&self) -> bool {
        self.overview.is_none() && self.unanswered.is_none() && self.jobs.iter().all(Explained::has_ended)
    }

    fn has_missed(&self) -> bool {
        self.overview.as_ref().is_some_and(Overview::has_missed)
    }
}

/// The exit code of several answers: the first that applies of 1, 2, 3 and 0. The notes are those on names without an answer
/// beside a failed Job.
pub(super) fn worst(answers: &[Answer]) -> (Result<ExplainAnswer, Failure>, Vec<String>) {
    let jobs = || answers.iter().flat_map(|answer| &answer.jobs);
    let has_failed = jobs().any(|job| job.judgement.outcome == Outcome::Failed);
    // Missed runs of a CronJob are an answer without any run.
    let (noted, open): (Vec<_>, Vec<_>) = answers
        .iter()
        .filter_map(|answer| {
            Some((
                answer.has_missed() || has_failed,
                answer.unanswered.as_ref()?.text().to_owned(),
            ))
        })
        .partition(|(is_noted, _)| *is_noted);
    let texts = |of: Vec<(bool, String)>| of.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    let answer = if has_failed {
        Ok(ExplainAnswer::Failed)
    } else if !open.is_empty() {
        Err(Failure::CouldNotTell(texts(open).join("\n")))
    } else if jobs().any(|job| job.stalled_since.is_some()) || answers.iter().any(Answer::has_missed) {
        Ok(ExplainAnswer::Stalled)
    } else {
        Ok(ExplainAnswer::NoneFailed)
    };
    (answer, texts(noted))
}
