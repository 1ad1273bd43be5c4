//! Properties from a recording, or evidence, to the text for people, for any bytes. Run by a fuzz
//! target, and by `cargo test` on mutated recordings.
//!
//! Input: the evidence of one Job as JSON, or the lines of a recording; lines that cannot be read are left out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use job_event::finished::Finished;
use job_event::{Evidence, Outcome, otlp};
use job_judge::judge;
use job_judge::report::{self, ExplainRecord};
use job_tracker::replay::{after, read_line};
use job_tracker::{Tracker, TrackerSettings};
use reason_enrichment_processor::encode;

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    if let Ok(evidence) = serde_json::from_slice::<Evidence>(data) {
        check(&evidence);
    } else if let Ok(text) = std::str::from_utf8(data) {
        let mut uids = BTreeSet::new();
        for evidence in track(text) {
            check(&evidence);
            assert!(uids.insert(evidence.job.uid), "a Job was reported twice");
        }
    }
}

/// Every Job that the tracker makes of a recording.
fn track(recording: &str) -> Vec<Evidence> {
    let start = Timestamp::UNIX_EPOCH;
    let mut tracker = Tracker::new(TrackerSettings::default());
    let mut jobs = Vec::new();
    for recorded in recording.lines().filter_map(|line| read_line(line).ok()) {
        let now = after(start, recorded.t);
        jobs.extend(std::iter::from_fn(|| tracker.poll(now)));
        if let Some(observation) = recorded.observation {
            tracker.apply(recorded.source, observation, now);
        }
    }
    jobs.extend(std::iter::from_fn(|| tracker.drain(true)));
    assert!(jobs.iter().all(|evidence| evidence.job.outcome().is_final()));
    tracker.states().for_each(drop);
    jobs.extend(tracker.into_unfinished());
    jobs
}

/// Judges one Job, encodes and explains it.
pub(super) fn check(evidence: &Evidence) {
    let judgement = judge(evidence);
    assert_eq!(judge(evidence), judgement, "judged differently the second time");
    let failed = judgement.outcome == Outcome::Failed;
    assert_eq!(judgement.cause.is_some(), failed);
    assert_eq!(judgement.category, judgement.cause.map(|cause| cause.category()));
    assert_eq!(
        (judgement.retry.is_some(), judgement.next_step.is_some()),
        (failed, failed)
    );
    assert_eq!(
        judgement.reason.as_deref(),
        evidence.job.reason(),
        "a reason is kept as it is"
    );

    let summary = &judgement.summary;
    assert!(
        summary.chars().count() <= 2010,
        "{} characters",
        summary.chars().count()
    );
    assert!(summary.ends_with(['.', '…']) && is_printable(summary), "{summary:?}");
    let report = report::text(evidence, &judgement);
    assert!(report.ends_with('\n') && report.lines().all(is_printable), "{report:?}");
    serde_json::to_string(&ExplainRecord::new(evidence, &judgement)).expect("a record can be written");
    let json = serde_json::to_string(&judgement).expect("a judgement can be written");
    assert_eq!(
        serde_json::from_str::<job_judge::Judgement>(&json).ok(),
        Some(judgement.clone())
    );

    if !judgement.outcome.is_final() {
        return;
    }
    let resource = otlp::encode(evidence, Some("cluster"), Timestamp::UNIX_EPOCH);
    let mut record = resource.scope_logs[0].log_records[0].clone();
    assert_eq!(&otlp::evidence(&record).expect("evidence comes back"), evidence);
    encode::write(&mut record, &judgement);
    let finished = Finished::read(&record)
        .expect("connectors can read the event")
        .expect("it is an event");
    assert_eq!(&*finished.uid, &*evidence.job.uid);
    assert_eq!(finished.outcome, judgement.outcome);
    assert_eq!(finished.cause.as_deref(), judgement.cause.map(|cause| cause.as_str()));
    assert_eq!(finished.attempts.len(), judgement.attempts.len());
}

/// True if a terminal shows the line unchanged.
fn is_printable(line: &str) -> bool {
    !line
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}
