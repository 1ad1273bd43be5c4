//! `record`: the real binary records a simulated API server, and the recording gives the same verdicts.

use std::time::Duration;

use crate::cluster::{BINARY, Cluster, Ran};
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::{Cut, Fault, Matching, Resource, Verb};
use tokio::process::Child;
use tokio::time::timeout;

/// Upper bound on anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many watches a recording opens; with all namespaces one more, for the Events about nodes.
const WATCHES: usize = 6;

/// A file of this test.
pub(crate) fn file(cluster: &Cluster, name: &str) -> String {
    cluster.folder.join(name).display().to_string()
}

/// Starts a recording and waits until it watches everything. Objects that existed before are in the recording then.
pub(crate) async fn start(cluster: &Cluster, args: &str) -> Child {
    let child = cluster.command(BINARY, args).spawn().expect("it starts");
    let everywhere = usize::from(args.contains(" -A "));
    let opened = cluster.simulator.until_opened(WATCHES + everywhere);
    timeout(PATIENCE, opened).await.expect("it watches");
    child
}

/// Ends a recording by a signal.
pub(crate) async fn stop(child: Child, signal: &str) -> Ran {
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args([signal, &pid]).status();
    assert!(sent.expect("kill").success());
    ended(child).await
}

async fn ended(child: Child) -> Ran {
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends");
    Ran::from(output.expect("its output"))
}

/// The lines of an uncompressed recording that is still being written; the last one may be cut.
fn lines(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Waits until an uncompressed recording has the expected content.
async fn until(path: &str, holds: impl Fn(&[Value]) -> bool) {
    let all = async {
        while !holds(&lines(path)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("the recorder sees it");
}

/// Waits until an uncompressed recording has the last version of every Job and Pod that exists.
pub(crate) async fn until_recorded(cluster: &Cluster, path: &str) {
    let store = cluster.simulator.store();
    let objects = [Resource::Jobs, Resource::Pods]
        .map(|resource| store.list(resource))
        .concat();
    assert!(!objects.is_empty());
    until(path, |lines| {
        objects
            .iter()
            .all(|object| lines.iter().any(|line| version(&line["object"]) == version(object)))
    })
    .await;
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().expect("a version")
}

pub(crate) async fn explained(cluster: &Cluster, path: &str) -> Vec<Value> {
    let ran = cluster.run(&format!("explain --recording {path} -o json --all")).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let records = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    records.collect()
}

fn verdict(records: &[Value]) -> Vec<(&str, &str, &str)> {
    records
        .iter()
        .map(|r| {
            let text = |key: &str| r[key].as_str().unwrap_or_default();
            (text("name"), text("outcome"), text("cause"))
        })
        .collect()
}

#[tokio::test]
async fn records_every_change_of_the_cluster() {
    let cluster = Cluster::start("record-live").await;
    let path = file(&cluster, "live.jsonl");
    let child = start(&cluster, &format!("record -A -o {path}")).await;
    let mut player = cluster.scenario("deadline-exceeded", SignedDuration::ZERO);
    // Halfway the connections break: no change may be lost or recorded twice.
    for _ in 0..player.remaining() / 2 {
        player.step();
    }
    until_recorded(&cluster, &path).await;
    cluster.simulator.cut_watches(Cut::ResetMidLine);
    timeout(PATIENCE, cluster.simulator.until_opened(2 * WATCHES))
        .await
        .expect("it watches again");
    player.play_all();
    cluster.scenario("retries-exhausted", SignedDuration::ZERO).play_all();
    until_recorded(&cluster, &path).await;
    let ran = stop(child, "-TERM").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let records = explained(&cluster, &path).await;
    // The Job's Pod was deleted long before; the current state of the cluster would not show the cause.
    assert_eq!(
        verdict(&records),
        [
            ("deadline-exceeded-test-job", "Failed", "RanTooLong"),
            ("invoice-export", "Failed", "NonZeroExit")
        ]
    );

    let text = std::fs::read_to_string(&path).expect("the recording");
    let lines = lines(&path);
    assert_eq!(lines.len(), text.lines().count(), "every line is complete");
    assert_eq!(lines[0]["t"], 0);
    let mut seen: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            (
                line["type"].as_str().expect("a type"),
                line["object"]["metadata"]["resourceVersion"].as_str().expect("one"),
            )
        })
        .collect();
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all, "each change is recorded once");
}

#[tokio::test]
async fn what_happened_while_no_watch_could_be_had_follows_from_a_list() {
    let cluster = Cluster::start("record-relist").await;
    cluster
        .scenario("retries-exhausted", SignedDuration::from_mins(5))
        .play_all();
    cluster
        .scenario("out-of-memory", SignedDuration::from_mins(5))
        .play_all();
    let path = file(&cluster, "relist.jsonl");
    let child = start(&cluster, &format!("record -A -o {path}")).await;
    let store = cluster.simulator.store();
    let jobs = store.list(Resource::Jobs);
    let of = |namespace: &str| {
        jobs.iter()
            .find(|job| job["metadata"]["namespace"] == *namespace)
            .expect("a Job")
    };
    let name = |job: &Value| job["metadata"]["name"].as_str().expect("a name").to_owned();
    let (gone, mut changed) = (of("billing").clone(), of("analytics").clone());

    let watches = Matching::new(Verb::Watch, Resource::Jobs);
    cluster.simulator.answer_next(1, watches, Fault::ExpiredInBand);
    cluster.simulator.cut_watches_of(Resource::Jobs, Cut::Reset);
    store.delete(Resource::Jobs, "billing", &name(&gone)).expect("it goes");
    changed["metadata"]["labels"]["changed"] = json!("yes");
    if let Some(metadata) = changed["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    store.update(Resource::Jobs, changed).expect("it changes");

    let changes = |lines: &[Value]| {
        let jobs = lines.iter().filter(|line| line["resource"] == "jobs");
        jobs.map(|line| format!("{} {}", line["type"].as_str().expect("a type"), name(&line["object"])))
            .collect::<Vec<_>>()
    };
    let gone = format!("DELETED {}", name(&gone));
    until(&path, |lines| changes(lines).contains(&gone)).await;
    assert_eq!(stop(child, "-TERM").await.code, Some(0));
    let changes = changes(&lines(&path));
    let count = |change: &str| changes.iter().filter(|line| line.starts_with(change)).count();
    assert_eq!(
        (count("ADDED"), count("MODIFIED"), count("DELETED")),
        (2, 1, 1),
        "{changes:?}"
    );
}

#[tokio::test]
async fn what_exists_comes_first_and_without_secrets() {
    let cluster = Cluster::start("record-secrets").await;
    cluster
        .scenario("retries-exhausted", SignedDuration::from_mins(5))
        .play_all();
    let store = cluster.simulator.store();
    for resource in [Resource::Jobs, Resource::Pods] {
        for mut object in store.list(resource) {
            let spec = match resource {
                Resource::Jobs => &mut object["spec"]["template"]["spec"],
                _ => &mut object["spec"],
            };
            spec["containers"][0]["env"] = json!([
                {"name": "PASSWORD", "value": "hunter2"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "kept-name", "key": "k"}}},
            ]);
            object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!("hunter2");
            store.put(resource, object).expect("it is stored");
        }
    }
    let path = file(&cluster, "secrets.jsonl.gz");
    let child = start(&cluster, &format!("record -n billing -o {path}")).await;
    let ran = stop(child, "-INT").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("Recording namespace \"billing\""), "{}", ran.err);

    let mut text = String::new();
    let file = std::fs::File::open(&path).expect("the recording");
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).expect("complete gzip");
    assert!(!text.contains("hunter2") && !text.contains("managedFields"), "{text}");
    assert!(text.contains("[REDACTED]") && text.contains("kept-name"), "{text}");
    assert!(text.lines().all(|line| line.contains(r#""type":"ADDED""#)), "{text}");
    // The simulator, as any reader of recordings, can play it.
    let steps = simulator::recording::read(std::path::Path::new(&path)).expect("a recording");
    assert_eq!(steps.len(), text.lines().count());
    assert_eq!(
        verdict(&explained(&cluster, &path).await),
        [("invoice-export", "Failed", "NonZeroExit")]
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);

    let again = cluster.run(&format!("record -n billing -o {path}")).await;
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("File exists"), "{}", again.err);
}

#[tokio::test]
async fn it_ends_by_itself_and_goes_on_without_what_is_forbidden() {
    let cluster = Cluster::start("record-for").await;
    cluster
        .scenario("retries-exhausted", SignedDuration::from_mins(5))
        .play_all();
    cluster.simulator.forbid(Verb::List, Resource::Events);
    let path = file(&cluster, "for.jsonl");
    let ran = cluster.run(&format!("record -n billing -o {path} --for 1500ms")).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.err.matches("cannot record job events").count(), 2, "{}", ran.err);
    assert_eq!(
        verdict(&explained(&cluster, &path).await),
        [("invoice-export", "Failed", "NonZeroExit")]
    );

    cluster.simulator.forbid(Verb::List, Resource::Jobs);
    let path = file(&cluster, "none.jsonl");
    let ran = cluster.run(&format!("record -n billing -o {path}")).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("cannot record jobs in namespace \"billing\": 403"),
        "{}",
        ran.err
    );
    assert!(
        !std::path::Path::new(&path).exists(),
        "no empty recording is left behind"
    );
}
