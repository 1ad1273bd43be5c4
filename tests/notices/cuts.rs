//! Parts of the recordings of a 1.37 cluster: a recorder that starts late, or stops early, gives no other notices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use job_event::Notice;
use job_tracker::replay::decompressed;
use serde_json::Value;

use crate::replayed::{replayed, short, thirty_seconds};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes-1.37")
}

/// The recordings, by name.
fn recordings() -> BTreeMap<String, Vec<Value>> {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let read = |name: &String| {
        let mut text = String::new();
        let file = File::open(folder().join(format!("{name}.jsonl.gz"))).unwrap();
        decompressed(file).unwrap().read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    expected.keys().map(|name| (name.clone(), read(name))).collect()
}

/// The notices of some lines, one text for each slot.
fn notices(lines: &[Value]) -> BTreeSet<String> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (notices, _) = replayed(text.as_bytes(), thirty_seconds());
    let texts = notices.iter().flat_map(|notice| match notice {
        Notice::Missed(missed) => {
            let text = short(notice);
            let slots = text
                .split(' ')
                .skip(2)
                .map(|slot| format!("missed {} {slot}", missed.reason.as_str()));
            slots.collect::<Vec<_>>()
        }
        // The outcome of a Job that recovered depends on what is seen of it.
        Notice::Recovered(_) => vec!["recovered".to_owned()],
        Notice::Stalled(_) => vec![short(notice)],
    });
    texts.collect()
}

/// The lines from `at` on, after the objects that exist then, as a recorder that starts then lists them.
fn from(lines: &[Value], at: usize) -> Vec<Value> {
    let mut existing: BTreeMap<String, Value> = BTreeMap::new();
    for line in &lines[..at] {
        let key = format!("{}/{}", line["resource"], line["object"]["metadata"]["uid"]);
        if line["type"] == "DELETED" {
            existing.remove(&key);
        } else {
            existing.insert(key, line.clone());
        }
    }
    let start = lines.get(at).map_or(0, |line| line["t"].as_i64().unwrap());
    let listed = existing.into_values().map(|mut line| {
        line["t"] = 0.into();
        line["type"] = "ADDED".into();
        line
    });
    let moved = lines[at..].iter().map(|line| {
        let mut line = line.clone();
        line["t"] = (line["t"].as_i64().unwrap() - start).into();
        line
    });
    listed.chain(moved).collect()
}

/// Every line of a short recording, every third one of a long one.
fn step(lines: &[Value]) -> usize {
    if lines.len() > 40 { 3 } else { 1 }
}

#[test]
fn a_late_start_adds_no_notice() {
    let mut problems = String::new();
    for (name, lines) in recordings() {
        let all = notices(&lines);
        for at in (1..lines.len()).step_by(step(&lines)) {
            let found = notices(&from(&lines, at));
            let more: Vec<_> = found.difference(&all).collect();
            if !more.is_empty() {
                problems.push_str(&format!("{name} from line {at}: {more:?}\n"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn an_early_end_adds_no_notice() {
    let mut problems = String::new();
    for (name, lines) in recordings() {
        let all = notices(&lines);
        for end in (1..lines.len()).step_by(step(&lines)) {
            let found = notices(&lines[..end]);
            let more: Vec<_> = found.difference(&all).collect();
            if !more.is_empty() {
                problems.push_str(&format!("{name} until line {end}: {more:?}\n"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn the_order_of_the_watches_does_not_matter() {
    for (name, lines) in recordings() {
        let all = notices(&lines);
        for late in ["events", "cronjobs", "jobs", "pods"] {
            let mut lines = lines.clone();
            for line in &mut lines {
                if line["resource"] == late {
                    line["t"] = (line["t"].as_i64().unwrap() + 700).into();
                }
            }
            lines.sort_by_key(|line| line["t"].as_i64().unwrap());
            assert_eq!(notices(&lines), all, "{name}: {late} arrive late");
        }
    }
}
