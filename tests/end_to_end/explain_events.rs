//! `explain --recording --events`: the events that the collector would emit for a recording.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{run, stderr, stdout};
use crate::support::corpus;

/// The events of a recording.
fn events(path: &Path, more: &[&str]) -> Vec<Value> {
    let path = path.display().to_string();
    let args = [&["explain", "--recording", &path, "--events", "-o", "json"], more].concat();
    let output = run(&args, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = stdout(&output);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn a_finished_job_is_one_event_with_its_verdict() {
    let events = events(&corpus().join("cron-failing.jsonl.gz"), &[]);
    assert_eq!(events.len(), 4, "{events:#?}");
    assert_eq!(
        events[0],
        json!({
            "event": "k8s.job.finished", "time": "2026-11-23T16:15:03Z", "namespace": "cron-failing",
            "name": "nightly-29924175", "uid": "399744bc-7152-43d3-9424-b9834ef20913", "cronjob": "nightly",
            "outcome": "Failed", "reason": "BackoffLimitExceeded", "cause": "NonZeroExit",
            "summary": "Failed after 1 attempt (backoffLimit: 0): container main exited with code 13.", "slot": null
        })
    );
    let keys = [
        "event",
        "time",
        "namespace",
        "name",
        "uid",
        "cronjob",
        "outcome",
        "reason",
        "cause",
        "summary",
        "slot",
    ];
    let mut sorted = keys;
    sorted.sort_unstable();
    for event in &events {
        let mut found: Vec<&str> = event.as_object().expect("an object").keys().map(|key| &**key).collect();
        found.sort_unstable();
        assert_eq!(found, sorted);
    }
}
