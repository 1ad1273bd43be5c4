//! Runs that take longer than the earlier runs of their owner.

use jiff::{SignedDuration, Timestamp};
use job_event::Outcome;
use job_event::evidence::Evidence;
use job_event::span::span;

use super::Stall;
use crate::cause::Cause;

/// How long the completed runs of an owner took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsualRuns {
    /// How many of the last runs are known.
    pub runs: u32,
    /// The shortest of them.
    pub shortest: SignedDuration,
    /// The longest of them.
    pub longest: SignedDuration,
    /// The limit beyond which a run is longer than usual.
    pub limit: SignedDuration,
}

/// The stall with cause `RunningLong` of a Job that runs longer than usual for its owner, from the time at which it exceeded the
/// limit. Only for a Job without another stall ([`super::stall()`]).
pub fn running_long(evidence: &Evidence, usual: &UsualRuns, now: Timestamp) -> Option<Stall> {
    let job = &evidence.job;
    let started = job.status.start_time?;
    let run = now.duration_since(started);
    if job.outcome() != Outcome::Running || run <= usual.limit {
        return None;
    }
    let [shortest, longest] = [usual.shortest, usual.longest].map(|run| rough_span(run.as_secs_f64()));
    let range = match shortest == longest {
        true => longest,
        false => between(&shortest, &longest),
    };
    let runs = match usual.runs {
        1 => "the last run".to_owned(),
        runs => format!("the last {runs} runs"),
    };
    let info = Cause::RunningLong.info();
    Some(Stall {
        cause: info.cause,
        since: started.checked_add(usual.limit).ok()?,
        attempts: String::new(),
        why: format!("running {}; {runs} took {range}", span(run.as_secs_f64())),
        retry: info.retry,
        next_step: info.next_step.to_owned(),
        container: None,
    })
}

/// `6 to 9 min`, `50 s to 9 min`.
fn between(shortest: &str, longest: &str) -> String {
    match (shortest.split_once(' '), longest.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number} to {longest}"),
        _ => format!("{shortest} to {longest}"),
    }
}

/// A duration without seconds from one minute on: `50 s`, `6 min`, `1 h 20 min`.
fn rough_span(seconds: f64) -> String {
    match seconds >= 59.5 {
        true => span((seconds / 60.0).round() * 60.0),
        false => span(seconds),
    }
}
