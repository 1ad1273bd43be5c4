//! Played Jobs look like recorded ones: the same versions of Jobs and Pods, the same Events, in the same order.

use crate::playing::recorded;
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Ids, Resource, Scenario, TimelineStep, demo_scenarios};

fn start() -> Timestamp {
    "2026-11-23T16:14:16Z".parse().unwrap()
}

/// The scenario of a recording: its manifest, and this script.
fn scenario(name: &str, pods: &str) -> Scenario {
    let steps = recorded(name);
    let applied = &steps[0].object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    let manifest = applied.as_str().unwrap();
    Scenario::parse(&format!(
        "name: {name}\nnamespace: {name}\npods: {pods}\n---\n{manifest}"
    ))
    .unwrap()
}

/// Replaces generated names and UIDs by fixed ones.
fn plain(text: &str, steps: &[TimelineStep]) -> String {
    let mut text = text.to_owned();
    let mut names: Vec<(String, &str)> = Vec::new();
    for step in steps
        .iter()
        .filter(|step| matches!(step.resource, Resource::Pods | Resource::Jobs))
    {
        let metadata = &step.object["metadata"];
        let kind = if step.resource == Resource::Pods { "POD" } else { "JOB" };
        text = text.replace(metadata["uid"].as_str().unwrap(), &format!("{kind}-UID"));
        if kind == "POD" || metadata["ownerReferences"].is_array() {
            names.push((metadata["name"].as_str().unwrap().to_owned(), kind));
        }
    }
    // A Pod's name begins with that of its Job.
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, kind) in names {
        text = text.replace(&name, kind);
    }
    text
}

fn job(step: &TimelineStep) -> Value {
    let status = &step.object["status"];
    let conditions: Vec<String> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|condition| {
            format!(
                "{}: {}: {}",
                condition["type"], condition["reason"], condition["message"]
            )
        })
        .collect();
    let uncounted = &status["uncountedTerminatedPods"];
    let count = |key: &str| uncounted[key].as_array().map_or(0, Vec::len);
    json!({
        "change": step.change.as_str(),
        "started": status["startTime"].is_string(),
        "active": status["active"],
        "succeeded": status["succeeded"],
        "failed": status["failed"],
        "terminating": status["terminating"],
        "uncounted": [count("failed"), count("succeeded")],
        "conditions": conditions,
        "completed": status["completionTime"].is_string(),
        "deleted": step.object["metadata"]["deletionTimestamp"].is_string(),
        "finalizers": step.object["metadata"]["finalizers"],
    })
}

fn state(state: &Value) -> String {
    let (kind, inner) = state
        .as_object()
        .and_then(|map| map.iter().next())
        .map_or(("", &Value::Null), |(k, v)| (k, v));
    format!("{kind} {} {}", inner["reason"], inner["exitCode"])
}

fn pod(step: &TimelineStep) -> Value {
    let (metadata, status) = (&step.object["metadata"], &step.object["status"]);
    let container = &status["containerStatuses"][0];
    json!({
        "change": step.change.as_str(),
        "node": step.object["spec"]["nodeName"],
        "phase": status["phase"],
        "reason": status["reason"],
        "deleted": metadata["deletionTimestamp"].is_string(),
        "grace": metadata["deletionGracePeriodSeconds"],
        "generation": metadata["generation"],
        "finalizers": metadata["finalizers"],
        "state": state(&container["state"]),
        "last": state(&container["lastState"]),
        "restarts": container["restartCount"],
        "ready": container["ready"],
        "message": container["state"]["terminated"]["message"],
    })
}

fn event(step: &TimelineStep) -> Value {
    let event = &step.object;
    json!({
        "change": step.change.as_str(),
        "type": event["type"],
        "reason": event["reason"],
        "message": event["message"],
        "count": event["count"],
        "source": event["source"]["component"],
        "by": event["reportingComponent"],
        "field": event["involvedObject"]["fieldPath"],
    })
}

/// The events of a watch of each resource, without repetitions (the kubelet writes some versions twice).
fn observed(steps: &[TimelineStep]) -> Vec<(String, Vec<String>)> {
    let of = |resource: Resource, kind: &str, show: &dyn Fn(&TimelineStep) -> Value| {
        let chosen = steps.iter().filter(|step| {
            step.resource == resource && (kind.is_empty() || step.object["involvedObject"]["kind"] == kind)
        });
        let mut lines: Vec<String> = chosen.map(|step| plain(&show(step).to_string(), steps)).collect();
        lines.dedup();
        lines
    };
    vec![
        ("jobs".to_owned(), of(Resource::Jobs, "", &job)),
        ("pods".to_owned(), of(Resource::Pods, "", &pod)),
        ("events of jobs".to_owned(), of(Resource::Events, "Job", &event)),
        ("events of pods".to_owned(), of(Resource::Events, "Pod", &event)),
        ("events of cronjobs".to_owned(), of(Resource::Events, "CronJob", &event)),
    ]
}

fn assert_alike(name: &str, expected: &[TimelineStep], actual: &[TimelineStep], parts: &[&str]) {
    for ((part, expected), (_, actual)) in observed(expected).into_iter().zip(observed(actual)) {
        if parts.contains(&part.as_str()) {
            for (index, (left, right)) in expected.iter().zip(&actual).enumerate() {
                assert_eq!(
                    left, right,
                    "{name}: {part}, version {index}:\n{expected:#?}\n{actual:#?}"
                );
            }
            assert_eq!(
                expected.len(),
                actual.len(),
                "{name}: {part}: {expected:#?}\n{actual:#?}"
            );
        }
    }
}

const ALL: [&str; 4] = ["jobs", "pods", "events of jobs", "events of pods"];

fn played(name: &str, pods: &str) -> Vec<TimelineStep> {
    scenario(name, pods).timeline(start(), &mut Ids::new(7))
}

#[test]
fn the_articles_job_is_played_as_recorded() {
    let expected = recorded("deadline-seed");
    assert_alike(
        "deadline-seed",
        &expected,
        &played("deadline-seed", "[{run: forever}]"),
        &ALL,
    );
    // The scenario of the demo has the same events.
    let shipped = &demo_scenarios().unwrap()[0];
    let actual = shipped.timeline(start(), &mut Ids::new(1));
    assert_alike("shipped", &expected, &actual, &["jobs", "pods", "events of jobs"]);
}

#[test]
fn deadlines_before_the_container_runs() {
    let error = recorded("deadline-imagepull")
        .iter()
        .find_map(|step| {
            step.object["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
                .as_str()
                .map(str::to_owned)
        })
        .unwrap();
    let pods = json!([{"image_pull_error": error}]).to_string();
    assert_alike(
        "deadline-imagepull",
        &recorded("deadline-imagepull"),
        &played("deadline-imagepull", &pods),
        &ALL,
    );

    let pods = "[{missing_configmap: nope}]";
    let name = "deadline-missing-configmap";
    assert_alike(name, &recorded(name), &played(name, pods), &ALL);

    let name = "deadline-unschedulable";
    let expected = recorded(name);
    let message = expected
        .iter()
        .find(|step| step.object["reason"] == "FailedScheduling")
        .unwrap()
        .object["message"]
        .clone();
    let actual = played(name, &json!([{"unschedulable": message}]).to_string());
    // The real scheduler retries.
    assert_alike(name, &expected, &actual, &["jobs", "pods", "events of jobs"]);
}

#[test]
fn pods_that_end_by_themselves() {
    for (name, pods) in [
        ("backoff-exit1-retries", "[{run: 1s, exit: 1}]"),
        ("backoff-oom", "[{oom_after: 1s}]"),
        ("ttl0-failure", "[{run: 1s, exit: 11}]"),
    ] {
        assert_alike(name, &recorded(name), &played(name, pods), &ALL);
    }
}

#[test]
fn pods_that_handle_sigterm_or_are_replaced() {
    let name = "deadline-sigterm-exit0";
    assert_alike(
        name,
        &recorded(name),
        &played(name, "[{run: forever, on_sigterm: 0}]"),
        &ALL,
    );
    let name = "success-after-retry";
    // The recorded kubelet was slow and skipped a version of the first Pod.
    let actual = played(name, "[{run: 500ms, exit: 1}, {run: 500ms, exit: 0}]");
    assert_alike(
        name,
        &recorded(name),
        &actual,
        &["jobs", "events of jobs", "events of pods"],
    );
}

#[test]
fn containers_that_are_restarted_in_their_pod() {
    let name = "backoff-onfailure";
    let actual = played(name, "[{run: 400ms, exit: 6}, {run: 900ms, exit: 6}]");
    // The recorded container had just died when the kubelet came to kill it.
    assert_alike(name, &recorded(name), &actual, &["jobs", "pods", "events of jobs"]);
    let name = "deadline-crashloop";
    // The recorded kubelet was busy: it never wrote the second wait of the container.
    assert_alike(
        name,
        &recorded(name),
        &played(name, "[{run: 500ms, exit: 3}]"),
        &["jobs", "events of jobs"],
    );
    let name = "backoff-start-error";
    let expected = recorded(name);
    let started = expected.iter().find_map(|step| {
        step.object["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
            .as_str()
            .map(str::to_owned)
    });
    let actual = played(name, &json!([{"start_error": started}]).to_string());
    assert_alike(name, &expected, &actual, &ALL);
}

#[test]
fn a_cron_job_without_history_deletes_its_failed_run() {
    let expected: Vec<TimelineStep> = recorded("cron-failing")
        .into_iter()
        .take_while(|step| step.at.as_secs() < 60)
        .collect();
    let actual = played("cron-failing", "[{run: 100ms, exit: 13}]");
    assert_alike(
        "cron-failing",
        &expected,
        &actual,
        &["jobs", "pods", "events of jobs", "events of pods", "events of cronjobs"],
    );
    let job = actual.iter().find(|step| step.resource == Resource::Jobs).unwrap();
    assert_eq!(job.object["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    assert_eq!(
        job.object["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "2026-11-23T16:14:00Z"
    );
}

#[test]
fn durations_in_the_objects_are_those_of_the_cluster() {
    let steps = demo_scenarios().unwrap()[0].timeline(start(), &mut Ids::new(1));
    let last = steps.iter().rev().find(|step| step.resource == Resource::Jobs).unwrap();
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    let status = &last.object["status"];
    assert_eq!(
        time(&status["conditions"][0]["lastTransitionTime"]) - time(&status["startTime"]),
        10
    );
    let failed = time(&status["conditions"][1]["lastTransitionTime"]) - time(&status["startTime"]);
    assert!((40..44).contains(&failed), "Failed came {failed} s after the start");
}

#[test]
fn demo_scenarios_end_and_are_deterministic() {
    for scenario in demo_scenarios().unwrap() {
        let steps = scenario.timeline(start(), &mut Ids::new(3));
        assert_eq!(
            steps,
            scenario.timeline(start(), &mut Ids::new(3)),
            "{}: not deterministic",
            scenario.name
        );
        let last = steps.iter().rev().find(|step| step.resource == Resource::Jobs).unwrap();
        let conditions = last.object["status"]["conditions"].as_array().unwrap();
        let kinds: Vec<&str> = conditions
            .iter()
            .map(|condition| condition["type"].as_str().unwrap())
            .collect();
        let expected = match scenario.name.as_str() {
            "success-after-retry" => ["SuccessCriteriaMet", "Complete"],
            _ => ["FailureTarget", "Failed"],
        };
        assert_eq!(kinds, expected, "{}", scenario.name);
    }
}
