//! `explain --recording --events`: the events that the collector would emit for a recording.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{run, stderr, stdout};
use crate::support::{corpus, newest};

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

/// The expected notices of each recording of a 1.37 cluster.
fn expected() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(newest().join("expected.json")).expect("expected.json");
    serde_json::from_str(&text).expect("JSON")
}

/// The events of one name.
fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn recordings_of_a_cluster_have_the_expected_notices() {
    let mut number = 0;
    for (name, expected) in expected() {
        let events = events(&newest().join(format!("{name}.jsonl.gz")), &["--stalled-after", "30s"]);
        let stalled = named(&events, "k8s.job.stalled");
        let causes: Vec<&Value> = stalled.iter().map(|event| &event["cause"]).collect();
        let wanted: Vec<&Value> = expected
            .get("stalled")
            .filter(|cause| !cause.is_null())
            .into_iter()
            .collect();
        assert_eq!(causes, wanted, "{name}");
        let recovered = named(&events, "k8s.job.recovered");
        let recovers = !wanted.is_empty() && expected["recovers"] == true;
        assert_eq!(recovered.len(), usize::from(recovers), "{name}: {recovered:#?}");
        assert!(
            recovered.iter().all(|event| event["cause"] == *wanted[0]),
            "{name}: {recovered:#?}"
        );
        let missed = named(&events, "k8s.cronjob.missed");
        let reason = expected.get("missed").unwrap_or(&Value::Null);
        assert!(
            missed.iter().all(|event| event["reason"] == *reason),
            "{name}: {missed:#?}"
        );
        let slots: Vec<&Value> = missed.iter().map(|event| &event["slot"]).collect();
        match &expected["missed_slots"] {
            Value::Array(wanted) => assert_eq!(slots, wanted.iter().collect::<Vec<_>>(), "{name}"),
            count => assert_eq!(slots.len() as u64, count.as_u64().unwrap_or(0), "{name}"),
        }
        for event in stalled.iter().chain(&missed) {
            assert_eq!(event["outcome"], Value::Null);
            assert!(
                event["summary"].as_str().is_some_and(|summary| summary.ends_with('.')),
                "{event}"
            );
        }
        number += 1;
    }
    assert_eq!(number, 17);
}

#[test]
fn a_successful_job_is_never_stalled() {
    for entry in std::fs::read_dir(corpus()).expect("the corpus") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        let events = events(&path, &["--stalled-after", "30s"]);
        for stalled in named(&events, "k8s.job.stalled") {
            let of_job = |event: &&&Value| event["uid"] == stalled["uid"];
            let finished = named(&events, "k8s.job.finished");
            let finished = finished.iter().find(of_job);
            let outcome = finished.map_or(&Value::Null, |event| &event["outcome"]);
            assert_ne!(outcome, "Succeeded", "{}: {stalled}", path.display());
        }
        let missed = named(&events, "k8s.cronjob.missed");
        let may_miss = path.to_string_lossy().contains("cron-forbid");
        assert!(missed.is_empty() || may_miss, "{}: {missed:#?}", path.display());
    }
}

#[test]
fn by_default_the_thresholds_are_those_of_the_collector() {
    let stalled = |name: &str| {
        let events = events(&newest().join(format!("{name}.jsonl.gz")), &[]);
        let stalled = named(&events, "k8s.job.stalled");
        stalled
            .iter()
            .map(|event| event["time"].as_str().expect("a time").to_owned())
            .collect::<Vec<_>>()
    };
    // Gates hold Pods on purpose; autoscalers take minutes.
    assert_eq!(stalled("stuck-gated"), [""; 0]);
    assert_eq!(stalled("stuck-imagepull"), ["2026-11-28T12:11:48Z"]);
    assert_eq!(stalled("stuck-unschedulable"), ["2026-11-28T12:19:55Z"]);
}

#[test]
fn a_recording_without_events_says_so() {
    let path = newest().join("stuck-suspended.jsonl.gz").display().to_string();
    let output = run(&["explain", "--recording", &path, "--events"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "");
    assert_eq!(stderr(&output), "The collector emits no event for this recording.\n");
}

#[test]
fn events_are_lines_that_fit_into_a_terminal() {
    let path = newest().join("cron-controller-down.jsonl.gz").display().to_string();
    let output = run(&["explain", "--recording", &path, "--events"], &[("COLUMNS", "80")]);
    let text = stdout(&output);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let missed = "2026-11-28T12:18:01Z  missed     cron-controller-down/c\n                      ControllerLate, slot 2026-11-28T12:17:00Z\n";
    assert!(text.contains(missed), "{text}");
}
