//! The events of stalled Jobs in the stories: the tracker's checks agree with the judge at each second.

use jiff::{SignedDuration, Timestamp};
use job_event::Notice;
use job_judge::Cause;
use job_tracker::replay::{Limits, ReplayStep, after, replay_steps};
use job_tracker::{StallSettings, TrackerSettings};
use serde_json::{Value, json};

use crate::stories::stalls::all;

/// The causes that were reported, and the number of recoveries, until that second.
fn reported(lines: &[Value], until: i64) -> (Vec<String>, usize) {
    let settings = TrackerSettings {
        stalls: StallSettings::all_after(SignedDuration::from_secs(30)),
        ..TrackerSettings::default()
    };
    let start: Timestamp = lines[0]["object"]["metadata"]["creationTimestamp"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    // Time runs as long as there are lines.
    let last = json!({"t": until * 1000, "resource": "cronjobs", "type": "ADDED", "object": {
        "metadata": {"name": "other", "namespace": "other", "uid": "0", "creationTimestamp": "2026-11-23T12:00:00Z"},
        "spec": {"schedule": "0 0 1 1 *", "suspend": true}}});
    let text: String = lines.iter().chain([&last]).map(|line| format!("{line}\n")).collect();
    let (mut causes, mut recoveries) = (Vec::new(), 0);
    replay_steps(text.as_bytes(), settings, Limits::default(), |step| match step {
        ReplayStep::Notice(Notice::Stalled(stalled)) if stalled.at <= after(start, until * 1000) => {
            causes.push(stalled.cause.to_owned());
        }
        ReplayStep::Notice(Notice::Recovered(recovered)) if recovered.at <= after(start, until * 1000) => {
            recoveries += 1
        }
        _ => {}
    })
    .unwrap();
    (causes, recoveries)
}

#[test]
fn each_stall_of_a_story_is_reported_once() {
    let mut wrong = Vec::new();
    for story in all() {
        let expected: Vec<&str> = story
            .stalls
            .iter()
            .filter(|(cause, ..)| *cause != Cause::AwaitingAdmission)
            .map(|(cause, ..)| cause.as_str())
            .collect();
        let (causes, recoveries) = reported(&story.lines, story.until);
        let ends = story.stalls.last().is_some_and(|(_, _, last)| *last < story.until) && !expected.is_empty();
        if causes != expected || (recoveries > 0) != ends {
            wrong.push(format!(
                "{}: found {causes:?} and {recoveries} recoveries, expected {expected:?}",
                story.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
