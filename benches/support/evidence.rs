//! The evidence of every recorded Job.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use job_event::{Evidence, otlp};
use job_judge::judge;
use job_tracker::TrackerSettings;
use job_tracker::replay::{Replay, decompressed, replay};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use reason_enrichment_processor::encode;

/// Every Job of the corpus that ended, by recording, with a number where there are several.
pub(crate) fn recorded() -> BTreeMap<String, Evidence> {
    jobs_of("corpus")
}

/// Those, and every Job of the cases rebuilt from public reports.
pub(crate) fn all() -> BTreeMap<String, Evidence> {
    let mut jobs = recorded();
    jobs.append(&mut jobs_of("reported"));
    jobs
}

/// Every Job of the recordings without an end, with the time of the last line, and every other one before its end.
pub(crate) fn unfinished() -> Vec<(String, Evidence, Timestamp)> {
    let ended = all().into_iter().filter_map(|(name, mut evidence)| {
        let decided = evidence.job.decided_at()?;
        evidence.job.status.conditions.clear();
        evidence.job.removed = None;
        Some((name, evidence, decided))
    });
    let stuck = replays_of("kubernetes-1.37").flat_map(|(name, replay)| {
        let of_one = move |evidence| (name.clone(), evidence, replay.end);
        replay.unfinished.into_iter().map(of_one)
    });
    ended.chain(stuck).collect()
}

fn jobs_of(folder: &str) -> BTreeMap<String, Evidence> {
    let jobs = replays_of(folder).flat_map(|(name, replay)| {
        let ended = replay.ended.into_iter().enumerate();
        ended.map(move |(number, evidence)| (format!("{name}-{number}"), evidence))
    });
    jobs.collect()
}

/// The recordings of a folder, by their names.
fn replays_of(folder: &str) -> impl Iterator<Item = (String, Replay)> + use<> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (name, _) = name.split_once(".jsonl")?;
        let lines = decompressed(std::fs::File::open(&path).unwrap()).unwrap();
        Some((name.to_owned(), replay(lines, TrackerSettings::default()).unwrap()))
    })
}

/// The event of a Job, as the receiver sends it.
pub(crate) fn record(job: &Evidence) -> LogRecord {
    otlp::encode(job, None, Timestamp::UNIX_EPOCH).scope_logs[0].log_records[0].clone()
}

/// The work of the processor on an event.
pub(crate) fn enrich(mut record: LogRecord) -> LogRecord {
    let job = otlp::evidence(&record).unwrap();
    encode::write(&mut record, &judge(&job));
    record
}
