//! Runs a recording of watches through the same decoder and tracker as a cluster.
//!
//! A recording is a text with one JSON object for each event, in the order of arrival:
//! `{"t": milliseconds since the first event, "resource": "jobs", "type": "ADDED", "object": {...}}`.

use std::io::BufRead;

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use serde::Deserialize;

use crate::decode::{DecodeError, WatchEvent, watch_line};
use crate::model::lenient::lenient;
use crate::model::{CronJob, Event, Job, Pod, Watched};
use crate::tracker::{Kind, Object, Observation, Source, Tracker, TrackerSettings};

/// What a recording tells.
#[derive(Debug)]
pub struct Replay {
    /// The Jobs that ended, in the order in which they were decided.
    pub ended: Vec<Evidence>,
    /// The Jobs that had not ended when the recording does, in order of their namespaces and names.
    pub unended: Vec<Evidence>,
}

/// A line of a recording that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReplayError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub problem: ReplayProblem,
}

/// What is wrong with a line of a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReplayProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is not of the form that a recording has.
    #[error("expected {{\"t\": milliseconds, \"resource\": \"jobs\", \"type\": \"ADDED\", \"object\": {{...}}}}: {0}")]
    Form(#[source] serde_json::Error),
    /// Its resource is not one that is watched.
    #[error("expected resource jobs, pods, events or cronjobs, found {0:?}")]
    Resource(String),
    /// It is an error of the API server, which ends a watch.
    #[error("expected type ADDED, MODIFIED, DELETED or BOOKMARK, found ERROR: {0}")]
    Error(String),
    /// Its object cannot be used.
    #[error(transparent)]
    Object(#[from] DecodeError),
}

#[derive(Deserialize)]
struct Header {
    t: i64,
    resource: String,
    #[serde(default)]
    object: Created,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Created {
    #[serde(deserialize_with = "lenient")]
    metadata: crate::model::Metadata,
}

/// One event of a recording, with the milliseconds since the first one.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Milliseconds since the first event.
    pub t: i64,
    /// Where it comes from.
    pub source: Source,
    /// What it says; nothing for a bookmark.
    pub observation: Option<Observation>,
    /// When its object was made.
    pub created: Option<Timestamp>,
}

/// Replays a recording. Empty lines are skipped. Time runs as recorded, from the first object's creation on.
///
/// # Errors
/// The first line that cannot be used.
pub fn replay(lines: impl BufRead, settings: TrackerSettings) -> Result<Replay, ReplayError> {
    let mut tracker = Tracker::new(settings);
    let mut ended = Vec::new();
    let mut start = None;
    for (number, line) in lines.lines().enumerate() {
        let fail = |problem| ReplayError {
            line: number + 1,
            problem,
        };
        let line = line.map_err(|error| fail(error.into()))?;
        if line.trim().is_empty() {
            continue;
        }
        let recorded = read_line(&line).map_err(fail)?;
        let start = *start.get_or_insert(recorded.created.unwrap_or_default());
        let now = after(start, recorded.t);
        ended.extend(std::iter::from_fn(|| tracker.poll(now)));
        if let Some(observation) = recorded.observation {
            tracker.apply(recorded.source, observation, now);
        }
    }
    ended.extend(std::iter::from_fn(|| tracker.drain(true)));
    Ok(Replay {
        ended,
        unended: tracker.into_unended(),
    })
}

/// The instant `milliseconds` after another.
pub fn after(start: Timestamp, milliseconds: i64) -> Timestamp {
    start
        .checked_add(SignedDuration::from_millis(milliseconds))
        .unwrap_or(start)
}

/// Reads a line of a recording.
///
/// # Errors
/// What is wrong with it.
pub fn read_line(line: &str) -> Result<Recorded, ReplayProblem> {
    let Header { t, resource, object } = serde_json::from_str(line).map_err(ReplayProblem::Form)?;
    let (kind, observation) = match resource.as_str() {
        "jobs" => (Kind::Jobs, observe::<Job>(line, Object::Job)?),
        "pods" => (Kind::Pods, observe::<Pod>(line, Object::Pod)?),
        "cronjobs" => (Kind::CronJobs, observe::<CronJob>(line, Object::CronJob)?),
        "events" => (Kind::JobEvents, observe::<Event>(line, Object::Event)?),
        _ => return Err(ReplayProblem::Resource(resource)),
    };
    Ok(Recorded {
        t,
        source: Source { kind, scope: 0 },
        observation,
        created: object.metadata.creation_timestamp,
    })
}

fn observe<T: Watched>(line: &str, object: fn(Box<T>) -> Object) -> Result<Option<Observation>, ReplayProblem> {
    Ok(match watch_line::<T>(line.as_bytes())? {
        WatchEvent::Added(new) | WatchEvent::Modified(new) => Some(Observation::Changed(object(Box::new(new)))),
        WatchEvent::Deleted(last) => Some(Observation::Deleted(object(Box::new(last)))),
        WatchEvent::Bookmark { .. } => None,
        WatchEvent::Error(status) => return Err(ReplayProblem::Error(status.message.into())),
    })
}
