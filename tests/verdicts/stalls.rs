//! Stalls at each second of a story or of a recording of a real cluster.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_judge::{Cause, stall};
use job_tracker::TrackerSettings;
use job_tracker::replay::{after, decompressed, replay};
use serde_json::Value;

use crate::stories::stalls::{StallStory, all};

/// How long a stall lasts before it counts.
const AFTER: SignedDuration = SignedDuration::from_secs(30);

/// A stall that counts: its cause, the second of its beginning, and the last second.
type Span = (Cause, i64, i64);

/// The stalls of each Job, by its name and UID, found by checks at every second or less often.
fn stalls(lines: &[Value], until: i64, every: i64) -> BTreeMap<(String, String), Vec<Span>> {
    let start = lines[0]["object"]["metadata"]["creationTimestamp"].as_str().unwrap();
    let start: Timestamp = start.parse().unwrap();
    let mut found: BTreeMap<(String, String), Vec<Span>> = BTreeMap::new();
    let mut unfinished: Vec<Evidence> = Vec::new();
    let (mut read, mut last_line, mut before) = (0, 0, -1);
    for second in 0..=until {
        let line_at = |line: &Value| line["t"].as_i64().unwrap() / 1000;
        // Little changes long after the last line, and before the next one.
        let next = lines.get(read).map_or(i64::MAX, line_at);
        let is_quiet = second > last_line + 45 && second % 5 != 0 && next > second + 1;
        if (is_quiet || second % every != 0) && second != until {
            continue;
        }
        if next <= second {
            read += lines[read..].iter().take_while(|line| line_at(line) <= second).count();
            last_line = second;
            let text: String = lines[..read].iter().map(|line| format!("{line}\n")).collect();
            unfinished = replay(text.as_bytes(), TrackerSettings::default()).unwrap().unfinished;
        }
        let previous = std::mem::replace(&mut before, second);
        // The last line of a second was observed within it.
        let now = after(start, second * 1000 + 999);
        for evidence in &unfinished {
            let key = (evidence.job.name.to_string(), evidence.job.uid.to_string());
            let spans = found.entry(key).or_default();
            let Some(stall) = stall(evidence, now).filter(|stall| now.duration_since(stall.since) >= AFTER) else {
                continue;
            };
            match spans.last_mut() {
                Some((cause, _, last)) if *cause == stall.cause && *last == previous => *last = second,
                _ => spans.push((stall.cause, stall.since.duration_since(start).as_secs(), second)),
            }
        }
    }
    found
}

/// The stalls of the Job of a story.
fn of_story(lines: &[Value], until: i64, every: i64) -> Vec<Span> {
    stalls(lines, until, every).into_values().next().unwrap_or_default()
}

/// Asserts that each story whose lines are those that `keeps` has these stalls.
fn check(keeps: impl Fn(&Value) -> bool, expected: impl Fn(&StallStory, &[Span]) -> bool) {
    let mut wrong = Vec::new();
    for mut story in all() {
        story.lines.retain(&keeps);
        let found = of_story(&story.lines, story.until, 1);
        if !expected(&story, &found) {
            wrong.push(format!("{}: found {found:?}", story.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_stall_story_has_its_stalls() {
    check(|_| true, |story, found| found == story.stalls);
}

/// The collector does not watch Events of type `Normal`.
#[test]
fn a_stall_needs_no_normal_events() {
    let is_normal = |line: &Value| line["resource"] == "events" && line["object"]["type"] == "Normal";
    check(|line| !is_normal(line), |story, found| found == story.stalls);
}

#[test]
fn without_events_a_stall_is_broader_or_silent() {
    check(
        |line| line["resource"] != "events",
        |story, found| found.iter().map(|(cause, ..)| cause).eq(story.without_events.iter()),
    );
}

/// Delays the lines of one resource by that many milliseconds.
fn delay(lines: &mut [Value], resource: &str, by: i64) {
    for line in lines.iter_mut().filter(|line| line["resource"] == resource) {
        line["t"] = (line["t"].as_i64().unwrap() + by).into();
    }
    lines.sort_by_key(|line| line["t"].as_i64());
}

/// The watches of different resources are not ordered. Until its Event arrives, an error counts from the start of its Pod.
#[test]
fn a_late_watch_changes_no_cause() {
    let mut wrong = Vec::new();
    for resource in ["events", "pods", "jobs"] {
        for mut story in all() {
            delay(&mut story.lines, resource, 4000);
            let mut found = causes(&of_story(&story.lines, story.until + 4, 5));
            found.dedup();
            let without_events = resource == "events" && found == story.without_events;
            if found != causes(&story.stalls) && !without_events {
                wrong.push(format!("{} with late {resource}: found {found:?}", story.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn causes(spans: &[Span]) -> Vec<Cause> {
    spans.iter().map(|(cause, ..)| *cause).collect()
}

/// The lines of a recording.
fn recording(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    decompressed(File::open(path).unwrap())
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The causes of the stalls of a recording, until a minute after its last line.
fn of_recording(path: &Path) -> BTreeMap<(String, String), Vec<Cause>> {
    let lines = recording(path);
    let end = lines.last().unwrap()["t"].as_i64().unwrap() / 1000;
    let found = stalls(&lines, end + 60, 1);
    found.into_iter().map(|(job, spans)| (job, causes(&spans))).collect()
}

#[test]
fn jobs_of_a_real_cluster_stall_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes-1.37");
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    for (name, expected) in expected {
        let expected: Vec<&str> = expected["stalled"].as_str().into_iter().collect();
        for (job, causes) in of_recording(&folder.join(format!("{name}.jsonl.gz"))) {
            let causes: Vec<&str> = causes.iter().map(|cause| cause.as_str()).collect();
            assert_eq!(causes, expected, "{name} {job:?}");
        }
    }
}

#[test]
fn no_job_that_succeeds_stalls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".jsonl.gz") {
            continue;
        }
        let replay = replay(
            decompressed(File::open(&path).unwrap()).unwrap(),
            TrackerSettings::default(),
        )
        .unwrap();
        let succeeded: Vec<String> = replay
            .ended
            .iter()
            .filter(|evidence| evidence.job.outcome() == job_event::Outcome::Succeeded)
            .map(|evidence| evidence.job.uid.to_string())
            .collect();
        let found = of_recording(&path);
        for ((name, uid), causes) in found {
            if succeeded.contains(&uid) {
                assert_eq!(causes, [], "{} {name}", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked >= 5, "{checked}");
}
