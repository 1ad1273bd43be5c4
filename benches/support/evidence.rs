//! The evidence of every recorded Job.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use jiff::Timestamp;
use job_event::{Evidence, otlp};
use job_judge::judge;
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use reason_enrichment_processor::encode;

/// Every Job of the corpus that ended, by recording, with a number where there are several.
pub(crate) fn all() -> BTreeMap<String, Evidence> {
    let mut jobs = BTreeMap::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".jsonl.gz") else {
            continue;
        };
        let text = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
        let replay = replay(BufReader::new(text), TrackerSettings::default()).unwrap();
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
