//! `explain --recording` of recordings that began after the Jobs were deleted.

use std::io::Read;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::{file, run, stderr, stdout};

fn recording(name: &str) -> PathBuf {
    crate::support::corpus().join(format!("{name}.jsonl.gz"))
}

/// The lines of a recording about CronJobs and the Events.
fn without_jobs(name: &str) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(recording(name)).expect("a recording");
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("text");
    let left = |line: &&str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["resource"] == "events" || line["resource"] == "cronjobs"
    };
    text.lines().filter(left).map(|line| format!("{line}\n")).collect()
}

#[test]
fn runs_that_are_gone_are_explained_from_their_events() {
    let path = file("runs-gone.jsonl", &without_jobs("cron-deadline"));
    let output = run(&["explain", "--recording", &path], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "cron-deadline/report-29924175  Failed  DeadlineExceeded  (CronJob report)\n",
        "Timed out: container main was still running.",
        "  evidence: events [\"end_not_seen\"]\n",
        "  note:     The recording does not contain the Job; this is what its Events say.\n",
        "\nCronJob cron-deadline/report\n  2026-11-23T16:16:13Z  Job report-29924175: Failed\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let json = run(&["explain", "--recording", &path, "-o", "json"], &[]);
    let causes: Vec<Value> = stdout(&json)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["cause"].clone())
        .collect();
    assert_eq!(causes, vec![json!("RanTooLong"); 4]);
}

#[test]
fn a_cronjob_that_never_makes_a_job_says_why() {
    let event = json!({"t": 0, "resource": "events", "type": "ADDED", "object": {"kind": "Event",
        "metadata": {"name": "e", "namespace": "shop", "uid": "e"}, "type": "Warning", "reason": "TooManyMissedTimes",
        "message": "too many missed start times: 101. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
        "source": {"component": "cronjob-controller"}, "lastTimestamp": "2026-11-23T16:00:00Z",
        "involvedObject": {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "c"}}});
    let path = file("no-job.jsonl", &format!("{event}\n"));
    let output = run(&["explain", "--recording", &path], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "The recording contains no Jobs.\n");
    assert_eq!(
        stdout(&output),
        "CronJob shop/nightly\n  2026-11-23T16:00:00Z  TooManyMissedTimes: too many missed start times: 101. Set or decrease \
         .spec.startingDeadlineSeconds or check clock skew\n"
    );
}
