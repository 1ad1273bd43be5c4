//! Events of recordings, as they reach the exporter.

use std::fs::File;
use std::path::{Path, PathBuf};

use collector_data::Payload;
use jiff::SignedDuration;
use job_event::notice::{MissReason, MissedRuns};
use job_event::{Notice, otlp};
use job_judge::judge;
use job_tracker::replay::{Limits, ReplayStep, decompressed, replay_steps};
use job_tracker::{StallSettings, TrackerSettings};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use reason_enrichment_processor::encode;

fn folders() -> [PathBuf; 2] {
    ["tests/corpus", "tests/kubernetes-1.37"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder))
}

/// The names of all recordings, in order.
pub(crate) fn recordings() -> Vec<String> {
    let files = folders()
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".jsonl.gz")?.to_owned()))
        .collect();
    names.sort();
    names
}

/// The events of a recording, in their order, with verdicts; stalls are reported after 30 s.
pub(crate) fn recorded(name: &str) -> Vec<Payload> {
    let path = folders().map(|folder| folder.join(format!("{name}.jsonl.gz")));
    let path = path.iter().find(|path| path.exists()).unwrap();
    let settings = TrackerSettings {
        stalls: StallSettings::all_after(SignedDuration::from_secs(30)),
        ..TrackerSettings::default()
    };
    let mut events = Vec::new();
    let lines = decompressed(File::open(path).unwrap()).unwrap();
    replay_steps(lines, settings, Limits::default(), |step| match step {
        ReplayStep::Observed(_) => {}
        ReplayStep::Finished(evidence) => {
            let decided = evidence.job.decided_at().unwrap_or_default();
            let mut event = otlp::encode(&evidence, Some("test"), decided);
            encode::write(&mut event.scope_logs[0].log_records[0], &judge(&evidence));
            events.push(event);
        }
        ReplayStep::Notice(notice) => {
            events.push(otlp::encode_notice(&notice, Some("test"), jiff::Timestamp::UNIX_EPOCH))
        }
    })
    .unwrap();
    events.into_iter().map(|event| Payload::Logs(vec![event])).collect()
}

/// The event with another time and another UID of the record and of its Job.
pub(crate) fn with_time(event: &Payload, number: usize, time: jiff::Timestamp) -> Payload {
    let Payload::Logs(mut logs) = event.clone() else {
        panic!("an event was expected")
    };
    let record = record(&mut logs);
    record.time_unix_nano = u64::try_from(time.as_nanosecond()).unwrap();
    for pair in &mut record.attributes {
        if matches!(&*pair.key, "log.record.uid" | "k8s.job.uid") {
            let uid = format!("00000000-0000-4000-8000-{number:012}");
            pair.value = Some(opentelemetry_proto::tonic::common::v1::AnyValue {
                value: Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(
                    uid,
                )),
            });
        }
    }
    Payload::Logs(logs)
}

fn record(logs: &mut [ResourceLogs]) -> &mut opentelemetry_proto::tonic::logs::v1::LogRecord {
    &mut logs[0].scope_logs[0].log_records[0]
}

/// Runs of a CronJob `report` in namespace `shop` that did not start.
pub(crate) fn missed(first: jiff::Timestamp) -> Payload {
    let cronjob = job_event::evidence::CronJob {
        name: "report".into(),
        uid: "c-1".into(),
        ..Default::default()
    };
    let notice = Notice::Missed(Box::new(MissedRuns {
        cronjob: job_event::evidence::Job {
            namespace: "shop".into(),
            cronjob: Some(Box::new(cronjob)),
            ..Default::default()
        },
        time_zone: None,
        reason: MissReason::ControllerLate,
        message: String::new(),
        first,
        last: first,
        count: 1,
        at: first,
    }));
    Payload::Logs(vec![otlp::encode_notice(&notice, None, first)])
}
