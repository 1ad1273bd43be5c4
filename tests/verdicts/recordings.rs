//! Every recording of a real cluster, from the watch's bytes to the judgement: outcome, reason and cause must be those
//! that a person who knows the Job expects.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

use collector_data::{Ack, Batch, Payload};
use collector_runtime::Processor;
use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::evidence::Evidence;
use job_event::finished::Finished;
use job_event::otlp;
use job_event::outcome::Outcome;
use job_judge::AttemptOutcome;
use job_judge::Quality;
use job_judge::report::ExplainRecord;
use job_judge::{Cause, Judgement, judge, report};
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use reason_enrichment_processor::processor::ReasonEnrichment;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn expected() -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(corpus().join("expected.json")).unwrap()).unwrap()
}

/// The Jobs of a recording, those that ended first.
fn jobs_of(name: &str) -> Vec<Evidence> {
    let file = std::fs::File::open(corpus().join(format!("{name}.jsonl.gz"))).unwrap();
    let text = BufReader::new(flate2::read::GzDecoder::new(file));
    let replay = replay(text, TrackerSettings::default()).unwrap();
    replay.ended.into_iter().chain(replay.unfinished).collect()
}

fn only_job_of(name: &str) -> (Evidence, Judgement) {
    let mut jobs = jobs_of(name);
    assert_eq!(jobs.len(), 1, "{name}");
    let evidence = jobs.remove(0);
    let judgement = judge(&evidence);
    (evidence, judgement)
}

/// The event of a Job after the processor.
fn enriched(evidence: &Evidence) -> LogRecord {
    let observed: Timestamp = "2026-11-23T17:00:00Z".parse().unwrap();
    let (ack, _delivery) = Ack::new();
    let batch = Batch::new(Payload::Logs(vec![otlp::encode(evidence, Some("test"), observed)]), ack);
    let batch = ReasonEnrichment::new(true).process(batch).unwrap();
    let Payload::Logs(resources) = &*batch.payload else {
        panic!("logs went in")
    };
    let record = resources[0].scope_logs[0].log_records[0].clone();
    batch.ack.delivered();
    record
}

#[test]
fn every_recorded_job_has_its_verdict() {
    let mut recordings = 0;
    let mut wrong = Vec::new();
    for (name, recording) in expected().as_object().unwrap() {
        recordings += 1;
        let jobs = jobs_of(name);
        let expected = recording["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), expected.len(), "{name}");
        for evidence in &jobs {
            let judgement = judge(evidence);
            let found = serde_json::to_value(ExplainRecord::new(evidence, &judgement)).unwrap();
            let uid = &*evidence.job.uid;
            let want = expected
                .iter()
                .find(|job| job["uid"] == uid)
                .expect("the UID is expected");
            for key in ["name", "cronjob", "outcome", "reason", "cause"] {
                if found[key] != want[key] {
                    wrong.push(format!("{name} {uid}: {key} is {}, expected {}", found[key], want[key]));
                }
            }
            assert_eq!(judgement.quality, Quality::Complete, "{name}");
            assert_eq!(
                judgement.cause.is_some(),
                judgement.outcome == Outcome::Failed,
                "{name}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(recordings, 53);
}

#[test]
fn without_events_causes_become_broader() {
    // Causes proven only by Events become broader; every other cause stays.
    let broader: BTreeMap<&str, &str> = [
        ("backoff-liveness", "Killed"),
        ("deadline-missing-secret-volume", "SlowStart"),
        ("deadline-quota", "NoPodsCreated"),
        ("deadline-serviceaccount", "NoPodsCreated"),
    ]
    .into();
    for (name, recording) in expected().as_object().unwrap() {
        for mut evidence in jobs_of(name) {
            evidence.events.clear();
            let uid = evidence.job.uid.clone();
            let jobs = recording["jobs"].as_array().unwrap();
            let want = &jobs.iter().find(|job| job["uid"] == *uid).unwrap()["cause"];
            let want = broader.get(&**name).copied().or(want.as_str());
            assert_eq!(judge(&evidence).cause.map(|cause| cause.as_str()), want, "{name}");
        }
    }
}

#[test]
fn without_pods_only_broad_causes_remain() {
    for name in expected().as_object().unwrap().keys() {
        for mut evidence in jobs_of(name) {
            evidence.pods.clear();
            let judgement = judge(&evidence);
            let allowed: &[Cause] = match &**name {
                "deadline-quota" => &[Cause::QuotaExceeded],
                "deadline-serviceaccount" => &[Cause::AdmissionDenied],
                // The verdict's message names the exit code.
                "policy-failjob" => &[Cause::NonZeroExit],
                _ => &[Cause::Unknown],
            };
            if let Some(cause) = judgement.cause {
                assert!(allowed.contains(&cause), "{name}: {cause:?}");
            }
        }
    }
}

#[test]
fn victims_of_the_verdict_are_no_failed_attempts() {
    let (_, judgement) = only_job_of("parallel-collateral");
    let outcomes: Vec<_> = judgement.attempts.iter().map(|attempt| attempt.outcome).collect();
    use AttemptOutcome::{Failed, Stopped};
    assert_eq!(outcomes, [Failed, Stopped, Stopped]);
    assert_eq!(judgement.attempt_failures, [(Cause::NonZeroExit, 1)].into());

    let (_, judgement) = only_job_of("deadline-sigterm-exit0");
    assert_eq!(judgement.attempts[0].outcome, Stopped);
    assert!(judgement.attempt_failures.is_empty());

    let (_, judgement) = only_job_of("suspend-midrun");
    assert!(judgement.attempt_failures.is_empty());
}

#[test]
fn a_completed_job_reports_its_failed_attempts() {
    let (evidence, judgement) = only_job_of("success-after-retry");
    assert_eq!(judgement.attempt_failures, [(Cause::NonZeroExit, 1)].into());
    assert_eq!(
        judgement.summary,
        "Completed after 15 s; succeeded after 1 failed attempt: container main exited with code 1."
    );
    let finished = Finished::read(&enriched(&evidence)).unwrap().unwrap();
    assert_eq!(finished.attempt_failures, [("NonZeroExit".to_owned(), 1)].into());
    assert_eq!(finished.attempts.len(), 2);
    assert_eq!(finished.attempts[0].outcome, "failed");
    assert_eq!(finished.attempts[0].exit_code, Some(1));
    assert_eq!(finished.cause, None);
}

#[test]
fn a_job_past_its_deadline_is_explained() {
    let (evidence, judgement) = only_job_of("deadline-seed");
    assert_eq!(
        judgement.summary,
        "Timed out after 10 s (activeDeadlineSeconds: 10): container main was still running."
    );
    let record = enriched(&evidence);
    let text = |name| otlp::find_text(&record.attributes, name);
    assert_eq!(text(attr::OUTCOME), Some("Failed"));
    assert_eq!(text(attr::FAILURE_REASON), Some("DeadlineExceeded"));
    assert_eq!(
        text(attr::FAILURE_MESSAGE),
        Some("Job was active longer than specified deadline")
    );
    assert_eq!(text(attr::FAILURE_CAUSE), Some("RanTooLong"));
    assert_eq!(text(attr::FAILURE_CATEGORY), Some("timeout"));
    assert_eq!(text(attr::FAILURE_RETRY), Some("no"));
    assert_eq!(text(attr::EVIDENCE_QUALITY), Some("complete"));
    let Some(Value::StringValue(body)) = record.body.clone().and_then(|body| body.value) else {
        panic!("the body is a text")
    };
    assert_eq!(body, format!("Job deadline-exceeded-test-job: {}", judgement.summary));
    assert_eq!(otlp::evidence(&record).unwrap(), evidence);

    // Judged a second after the verdict: the container has not ended yet.
    let expected = "\
deadline-seed/deadline-exceeded-test-job  Failed  DeadlineExceeded
  cause:    RanTooLong (timeout), retry helps: no
  Timed out after 10 s (activeDeadlineSeconds: 10): container main was still running.
    attempt                           container  exit  ended                 result
    deadline-exceeded-test-job-27vst  main       -     2026-11-23T16:14:26Z  stopped
  next:     Find out what it was doing; make it faster, split the work, or raise activeDeadlineSeconds.
";
    assert_eq!(report::text(&evidence, &judgement), expected);
}

#[test]
fn summaries_stay_short_and_on_one_line() {
    for name in expected().as_object().unwrap().keys() {
        for evidence in jobs_of(name) {
            let summary = judge(&evidence).summary;
            assert!(summary.chars().count() < 700, "{name}: {summary}");
            assert!(!summary.contains('\n') && summary.ends_with('.'), "{name}: {summary}");
        }
    }
}
