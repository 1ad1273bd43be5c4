//! Missed runs in recordings of a real cluster.

use std::fs::File;
use std::path::Path;

use job_event::Notice;
use job_event::notice::MissReason;
use job_tracker::TrackerSettings;
use job_tracker::replay::{Limits, ReplayStep, decompressed, replay_steps};

/// The missed runs of a recording: the reason, the first slot and the number of slots.
fn missed(recording: &str) -> Vec<(MissReason, String, u64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kubernetes-1.37");
    let file = File::open(folder.join(format!("{recording}.jsonl.gz"))).unwrap();
    let mut missed = Vec::new();
    let on_step = |step: ReplayStep<'_>| {
        if let ReplayStep::Notice(Notice::Missed(runs)) = step {
            missed.push((runs.reason, runs.first.to_string(), runs.count));
        }
    };
    replay_steps(
        decompressed(file).unwrap(),
        TrackerSettings::default(),
        Limits::default(),
        on_step,
    )
    .unwrap();
    missed
}

#[test]
fn a_restarted_controller_starts_only_the_latest_run() {
    let expected = (MissReason::ControllerLate, "2026-11-28T12:17:00Z".to_owned(), 1);
    assert_eq!(missed("cron-controller-down"), [expected]);
}

#[test]
fn forbidden_runs_are_missed() {
    let expected = |slot: &str| (MissReason::ConcurrencyForbidden, slot.to_owned(), 1);
    assert_eq!(
        missed("cron-skip-forbid"),
        [expected("2026-11-28T12:11:00Z"), expected("2026-11-28T12:12:00Z")]
    );
}

#[test]
fn suspended_runs_are_not_missed() {
    for recording in ["cron-miss-deadline", "cron-miss-suspended", "cron-on-time"] {
        assert_eq!(missed(recording), [], "{recording}");
    }
}
