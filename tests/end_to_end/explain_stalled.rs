//! `explain` of Jobs that make no progress: the real binary against a simulated API server that has the objects of a recorded
//! cluster.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{Player, Resource, Verb, recording};

use crate::cluster::{BINARY, Cluster, Ran};
use crate::explain::{MINUTES_AGO, assert_contains};

/// Moves every time in a value by the same duration.
fn move_times(value: &mut Value, by: SignedDuration) {
    match value {
        Value::String(text) if text.ends_with('Z') => {
            if let Ok(time) = text.parse::<Timestamp>() {
                let moved = Timestamp::from_second(time.as_second() + by.as_secs()).expect("a time");
                *text = moved.to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_times(item, by)),
        Value::Object(map) => map.values_mut().for_each(|value| move_times(value, by)),
        _ => {}
    }
}

/// Adds the last state of a recording to a cluster, as if it had begun `ago`.
pub(crate) fn add(cluster: &Cluster, name: &str, ago: SignedDuration) {
    let path = crate::support::newest().join(format!("{name}.jsonl.gz"));
    let mut steps = recording::read(&path).expect("a recording");
    let created = |object: &Value| {
        object["metadata"]["creationTimestamp"]
            .as_str()?
            .parse::<Timestamp>()
            .ok()
    };
    let first = steps
        .iter()
        .filter_map(|step| created(&step.object))
        .min()
        .expect("a time");
    let by = (Timestamp::now().duration_since(first) - ago).as_secs();
    // Whole minutes, so that the slots of schedules stay slots.
    let by = SignedDuration::from_secs(by - by.rem_euclid(60));
    for step in &mut steps {
        move_times(&mut step.object, by);
    }
    Player::new(cluster.simulator.store().clone(), steps).play_all();
}

pub(crate) fn records(ran: &Ran) -> Vec<Value> {
    let records = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    records.collect()
}

/// The namespaces of the records, which are the names of the recordings.
fn namespaces(records: &[Value]) -> Vec<&str> {
    let names = records
        .iter()
        .map(|record| record["namespace"].as_str().expect("a namespace"));
    names.collect()
}

#[tokio::test]
async fn an_unfinished_job_is_explained_by_its_stall() {
    let cluster = Cluster::start("stalled-one").await;
    add(&cluster, "stuck-missing-configmap", MINUTES_AGO * 3);
    let job = "explain j -n stuck-missing-configmap";
    let ran = cluster.run(job).await;
    assert_eq!((ran.code, &*ran.err), (Some(3), ""), "{}", ran.out);
    assert_contains(
        &ran.out,
        &[
            "stuck-missing-configmap/j  Running\n  cause:    ContainerConfig (configuration), retry helps: no\n",
            "  Not finished, stalled for 1",
            " min (since ",
            "): container main could not be configured: “configmap ",
            "\n  next:     ",
        ],
    );
    let ran = cluster.run(&format!("{job} -o json")).await;
    let record = &records(&ran)[0];
    assert_eq!(ran.code, Some(3));
    assert_eq!(
        (&record["outcome"], &record["cause"], &record["category"]),
        (&json!("Running"), &json!("ContainerConfig"), &json!("configuration"))
    );
    let since: Timestamp = record["stalled_since"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("RFC 3339");
    assert!(Timestamp::now().duration_since(since) > MINUTES_AGO, "{since}");
    assert!(record["next_step"].is_string(), "{record}");

    let ran = cluster.run(&format!("{job} --stalled-after 1h")).await;
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(!ran.out.contains("cause:"), "{}", ran.out);
}

#[tokio::test]
async fn a_job_without_a_stall_keeps_its_exit_code() {
    let cluster = Cluster::start("stalled-none").await;
    add(&cluster, "stuck-suspended", MINUTES_AGO * 3);
    let ran = cluster.run("explain j -n stuck-suspended").await;
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert_contains(&ran.out, &["stuck-suspended/j  Suspended"]);
    add(&cluster, "running-fine", MINUTES_AGO * 3);
    let ran = cluster.run("explain j -n running-fine").await;
    assert_eq!(ran.code, Some(0), "{}", ran.out);
}

#[tokio::test]
async fn lists_stalled_jobs_the_longest_first() {
    let cluster = Cluster::start("stalled-all").await;
    for (minutes, name) in [
        (30, "stuck-quota"),
        (60, "stuck-imagepull"),
        (45, "stuck-sidecar"),
        (40, "stuck-crashloop"),
        (50, "stuck-suspended"),
        (55, "running-fine"),
        (1, "stuck-unschedulable"),
    ] {
        add(&cluster, name, SignedDuration::from_mins(minutes));
    }
    let ran = cluster.run("explain --stalled -A -o json").await;
    assert_eq!((ran.code, &*ran.err), (Some(3), ""), "{}", ran.out);
    let all = records(&ran);
    assert_eq!(
        namespaces(&all),
        ["stuck-imagepull", "stuck-sidecar", "stuck-crashloop", "stuck-quota"]
    );
    let causes: Vec<&str> = all
        .iter()
        .map(|record| record["cause"].as_str().expect("a cause"))
        .collect();
    assert_eq!(
        causes,
        ["ImagePull", "SidecarBlockedCompletion", "NonZeroExit", "QuotaExceeded"]
    );

    let ran = cluster.run("explain --stalled -A --since 35m -o json").await;
    assert_eq!(namespaces(&records(&ran)), ["stuck-quota"]);
    let ran = cluster.run("explain --stalled -A --stalled-after 10s -o json").await;
    assert_eq!(namespaces(&records(&ran)).last(), Some(&"stuck-unschedulable"));
    let ran = cluster.run("explain --stalled -n stuck-quota").await;
    assert_eq!(ran.code, Some(3));
    assert_contains(
        &ran.out,
        &[
            "stuck-quota/j  Running\n  cause:    QuotaExceeded",
            "\nServer Version: v",
        ],
    );
    let ran = cluster.run("explain --stalled -n stuck-suspended").await;
    assert_eq!(
        (ran.code, &*ran.out, &*ran.err),
        (
            Some(0),
            "",
            "No Job is stalled in namespace \"stuck-suspended\" (1 unfinished Job).\n"
        )
    );
}

#[tokio::test]
async fn stalled_jobs_cannot_be_listed_without_permission() {
    let cluster = Cluster::start("stalled-forbidden").await;
    add(&cluster, "stuck-quota", MINUTES_AGO * 3);
    cluster.simulator.forbid(Verb::List, Resource::Jobs);
    let ran = cluster.run("explain --stalled -n stuck-quota").await;
    assert_eq!((ran.code, &*ran.out), (Some(2), ""));
    assert_contains(&ran.err, &["not allowed to list"]);
}

#[tokio::test]
async fn the_plugin_of_kubectl_lists_stalled_jobs() {
    let cluster = Cluster::start("stalled-plugin").await;
    add(&cluster, "stuck-imagepull", MINUTES_AGO * 3);
    let link = cluster.folder.join("kubectl-why_job");
    std::os::unix::fs::symlink(BINARY, &link).expect("a link");
    let mut command = cluster.command(&link, "--stalled -A");
    let ran = Ran::from(command.output().await.expect("it runs"));
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert_contains(&ran.out, &["stuck-imagepull/j  Running\n  cause:    ImagePull"]);
}

#[tokio::test]
async fn waiting_for_another_controller_is_no_stall() {
    let cluster = Cluster::start("stalled-managed").await;
    let steps = recording::read(&crate::support::corpus().join("managed-by-other.jsonl.gz")).expect("a recording");
    Player::new(cluster.simulator.store().clone(), steps).play_all();
    let ran = cluster.run("explain j -n managed-by-other --stalled-after 1s").await;
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert_contains(
        &ran.out,
        &[
            "  Unmanaged\n  Not finished, waiting for ",
            "example.com/queue has not started the Job",
        ],
    );
    assert!(!ran.out.contains("cause:"), "{}", ran.out);
}
