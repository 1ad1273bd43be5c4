//! Recordings, fed to the tracker in any order, and the judgements.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use job_event::{Evidence, Outcome};
use job_judge::Quality;
use job_judge::{Cause, judge};
use job_tracker::replay::{Recorded, after, read_line};
use job_tracker::{OnFirstStart, Tracker, TrackerSettings};
use serde_json::Value;

use crate::{broader, stories};

/// A recording, read.
pub(crate) struct Recording {
    pub name: String,
    /// Its lines, decoded.
    pub lines: Vec<Recorded>,
    /// Its lines as JSON, without managed fields.
    pub json: Vec<Value>,
    /// The outcomes of its Jobs when it is replayed in order, decided as time passes.
    pub verdicts: Verdicts,
}

/// Every recording of the corpus and of the folder that `PROPERTY_RECORDINGS` names.
pub(crate) fn recordings() -> Vec<Recording> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let more = std::env::var_os("PROPERTY_RECORDINGS").map(PathBuf::from);
    let mut paths: Vec<PathBuf> = std::iter::once(corpus)
        .chain(more)
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder of recordings"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 53);
    paths.iter().map(|path| read(path)).collect()
}

/// Those, and every story.
pub(crate) fn all() -> Vec<Recording> {
    let stories = stories::all().into_iter();
    let stories = stories.map(|story| recording(format!("story {}", story.name), story.lines));
    recordings().into_iter().chain(stories).collect()
}

fn read(path: &Path) -> Recording {
    let file = std::fs::File::open(path).unwrap();
    let mut json = Vec::new();
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let mut line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(metadata) = line["object"]["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        json.push(line);
    }
    recording(path.file_stem().unwrap().to_string_lossy().replace(".jsonl", ""), json)
}

fn recording(name: String, json: Vec<Value>) -> Recording {
    let lines: Vec<Recorded> = json.iter().map(decode).collect();
    Recording {
        name,
        verdicts: verdicts(in_time(&lines)),
        lines,
        json,
    }
}

/// Decodes a line.
pub(crate) fn decode(line: &Value) -> Recorded {
    read_line(&line.to_string()).unwrap()
}

impl Recording {
    /// The time of its last line, milliseconds.
    pub(crate) fn end(&self) -> i64 {
        self.lines.iter().map(|line| line.t).max().unwrap_or_default()
    }
}

/// Feeds lines, decided as time runs.
pub(crate) fn in_time<'a>(lines: impl IntoIterator<Item = &'a Recorded>) -> BTreeMap<String, Evidence> {
    let mut feed = Feed::new();
    for line in lines {
        feed.poll(line.t);
        feed.line(line);
    }
    feed.finish()
}

/// A tracker and its reports.
pub(crate) struct Feed {
    pub tracker: Tracker,
    /// When recordings begin.
    begin: Timestamp,
    jobs: Vec<Evidence>,
}

impl Feed {
    /// A tracker that reports also what had ended before the first list. Which day it is does not matter, as long as
    /// Events have not expired: else no rule compares the receiver's clock with the cluster's.
    pub(crate) fn new() -> Feed {
        Feed::at(Timestamp::UNIX_EPOCH)
    }

    /// The same at another time.
    pub(crate) fn at(begin: Timestamp) -> Feed {
        let settings = TrackerSettings {
            on_first_start: OnFirstStart::ReportFinished,
            ..TrackerSettings::default()
        };
        Feed {
            tracker: Tracker::new(settings),
            begin,
            jobs: Vec::new(),
        }
    }

    /// Lets time run to `t`.
    pub(crate) fn poll(&mut self, t: i64) {
        let now = self.time(t);
        self.jobs.extend(std::iter::from_fn(|| self.tracker.poll(now)));
    }

    /// A line of a watch arrives at its time. Nothing is decided by that.
    pub(crate) fn line(&mut self, line: &Recorded) {
        if let Some(observation) = line.observation.clone() {
            let now = self.time(line.t);
            self.tracker.apply(line.source, observation, now);
        }
    }

    /// A time of a recording.
    pub(crate) fn time(&self, t: i64) -> Timestamp {
        after(self.begin, t)
    }

    /// All Jobs by UID, finished or not. Panics on a duplicate.
    pub(crate) fn finish(mut self) -> BTreeMap<String, Evidence> {
        self.jobs.extend(std::iter::from_fn(|| self.tracker.drain(true)));
        self.jobs.extend(self.tracker.into_unfinished());
        let mut jobs = BTreeMap::new();
        for evidence in self.jobs {
            let uid = evidence.job.uid.to_string();
            assert!(
                jobs.insert(uid.clone(), evidence).is_none(),
                "Job {uid} was reported twice"
            );
        }
        jobs
    }
}

/// The outcome of each Job, by UID.
pub(crate) type Verdicts = BTreeMap<String, Verdict>;

/// The outcome of a Job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub cause: Option<Cause>,
    pub quality: Quality,
    /// The causes of the attempts that failed.
    pub attempts: BTreeSet<Cause>,
}

/// Judges each Job.
pub(crate) fn verdicts(jobs: BTreeMap<String, Evidence>) -> Verdicts {
    jobs.into_iter()
        .map(|(uid, evidence)| (uid, verdict(&evidence)))
        .collect()
}

/// Judges a Job.
pub(crate) fn verdict(evidence: &Evidence) -> Verdict {
    let judgement = judge(evidence);
    Verdict {
        outcome: judgement.outcome,
        reason: judgement.reason,
        cause: judgement.cause,
        quality: judgement.quality,
        attempts: judgement.attempt_failures.into_keys().collect(),
    }
}

/// The description of a wrong verdict. `None` if `found` is good enough: the outcome and reason of `known`, and its
/// cause or one that `table` allows instead.
pub(crate) fn worse(known: &Verdict, found: &Verdict, table: &[broader::Row]) -> Option<String> {
    let cause = match (known.cause, found.cause) {
        (Some(known), Some(found)) => broader::allows(table, known, found),
        (known, found) => known == found,
    };
    let same = known.outcome == found.outcome && known.reason == found.reason;
    (!same || !cause).then(|| format!("{} instead of {}", show(found), show(known)))
}

pub(crate) fn show(verdict: &Verdict) -> String {
    format!(
        "{:?} {} {}",
        verdict.outcome,
        verdict.reason.as_deref().unwrap_or("-"),
        verdict.cause.map_or("-", |cause| cause.as_str())
    )
}
