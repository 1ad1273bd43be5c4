//! The evidence of every recorded Job.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use job_event::{Evidence, otlp};
use job_judge::judge;
use job_tracker::TrackerSettings;
use job_tracker::replay::{decompressed, replay};
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

fn jobs_of(folder: &str) -> BTreeMap<String, Evidence> {
    let mut jobs = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some((name, _)) = name.split_once(".jsonl") else {
            continue;
        };
        let lines = decompressed(std::fs::File::open(&path).unwrap()).unwrap();
        let replay = replay(lines, TrackerSettings::default()).unwrap();
        for (number, evidence) in replay.ended.into_iter().enumerate() {
            jobs.insert(format!("{name}-{number}"), evidence);
        }
    }
    jobs
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
