//! Recordings with changed content: absent fields, unknown values, long messages, another manager, clocks that
//! disagree. Never a panic, and never a specific cause that the recording did not have.

use std::collections::{BTreeMap, BTreeSet};

use job_event::Outcome;
use job_judge::{Cause, judge, report};
use job_tracker::replay::Recorded;
use serde_json::{Map, Value, json};

use crate::broader::{self, NOT_UNDERSTOOD, Row};
use crate::recording::{Recording, Verdict, all, decode, in_time, recordings, show, verdict};

/// Decodes a line; nothing for an object without a UID, which the receiver leaves out as well.
fn decoded(line: &Value) -> Option<Recorded> {
    let has_uid = line["object"]["metadata"]["uid"].is_string();
    has_uid.then(|| decode(line))
}

/// The recording with the objects of one resource changed; `change` returns true if it changed the object.
fn mutate(recording: &Recording, resource: &str, mut change: impl FnMut(&mut Value) -> bool) -> Vec<Recorded> {
    let lines = recording.json.iter().zip(&recording.lines);
    lines
        .filter_map(|(json, line)| {
            if json["resource"] != resource {
                return Some(line.clone());
            }
            let mut json = json.clone();
            match change(&mut json["object"]) {
                true => decoded(&json),
                false => Some(line.clone()),
            }
        })
        .collect()
}

/// A path of keys as it is written.
fn keys(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// Changes the value of a field at any depth.
fn replace(recording: &Recording, resource: &str, path: &str, value: &Value) -> Vec<Recorded> {
    let path = keys(path);
    mutate(recording, resource, |object| {
        at(object, &path, &mut |map, key| {
            drop(map.insert(key.to_owned(), value.clone()))
        })
    })
}

/// Compares causes only, of Jobs that failed both times, and that no failure became a success or the reverse. The
/// attempt that explains a Job may depend on missing evidence, so the cause of any attempt is accepted.
fn wrong_cause(known: &Verdict, found: &Verdict, table: &[Row]) -> Option<String> {
    let turned = matches!(
        (known.outcome, found.outcome),
        (Outcome::Failed, Outcome::Succeeded) | (Outcome::Succeeded, Outcome::Failed)
    );
    let cause = match (known.cause, found.cause) {
        (Some(cause), Some(found)) => {
            broader::allows(table, cause, found) || !table.is_empty() && known.attempts.contains(&found)
        }
        _ => true,
    };
    (turned || !cause).then(|| format!("{} instead of {}", show(found), show(known)))
}

/// Replays a changed recording and collects its errors.
fn check(recording: &Recording, what: &str, lines: &[Recorded], table: &[Row], wrong: &mut BTreeSet<String>) {
    let known = &recording.verdicts;
    for (uid, evidence) in in_time(lines) {
        let Some(known) = known.get(&uid) else { continue };
        let judgement = judge(&evidence);
        let report = report::text(&evidence, &judgement);
        assert!(
            !report.contains(|c: char| c.is_control() && c != '\n'),
            "{}, {what}: {report:?}",
            recording.name
        );
        if let Some(problem) = wrong_cause(known, &verdict(&evidence), table) {
            wrong.insert(format!("{}, {what}: {problem}", recording.name));
        }
    }
}

fn none(wrong: BTreeSet<String>) {
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Every path of keys in a value; all items of an array share one.
fn paths(value: &Value, path: &[String], all: &mut BTreeSet<Vec<String>>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = [path, std::slice::from_ref(key)].concat();
                paths(value, &path, all);
                all.insert(path);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| paths(value, path, all)),
        _ => {}
    }
}

/// Calls `change` with every map that holds the last key of a path.
fn at(value: &mut Value, path: &[String], change: &mut impl FnMut(&mut Map<String, Value>, &str)) -> bool {
    match value {
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |any, value| at(value, path, change) | any),
        Value::Object(map) => match path {
            [key] if map.contains_key(key) => {
                change(map, key);
                true
            }
            [key, rest @ ..] if !rest.is_empty() => map.get_mut(key).is_some_and(|value| at(value, rest, change)),
            _ => false,
        },
        _ => false,
    }
}

/// A resource, and a path of keys in its objects.
type Field = (String, Vec<String>);

/// The paths that the receiver reads: those without which a line is decoded to something else. To know that, a few
/// lines of each recording are enough.
fn read_paths(recordings: &[Recording]) -> BTreeSet<Field> {
    let mut samples: BTreeMap<Field, Vec<(&Value, &Recorded)>> = BTreeMap::new();
    for recording in recordings {
        for (json, line) in recording.json.iter().zip(&recording.lines) {
            let mut all = BTreeSet::new();
            paths(&json["object"], &[], &mut all);
            for path in all {
                let resource = json["resource"].as_str().unwrap().to_owned();
                samples.entry((resource, path)).or_default().push((json, line));
            }
        }
    }
    let is_read = |path: &[String], samples: &[(&Value, &Recorded)]| {
        let step = samples.len() / 20 + 1;
        samples.iter().step_by(step).any(|(json, line)| {
            let mut json = (*json).clone();
            at(&mut json["object"], path, &mut |map, key| drop(map.remove(key)));
            decoded(&json).is_none_or(|without| without.observation != line.observation)
        })
    };
    samples.retain(|(_, path), samples| is_read(path, samples));
    samples.into_keys().collect()
}

#[test]
fn absent_fields() {
    let recordings = recordings();
    let read = read_paths(&recordings);
    assert!(read.len() > 60, "only {} fields are read", read.len());
    let mut wrong = BTreeSet::new();
    for recording in &recordings {
        for (resource, path) in &read {
            let mut any = false;
            let lines = mutate(recording, resource, |object| {
                let changed = at(object, path, &mut |map, key| drop(map.remove(key)));
                any |= changed;
                changed
            });
            if any {
                let what = format!("{resource} without {}", path.join("."));
                check(recording, &what, &lines, &NOT_UNDERSTOOD, &mut wrong);
            }
        }
    }
    none(wrong);
}

#[test]
fn values_that_nobody_knows() {
    let mut wrong = BTreeSet::new();
    for recording in all() {
        for (resource, path) in [
            ("jobs", "status.conditions.reason"),
            ("jobs", "spec.template.spec.restartPolicy"),
            ("jobs", "spec.completionMode"),
            ("cronjobs", "spec.concurrencyPolicy"),
            ("pods", "status.reason"),
            ("pods", "status.phase"),
            ("pods", "status.conditions.reason"),
            ("pods", "status.conditions.type"),
            ("pods", "status.containerStatuses.state.waiting.reason"),
            ("pods", "status.containerStatuses.state.terminated.reason"),
            ("pods", "status.containerStatuses.lastState.terminated.reason"),
            ("pods", "spec.initContainers.restartPolicy"),
            ("events", "reason"),
            ("events", "type"),
        ] {
            let lines = replace(&recording, resource, path, &"SomethingNew".into());
            let what = format!("{resource} with an unknown {path}");
            check(&recording, &what, &lines, &NOT_UNDERSTOOD, &mut wrong);
            if path == "status.conditions.reason" && resource == "jobs" {
                for evidence in in_time(&lines).values().filter(|e| e.job.outcome() == Outcome::Failed) {
                    assert_eq!(judge(evidence).reason.as_deref(), Some("SomethingNew"), "{what}");
                }
            }
        }
    }
    none(wrong);
}

#[test]
fn conditions_that_are_false_decide_nothing() {
    let mut wrong = BTreeSet::new();
    for recording in all() {
        let known = &recording.verdicts;
        for (resource, kinds) in [
            (
                "jobs",
                ["SuccessCriteriaMet", "Complete", "FailureTarget", "Failed"].as_slice(),
            ),
            ("pods", &["DisruptionTarget", "ContainersReady", "SomethingNew"]),
        ] {
            let lines = mutate(&recording, resource, |object| {
                let conditions = &mut object["status"]["conditions"];
                let known = conditions.as_array().cloned().unwrap_or_default();
                let added = kinds.iter().flat_map(|kind| {
                    ["False", "Unknown"].map(|status| {
                        json!({"type": kind, "status": status, "reason": "EvictionByEvictionAPI",
                            "lastTransitionTime": "2020-01-01T00:00:00Z"})
                    })
                });
                *conditions = added.chain(known).collect();
                true
            });
            for (uid, evidence) in in_time(&lines) {
                let (known, found) = (&known[&uid], verdict(&evidence));
                // Another manager that has set any condition has said something.
                let said = known.outcome == Outcome::Unmanaged && found.outcome == Outcome::Running;
                if found != *known && !said {
                    wrong.insert(format!(
                        "{}: {} instead of {}",
                        recording.name,
                        show(&found),
                        show(known)
                    ));
                }
            }
        }
        let lines = replace(&recording, "jobs", "status.conditions.status", &"False".into());
        for evidence in in_time(&lines).values() {
            let judgement = judge(evidence);
            assert!(
                !matches!(judgement.outcome, Outcome::Failed | Outcome::Succeeded),
                "{}",
                recording.name
            );
            assert_eq!((judgement.reason, judgement.cause), (None, None), "{}", recording.name);
        }
    }
    none(wrong);
}

#[test]
fn messages_that_are_long_and_full_of_control_characters() {
    let long = "\u{1b}[2J\u{0}\r\n\u{202e}\u{fffd}ä\u{7}".repeat(500);
    assert!(long.len() > 5000);
    let mut wrong = BTreeSet::new();
    for recording in all() {
        for (resource, path) in [
            ("jobs", "status.conditions.message"),
            ("pods", "status.message"),
            ("pods", "status.conditions.message"),
            ("pods", "status.containerStatuses.state.waiting.message"),
            ("pods", "status.containerStatuses.state.terminated.message"),
            ("events", "message"),
        ] {
            let lines = replace(&recording, resource, path, &(*long).into());
            check(
                &recording,
                &format!("{resource} with a long {path}"),
                &lines,
                &NOT_UNDERSTOOD,
                &mut wrong,
            );
        }
    }
    none(wrong);
}

#[test]
fn jobs_of_another_controller_are_judged_by_what_it_says() {
    for recording in all() {
        let lines = mutate(&recording, "jobs", |object| {
            object["spec"]["managedBy"] = "example.com/other".into();
            true
        });
        let jobs = in_time(&lines);
        for (uid, known) in &recording.verdicts {
            let found = verdict(&jobs[uid]);
            let unsaid = found.outcome == Outcome::Unmanaged;
            // Its Pods may be in another cluster.
            let cause = known.cause.map(|cause| match cause {
                Cause::NoPodsCreated => Cause::Unknown,
                cause => cause,
            });
            assert!(
                unsaid || (found.outcome, found.cause) == (known.outcome, cause),
                "{}",
                recording.name
            );
        }
    }
}

#[test]
fn clocks_of_nodes_that_are_a_minute_off() {
    let mut wrong = BTreeSet::new();
    for recording in all() {
        for seconds in [-60, -10, 10, 60] {
            let lines: Vec<Recorded> = recording
                .json
                .iter()
                .map(|line| decode(&shifted(line, seconds)))
                .collect();
            check(&recording, &format!("{seconds:+} s"), &lines, &[], &mut wrong);
        }
    }
    none(wrong);
}

/// A line with the times moved that the kubelet wrote.
fn shifted(line: &Value, seconds: i64) -> Value {
    let moved = |map: &mut Map<String, Value>, key: &str| {
        if let Some(time) = map[key].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
            let time = time + jiff::SignedDuration::from_secs(seconds);
            map.insert(key.to_owned(), time.to_string().into());
        }
    };
    let move_at = |object: &mut Value, path: &str| at(object, &keys(path), &mut |map, key| moved(map, key));
    let mut line = line.clone();
    let is_pod = line["resource"] == "pods";
    let object = &mut line["object"];
    if is_pod {
        for statuses in ["initContainerStatuses", "containerStatuses"] {
            for state in ["state", "lastState"] {
                for time in ["running.startedAt", "terminated.startedAt", "terminated.finishedAt"] {
                    move_at(object, &format!("status.{statuses}.{state}.{time}"));
                }
            }
        }
        move_at(object, "status.startTime");
        let conditions = object["status"]["conditions"].as_array_mut().into_iter().flatten();
        for condition in conditions.filter_map(Value::as_object_mut) {
            // Other components write these: the scheduler, and the source of a disruption.
            if condition["type"] != "PodScheduled" && condition["type"] != "DisruptionTarget" {
                moved(condition, "lastTransitionTime");
            }
        }
    } else if ["kubelet", "kernel-monitor"]
        .iter()
        .any(|author| object["source"]["component"] == *author)
    {
        move_at(object, "firstTimestamp");
        move_at(object, "lastTimestamp");
    }
    line
}
