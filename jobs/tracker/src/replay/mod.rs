//! Runs a recording of watches through the same decoder and tracker as a cluster.
//!
//! A recording is a text with one JSON object for each event, in the order of arrival:
//! `{"t": milliseconds since the first event, "resource": "jobs", "type": "ADDED", "object": {...}}`.

mod clock;
mod lines;
mod player;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use jiff::Timestamp;
use job_event::{Evidence, Notice};
use job_watch::Observation;

pub use lines::{Limits, Recorded, ReplayError, ReplayProblem, after, decompressed, read_line};

use self::clock::TimedLines;
use self::lines::Lines;
use self::player::Player;
use crate::TrackerSettings;

/// After how many lines the objects are counted.
const COUNTED_EVERY: usize = 1024;

/// The Jobs of a recording.
#[derive(Debug)]
pub struct Replay {
    /// The finished Jobs, in the order of their verdicts.
    pub ended: Vec<Evidence>,
    /// The Jobs that are unfinished at the end of the recording, in order of their namespaces and names.
    pub unfinished: Vec<Evidence>,
    /// The time of the last line.
    pub end: Timestamp,
}

/// A step of a replay.
#[derive(Debug)]
pub enum ReplayStep<'a> {
    /// An observation, before the tracker applies it.
    Observed(&'a Observation),
    /// The event of a finished Job.
    Finished(Box<Evidence>),
    /// Another event.
    Notice(Notice),
}

/// The end of a replay.
#[derive(Debug)]
pub struct ReplayEnd {
    /// The Jobs that are unfinished at the end of the recording, in order of their namespaces and names.
    pub unfinished: Vec<Evidence>,
    /// The time of the last line.
    pub end: Timestamp,
}

/// Replays a recording. Empty lines are skipped. The replay uses the recorded times; the creation times of the objects set the
/// clock.
///
/// # Errors
/// The first line that cannot be used.
pub fn replay(lines: impl BufRead, settings: TrackerSettings) -> Result<Replay, ReplayError> {
    replay_within(lines, settings, Limits::default())
}

/// The same with other limits.
///
/// # Errors
/// The first line that cannot be used, or that goes beyond a limit.
pub fn replay_within(lines: impl BufRead, settings: TrackerSettings, limits: Limits) -> Result<Replay, ReplayError> {
    let mut ended = Vec::new();
    let ReplayEnd { unfinished, end } = replay_steps(lines, settings, limits, |step| {
        if let ReplayStep::Finished(evidence) = step {
            ended.push(*evidence);
        }
    })?;
    Ok(Replay { ended, unfinished, end })
}

/// The same; `on_step` receives each observation and each event that the collector emits, in order. Each line proves that the
/// watches have delivered everything until then, and each notice counts as acknowledged at once. After the last line,
/// time advances for stalls only: a Job that makes no progress causes no further watch events, so its recording is short.
///
/// # Errors
/// The first line that cannot be used, or that goes beyond a limit.
pub fn replay_steps(
    lines: impl BufRead,
    settings: TrackerSettings,
    limits: Limits,
    on_step: impl FnMut(ReplayStep<'_>),
) -> Result<ReplayEnd, ReplayError> {
    let mut lines = TimedLines::new(Lines::new(lines, limits))?;
    let mut player = Player::new(settings, limits.objects / 4, on_step);
    let mut end = Timestamp::UNIX_EPOCH;
    while let Some((line, now, recorded)) = lines.next()? {
        end = now;
        player.run_until(now);
        if let Some(observation) = recorded.observation {
            player.observe(recorded.source, observation, now);
        }
        if line.is_multiple_of(COUNTED_EVERY) && player.objects() > limits.objects {
            let problem = ReplayProblem::TooMany(limits.objects);
            return Err(ReplayError { line, problem });
        }
    }
    let unfinished = player.finish(end);
    Ok(ReplayEnd { unfinished, end })
}
