//! The lines of a recording, decoded, within its limits.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use job_watch::decode::{DecodeError, MAX_LINE, WatchEvent, watch_line};
use job_watch::model::lenient::lenient;
use job_watch::model::{CronJob, Event, Job, Pod, Watched};
use job_watch::{Kind, Object, Observation, Source};
use serde::Deserialize;

/// How much of a recording is read: a compressed one of a few MB can hold more than fits into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line, bytes without its end.
    pub line: usize,
    /// All lines together, bytes after decompression.
    pub bytes: u64,
    /// Jobs, Pods, CronJobs and what waits for them.
    pub objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line: MAX_LINE,
            bytes: 1024 * 1024 * 1024,
            objects: 250_000,
        }
    }
}

/// A line of a recording that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReplayError {
    /// Counted from 1.
    pub line: usize,
    #[source]
    /// The problem.
    pub problem: ReplayProblem,
}

/// The problem with a line of a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReplayProblem {
    /// The line cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The line is longer than any object of a cluster.
    #[error("longer than {0} bytes; expected one watch event a line")]
    TooLong(usize),
    /// The recording is longer than its limit.
    #[error(
        "the recording is longer than {0} bytes (after decompression); record one namespace, or for a shorter time"
    )]
    TooMuch(u64),
    /// The recording holds more objects than its limit.
    #[error("the recording contains more than {0} objects; record one namespace, or for a shorter time")]
    TooMany(usize),
    /// The line is not UTF-8.
    #[error("not UTF-8; expected one watch event a line, as JSON")]
    NoText,
    /// The line has another form.
    #[error("expected {{\"t\": milliseconds, \"resource\": \"jobs\", \"type\": \"ADDED\", \"object\": {{...}}}}: {0}")]
    Form(#[source] serde_json::Error),
    /// The resource is unknown.
    #[error("expected resource jobs, pods, events or cronjobs, found {0:?}")]
    Resource(String),
    /// The API server reported an error, which ends a watch.
    #[error("expected type ADDED, MODIFIED, DELETED or BOOKMARK, found ERROR: {0}")]
    Error(String),
    /// The object cannot be used.
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
    metadata: job_watch::model::Metadata,
}

/// One event of a recording, with the milliseconds since the first one.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Milliseconds since the first event.
    pub t: i64,
    /// The watch that delivered it.
    pub source: Source,
    /// `None` for a bookmark.
    pub observation: Option<Observation>,
    /// When its object was created.
    pub created: Option<Timestamp>,
}

/// A recording as lines; gzip is recognised by its first bytes.
///
/// # Errors
/// An error for a file whose first bytes cannot be read.
pub fn decompressed<'a>(raw: impl Read + 'a) -> std::io::Result<Box<dyn BufRead + 'a>> {
    let mut raw = BufReader::new(raw);
    match raw.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        true => Ok(Box::new(BufReader::new(MultiGzDecoder::new(raw)))),
        false => Ok(Box::new(raw)),
    }
}

/// The lines of a recording, within its limits.
pub(super) struct Lines<R> {
    from: R,
    limits: Limits,
    /// Bytes that may still be read.
    left: u64,
    /// The number of the last line, from 1.
    number: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R, limits: Limits) -> Self {
        Lines {
            from,
            limits,
            left: limits.bytes,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line that is not empty, with its number.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Recorded)>, ReplayError> {
        loop {
            let read = match self.next_text() {
                Ok(None) => return Ok(None),
                Ok(Some(text)) => match text.trim() {
                    "" => continue,
                    text => read_line(text),
                },
                Err(problem) => Err(problem),
            };
            let line = self.number;
            return match read {
                Ok(recorded) => Ok(Some((line, recorded))),
                Err(problem) => Err(ReplayError { line, problem }),
            };
        }
    }

    /// How many bytes have been read.
    pub(super) fn bytes(&self) -> u64 {
        self.limits.bytes - self.left
    }

    fn next_text(&mut self) -> Result<Option<&str>, ReplayProblem> {
        self.number += 1;
        self.line.clear();
        // The line, its end, and one byte too many.
        let longest = u64::try_from(self.limits.line).unwrap_or(u64::MAX).saturating_add(2);
        let mut from = (&mut self.from).take(longest.min(self.left.saturating_add(1)));
        let read = from.read_until(b'\n', &mut self.line)?;
        self.left = match self.left.checked_sub(read as u64) {
            Some(left) => left,
            None => return Err(ReplayProblem::TooMuch(self.limits.bytes)),
        };
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if line.len() > self.limits.line {
            return Err(ReplayProblem::TooLong(self.limits.line));
        }
        if read == 0 {
            return Ok(None);
        }
        std::str::from_utf8(line).map(Some).map_err(|_| ReplayProblem::NoText)
    }
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
/// If the line cannot be used.
pub fn read_line(line: &str) -> Result<Recorded, ReplayProblem> {
    let Header { t, resource, object } = serde_json::from_str(line).map_err(ReplayProblem::Form)?;
    let (kind, observation) = match resource.as_str() {
        "jobs" => (Kind::Jobs, observation::<Job>(line, Object::Job)?),
        "pods" => (Kind::Pods, observation::<Pod>(line, Object::Pod)?),
        "cronjobs" => (Kind::CronJobs, observation::<CronJob>(line, Object::CronJob)?),
        "events" => (Kind::JobEvents, observation::<Event>(line, Object::Event)?),
        _ => return Err(ReplayProblem::Resource(resource)),
    };
    Ok(Recorded {
        t,
        source: Source { kind, scope: 0 },
        observation,
        created: object.metadata.creation_timestamp,
    })
}

fn observation<T: Watched>(line: &str, object: fn(Box<T>) -> Object) -> Result<Option<Observation>, ReplayProblem> {
    Ok(match watch_line::<T>(line.as_bytes())? {
        WatchEvent::Added(new) | WatchEvent::Modified(new) => Some(Observation::Changed(object(Box::new(new)))),
        WatchEvent::Deleted(last) => Some(Observation::Deleted(object(Box::new(last)))),
        WatchEvent::Bookmark { .. } => None,
        WatchEvent::Error(status) => return Err(ReplayProblem::Error(status.message.into())),
    })
}
