//! Events that the exporter `k8s_events` writes are no evidence: with them in the cluster, every Job and CronJob of the
//! recordings and stories has the same evidence and the same stalls and missed runs.

use serde_json::{Value, json};

use crate::replayed::{replayed, text, thirty_seconds};
use crate::stories;
use crate::verdicts::{corpus, read};

/// The component that the collector names as author.
const OWN: &str = "kube-job-collector";

/// Events of the collector about the object of a line. One of them says what the line says.
fn own_events(line: &Value) -> Vec<Value> {
    let object = &line["object"];
    let about = |kind: &str, api_version: &str| {
        let metadata = &object["metadata"];
        json!({"kind": kind, "apiVersion": api_version, "namespace": metadata["namespace"], "name": metadata["name"],
            "uid": metadata["uid"]})
    };
    let event = |involved: &Value, reason: &str, message: &str| {
        json!({"metadata": {"namespace": involved["namespace"]}, "involvedObject": involved, "type": "Warning",
            "reason": reason, "message": message, "count": 1})
    };
    match line["resource"].as_str() {
        Some("events") => vec![object.clone()],
        Some("jobs") => {
            let job = about("Job", "batch/v1");
            vec![
                event(&job, "OutOfMemory", "Failed: container main ran out of memory."),
                event(
                    &job,
                    "BackoffLimitExceeded",
                    "Job has reached the specified backoff limit",
                ),
                event(&job, "SuccessfulCreate", "Created pod: no-such-pod"),
                event(&job, "Completed", "Job completed"),
            ]
        }
        Some("cronjobs") => vec![event(
            &about("CronJob", "batch/v1"),
            "MissSchedule",
            "Missed scheduled time",
        )],
        Some("pods") => {
            let pod = about("Pod", "v1");
            vec![
                event(
                    &pod,
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"v\": not found",
                ),
                event(&pod, "Evicted", "The node was low on resource: memory."),
            ]
        }
        _ => Vec::new(),
    }
}

/// A recording with own Events after each line, as a fresh object each.
fn with_own_events(recording: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut number = 0;
    for line in recording.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        lines.extend_from_slice(line);
        lines.push(b'\n');
        let Ok(line) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        for mut event in own_events(&line) {
            number += 1;
            event["metadata"]["name"] = format!("own.{number}").into();
            event["metadata"]["uid"] = format!("own-{number}").into();
            event["source"] = json!({"component": OWN});
            event["reportingComponent"] = OWN.into();
            let own = json!({"t": line["t"], "resource": "events", "type": "ADDED", "object": event});
            lines.extend_from_slice(own.to_string().as_bytes());
            lines.push(b'\n');
        }
    }
    assert!(number > 0, "own Events were added");
    lines
}

/// Notices and finished Jobs with their evidence.
fn found(recording: &[u8]) -> String {
    let (notices, finished) = replayed(recording, thirty_seconds());
    format!("{notices:#?}\n{finished:#?}")
}

fn check(name: &str, recording: &[u8]) {
    let (without, with) = (found(recording), found(&with_own_events(recording)));
    assert!(
        without == with,
        "{name}: own Events change the result:\n{without}\n{with}"
    );
}

#[test]
fn own_events_change_no_verdict_of_a_recording() {
    for (name, path) in corpus() {
        check(&name, &read(&path));
    }
}

#[test]
fn own_events_change_no_verdict_of_a_story() {
    for story in stories::all() {
        check(story.name, &text(&story));
    }
}

/// The Job waits for an image, and each own Event about it comes within the threshold.
#[test]
fn own_events_are_no_progress_of_a_job() {
    let message = "pull access denied, repository does not exist or may require authorization";
    let mut story = crate::story("no-progress")
        .job(json!({}))
        .pod("a")
        .admitted("a")
        .waits("a", "ErrImagePull", message)
        .warns("pods/a{main}", "Failed", message);
    for second in (10..300).step_by(10) {
        for (about, reason) in [
            ("jobs/j", "SuccessfulCreate"),
            ("pods/a{main}", "Started"),
            ("jobs/j", "StalledImagePull"),
        ] {
            story = story.at(second).tell(about, "Normal", reason, "Created pod: b").by(OWN);
        }
    }
    let (notices, _) = replayed(&text(&story), thirty_seconds());
    let stalls: Vec<String> = notices.iter().map(crate::replayed::short).collect();
    assert_eq!(stalls, ["stalled ImagePull"]);
}
