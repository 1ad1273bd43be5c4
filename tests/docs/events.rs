//! `docs/events.md` against the events built from recordings.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use job_event::any_value::from_any_value;
use job_event::{Evidence, attributes, otlp};
use job_tracker::replay::{Limits, ReplayStep, replay, replay_steps};
use job_tracker::{StallSettings, TrackerSettings};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use serde_json::Value;

use crate::markdown::{Block, Page};
use crate::root;

/// True if `whole` contains `part`: keys of objects, and entries of lists in any order.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| is_part(part, whole))),
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|part| whole.iter().any(|whole| is_part(part, whole)))
        }
        _ => part == whole,
    }
}

/// The Jobs that ended in a recording.
fn ended(recording: &Path) -> Vec<Evidence> {
    let file = File::open(recording).expect("a recording");
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
    replay(lines, TrackerSettings::default()).expect("a recording").ended
}

#[test]
fn the_example_event_is_built_from_a_recording() {
    let ended = ended(&root().join("tests/corpus/deadline-seed.jsonl.gz"));
    let evidence = ended.first().expect("a Job that ended");
    let observed = evidence.job.decided_at().expect("a decision") + SignedDuration::from_secs(1);
    let mut resource = otlp::encode(evidence, Some("prod-1"), observed);
    let judgement = job_judge::judge(evidence);
    reason_enrichment_processor::encode::write(&mut resource.scope_logs[0].log_records[0], &judgement);
    let real_evidence = otlp::find(&resource.scope_logs[0].log_records[0].attributes, attributes::EVIDENCE)
        .map(from_any_value)
        .expect("evidence")
        .expect("evidence as JSON");
    let names: Vec<String> = resource.scope_logs[0].log_records[0]
        .attributes
        .iter()
        .map(|attribute| attribute.key.clone())
        .collect();
    let real_event = serde_json::to_value(ExportLogsServiceRequest {
        resource_logs: vec![resource],
    })
    .expect("OTLP as JSON");

    let page = Page::read(root(), "docs/events.md");
    let shown: Vec<&Block> = page.blocks.iter().filter(|block| block.info == "json").collect();
    let [event, evidence, _, _, _] = shown.as_slice() else {
        panic!("docs/events.md shows {} blocks of JSON, expected 5", shown.len());
    };
    for (block, real) in [(event, real_event), (evidence, real_evidence)] {
        let shown: Value = serde_json::from_str(&block.text).expect("JSON");
        assert!(is_part(&shown, &real), "line {}: the event is\n{real:#}", block.line);
    }
    for name in names.iter().filter(|name| *name != attributes::EVIDENCE) {
        assert!(event.text.contains(&format!("{name:?}")), "the example lacks {name}");
    }
}

/// The notices in a recording, as OTLP, if each stall is reported after 30 s.
fn notices(recording: &str) -> Vec<Value> {
    let file = File::open(root().join(format!("tests/kubernetes-1.37/{recording}.jsonl.gz"))).expect("a recording");
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
    let settings = TrackerSettings {
        stalls: StallSettings::all_after(SignedDuration::from_secs(30)),
        ..TrackerSettings::default()
    };
    let mut found = Vec::new();
    replay_steps(lines, settings, Limits::default(), |step| {
        if let ReplayStep::Notice(notice) = step {
            let mut resource = otlp::encode_notice(&notice, Some("prod-1"), Timestamp::UNIX_EPOCH);
            // A recording does not have the time of the emission.
            resource.scope_logs[0].log_records[0].observed_time_unix_nano = 0;
            let request = ExportLogsServiceRequest {
                resource_logs: vec![resource],
            };
            found.push(serde_json::to_value(request).expect("OTLP as JSON"));
        }
    })
    .expect("a recording");
    found
}

/// The keys of the attributes of an event.
fn attribute_keys(event: &Value) -> BTreeSet<&str> {
    let attributes = event["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"].as_array();
    let attributes = attributes.expect("attributes").iter();
    attributes.filter_map(|attribute| attribute["key"].as_str()).collect()
}

#[test]
fn the_example_notices_are_built_from_recordings() {
    let mut real = notices("stuck-heals-configmap");
    real.extend(notices("cron-skip-forbid").into_iter().take(1));
    let page = Page::read(root(), "docs/events.md");
    let shown: Vec<&Block> = page
        .blocks
        .iter()
        .filter(|block| block.info == "json")
        .skip(2)
        .collect();
    assert_eq!((shown.len(), real.len()), (3, 3), "{real:#?}");
    for (block, real) in shown.into_iter().zip(&real) {
        let shown: Value = serde_json::from_str(&block.text).expect("JSON");
        assert!(is_part(&shown, real), "line {}: the event is\n{real:#}", block.line);
        assert_eq!(attribute_keys(&shown), attribute_keys(real), "line {}", block.line);
    }
}

/// Collects the keys of all maps.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_evidence_and_attempts_is_documented() {
    let mut found = BTreeSet::new();
    let mut attempts = 0;
    for entry in std::fs::read_dir(root().join("tests/corpus")).expect("the recordings") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            for evidence in ended(&path) {
                let judgement = job_judge::judge(&evidence);
                attempts += judgement.attempts.len();
                keys(&serde_json::to_value(&judgement.attempts).expect("JSON"), &mut found);
                keys(&serde_json::to_value(&evidence).expect("JSON"), &mut found);
            }
        }
    }
    assert!(
        attempts > 50 && found.len() > 60,
        "{attempts} attempts, {} keys",
        found.len()
    );
    let page = std::fs::read_to_string(root().join("docs/events.md")).expect("docs/events.md");
    let missing: Vec<&String> = found
        .iter()
        .filter(|key| {
            let forms = [format!("`{key}`"), format!("`{key}[]`"), format!(".{key}[]`")];
            !forms.iter().any(|form| page.contains(form))
        })
        .collect();
    assert!(missing.is_empty(), "docs/events.md lacks {missing:?}");
}

#[test]
fn every_attribute_and_metric_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/events.md")).expect("docs/events.md");
    for name in [
        attributes::RECORD_UID,
        attributes::JOB_NAME,
        attributes::JOB_UID,
        attributes::CRONJOB_UID,
        attributes::CRONJOB_SCHEDULED,
        attributes::CRONJOB_PREVIOUS,
        attributes::TRACEPARENT,
        attributes::OUTCOME,
        attributes::FAILURE_REASON,
        attributes::FAILURE_MESSAGE,
        attributes::FAILURE_CAUSE,
        attributes::FAILURE_CATEGORY,
        attributes::FAILURE_RETRY,
        attributes::FAILURE_NEXT_STEP,
        attributes::START_TIME,
        attributes::DECISION_TIME,
        attributes::DURATION,
        attributes::EVIDENCE_QUALITY,
        attributes::ATTEMPTS,
        attributes::ATTEMPT_FAILURES,
        attributes::FAILED_INDEXES,
        attributes::EVIDENCE,
        attributes::STALLED_EVENT,
        attributes::RECOVERED_EVENT,
        attributes::MISSED_EVENT,
        attributes::STALL_CAUSE,
        attributes::STALL_CATEGORY,
        attributes::STALL_RETRY,
        attributes::STALL_NEXT_STEP,
        attributes::STALL_SINCE,
        attributes::STALL_DURATION,
        attributes::MISSED_REASON,
        attributes::MISSED_MESSAGE,
        attributes::MISSED_COUNT,
        attributes::MISSED_LAST,
        attributes::CRONJOB_SCHEDULE,
        attributes::CRONJOB_TIME_ZONE,
        attributes::METRIC_FAILURES,
        attributes::METRIC_COMPLETIONS,
        attributes::METRIC_ATTEMPT_FAILURES,
        attributes::METRIC_DURATION,
        attributes::METRIC_STALLED,
        attributes::METRIC_MISSED_RUNS,
        attributes::METRIC_LAST_SUCCESS_AGE,
        attributes::METRIC_CONSECUTIVE_FAILURES,
        attributes::METRIC_NEXT_SCHEDULE,
        attributes::METRIC_SUSPENDED,
    ] {
        assert!(page.contains(&format!("`{name}`")), "docs/events.md lacks {name}");
    }
}
