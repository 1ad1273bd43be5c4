//! Runs a recording of watches through the same decoder and tracker as a cluster.
//!
//! A recording is a text with one JSON object for each event, in the order of arrival:
//! `{"t": milliseconds since the first event, "resource": "jobs", "type": "ADDED", "object": {...}}`.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use serde::Deserialize;

use crate::{Tracker, TrackerSettings};
use job_watch::decode::{DecodeError, MAX_LINE, WatchEvent, watch_line};
use job_watch::model::lenient::lenient;
use job_watch::model::{CronJob, Event, Job, Pod, Watched};
use job_watch::{Kind, Object, Observation, Source};

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

/// Replays a recording. Empty lines are skipped. Time runs as recorded, from the first object's creation on.
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
    replay_observed(lines, settings, limits, |_| {})
}

/// The same; `observe` sees each observation before the tracker does.
///
/// # Errors
/// The first line that cannot be used, or that goes beyond a limit.
pub fn replay_observed(
    lines: impl BufRead,
    settings: TrackerSettings,
    limits: Limits,
    mut observe: impl FnMut(&Observation),
) -> Result<Replay, ReplayError> {
    let mut tracker = Tracker::new(settings);
    tracker.expect_all_events(limits.objects / 4);
    let mut ended = Vec::new();
    let mut start = None;
    let mut end = Timestamp::UNIX_EPOCH;
    let mut lines = Lines::new(lines, limits);
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => line.trim(),
            Ok(None) => break,
            Err(problem) => {
                return Err(ReplayError {
                    line: lines.number,
                    problem,
                });
            }
        };
        if line.is_empty() {
            continue;
        }
        let recorded = read_line(line);
        let line = lines.number;
        let recorded = recorded.map_err(|problem| ReplayError { line, problem })?;
        let start = *start.get_or_insert(recorded.created.unwrap_or_default());
        let now = after(start, recorded.t);
        end = now;
        ended.extend(std::iter::from_fn(|| tracker.poll(now)));
        if let Some(observation) = recorded.observation {
            observe(&observation);
            tracker.apply(recorded.source, observation, now);
        }
        if line.is_multiple_of(COUNTED_EVERY) && ended.len() + objects_in(&tracker) > limits.objects {
            let problem = ReplayProblem::TooMany(limits.objects);
            return Err(ReplayError { line, problem });
        }
    }
    ended.extend(std::iter::from_fn(|| tracker.drain(true)));
    // Jobs that are known from Events only wait for a Job that may be late; nothing follows.
    let waited = after(end, 300_000);
    ended.extend(std::iter::from_fn(|| tracker.poll(waited)));
    Ok(Replay {
        ended,
        unfinished: tracker.into_unfinished(),
        end,
    })
}

/// How many objects the tracker holds.
fn objects_in(tracker: &Tracker) -> usize {
    let sizes = tracker.sizes();
    sizes.live + sizes.reported + sizes.pods + sizes.cronjobs + sizes.early + sizes.removed
}

/// The lines of a recording, within its limits.
struct Lines<R> {
    from: R,
    limits: Limits,
    /// Bytes that may still be read.
    left: u64,
    /// The number of the last line, from 1.
    number: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn new(from: R, limits: Limits) -> Self {
        Lines {
            from,
            limits,
            left: limits.bytes,
            number: 0,
            line: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<Option<&str>, ReplayProblem> {
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const LIMITS: Limits = Limits {
        line: 300,
        bytes: 100_000,
        objects: 1000,
    };

    fn job(number: usize) -> String {
        format!(
            "{{\"t\":0,\"resource\":\"jobs\",\"type\":\"ADDED\",\"object\":{{\"kind\":\"Job\",\"metadata\":\
             {{\"name\":\"j\",\"uid\":\"u{number}\"}}}}}}\n"
        )
    }

    #[test]
    fn orders_jobs_of_one_name() {
        let recording: String = (0..8).map(job).collect();
        let uids = || {
            let lines = decompressed(recording.as_bytes()).unwrap();
            let replay = replay_within(lines, TrackerSettings::default(), LIMITS).unwrap();
            replay
                .unfinished
                .into_iter()
                .map(|evidence| evidence.job.uid)
                .collect::<Vec<_>>()
        };
        let first = uids();
        assert!(first.len() > 1, "{first:?}");
        for _ in 0..20 {
            assert_eq!(uids(), first);
        }
    }

    fn problem(recording: impl Read, limits: Limits) -> String {
        let lines = decompressed(recording).unwrap();
        let replayed = replay_within(lines, TrackerSettings::default(), limits);
        replayed.err().map(|error| error.to_string()).unwrap_or_default()
    }

    /// Reads `byte` this many times without a buffer.
    fn repeated(byte: u8, times: u64) -> impl Read {
        std::io::repeat(byte).take(times)
    }

    #[test]
    fn rejects_a_recording_with_a_long_line() {
        let at_most = format!("{}\n{}", job(1).trim_end(), " ".repeat(300));
        assert_eq!(problem(at_most.as_bytes(), LIMITS), "");
        let more = format!("{}{}", job(1), " ".repeat(301));
        assert_eq!(
            problem(more.as_bytes(), LIMITS),
            "line 2: longer than 300 bytes; expected one watch event a line"
        );
        assert_eq!(
            problem(repeated(b'A', 1 << 40), Limits::default()),
            "line 1: longer than 16777216 bytes; expected one watch event a line"
        );
    }

    #[test]
    fn rejects_an_endless_recording() {
        let found = problem(repeated(b'\n', 1 << 40), LIMITS);
        assert!(
            found.starts_with("line 100001: the recording is longer than 100000 bytes (after decompression)"),
            "{found}"
        );
        assert_eq!(problem(repeated(b'\n', 100_000), LIMITS), "");
    }

    #[test]
    fn a_compressed_recording_has_the_same_limits() {
        let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
        std::io::copy(&mut repeated(b'A', 1 << 26), &mut compressed).unwrap();
        let compressed = compressed.finish().unwrap();
        assert!(compressed.len() < 100_000);
        assert!(problem(&*compressed, Limits::default()).starts_with("line 1: longer than 16777216 bytes"));
        let mut good = GzEncoder::new(Vec::new(), Compression::best());
        good.write_all(job(1).as_bytes()).unwrap();
        let mut good = good.finish().unwrap();
        assert_eq!(problem(&*good, LIMITS), "");
        good.truncate(good.len() / 2);
        assert!(problem(&*good, LIMITS).starts_with("line 1: cannot be read"));
    }

    #[test]
    fn rejects_a_recording_of_too_many_jobs() {
        let limits = Limits {
            bytes: u64::MAX,
            ..LIMITS
        };
        let jobs = |number| (0..number).map(job).collect::<String>();
        assert_eq!(problem(jobs(1000).as_bytes(), limits), "");
        let found = problem(jobs(3000).as_bytes(), limits);
        assert!(
            found.contains("the recording contains more than 1000 objects"),
            "{found}"
        );
    }

    #[test]
    fn rejects_a_binary_recording() {
        let found = problem(&b"\xff\xfe\n"[..], LIMITS);
        assert_eq!(found, "line 1: not UTF-8; expected one watch event a line, as JSON");
    }
}
