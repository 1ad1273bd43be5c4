//! `explain` of a cluster: the real binary against a simulated API server.

use crate::cluster::{BINARY, Cluster, Ran};
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::{Player, Resource, recording};

/// So long ago that every scenario is over, but its Events still exist.
pub(crate) const MINUTES_AGO: SignedDuration = SignedDuration::from_mins(5);

fn records(ran: &Ran) -> Vec<Value> {
    let records = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    records.collect()
}

#[track_caller]
pub(crate) fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn a_failed_job_is_explained_with_the_log_of_what_failed() {
    let cluster = Cluster::start("explain-failed").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    let pods = cluster.simulator.store().list(Resource::Pods);
    let last = pods
        .iter()
        .max_by_key(|pod| pod["status"]["startTime"].as_str().map(str::to_owned));
    let (namespace, pod) = (
        "billing",
        last.expect("a Pod")["metadata"]["name"].as_str().expect("a name"),
    );
    let log: String = (1..=30).map(|n| format!("\u{1b}[31mline {n}\u{1b}[0m\n")).collect();
    cluster.simulator.set_log(namespace, pod, "main", &log);

    let ran = cluster.run("explain invoice-export -n billing --logs").await;
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    assert_contains(
        &ran.out,
        &[
            "billing/invoice-export  Failed  BackoffLimitExceeded\n",
            "  cause:    NonZeroExit (application)",
            "Failed after 3 attempts (backoffLimit: 2): container main exited with code 1: “cannot connect",
            &format!("  log:      container main of Pod {pod}, at most the last 20 lines\n  | line 11\n"),
            "  | line 30\n",
        ],
    );
    // All Pods exist, so no evidence is missing.
    assert!(
        !ran.out.contains("evidence:") && !ran.out.contains("note:"),
        "{}",
        ran.out
    );
    assert!(
        !ran.out.contains('\u{1b}') && !ran.out.contains("line 10\n"),
        "{}",
        ran.out
    );
    let lists: Vec<String> = cluster.simulator.requests().iter().map(|r| format!("{r:?}")).collect();
    assert!(lists.iter().any(|list| list.contains("controller-uid")), "{lists:#?}");
}

#[tokio::test]
async fn the_text_is_as_wide_as_the_terminal() {
    let cluster = Cluster::start("explain-width").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    let mut command = cluster.command(BINARY, "explain invoice-export -n billing");
    let ran = Ran::from(command.env("COLUMNS", "60").output().await.expect("it runs"));
    let sentence: Vec<&str> = ran.out.lines().skip(2).take(3).collect();
    assert_eq!(
        sentence,
        [
            "  Failed after 3 attempts (backoffLimit: 2): container main",
            "  exited with code 1: “cannot connect to postgres:",
            "  connection refused”."
        ],
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn a_job_whose_pods_are_deleted_is_explained_from_events() {
    let cluster = Cluster::start("explain-deleted-pods").await;
    cluster.scenario("deadline-exceeded", MINUTES_AGO).play_all();
    let ran = cluster.run("explain job/deadline-exceeded-test-job --logs").await;
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert_contains(
        &ran.out,
        &[
            "default/deadline-exceeded-test-job  Failed  DeadlineExceeded\n",
            "cause:    RanTooLong (timeout)",
            "Timed out after 10 s (activeDeadlineSeconds: 10): container main was still running.",
            "evidence: events [\"joined_late\"]",
            "Its Pods are deleted (the Job controller deletes running Pods at the deadline); the cause is from their Events",
            "and its log are deleted\n",
        ],
    );

    for event in cluster.simulator.store().list(Resource::Events) {
        if event["involvedObject"]["kind"] == "Pod" {
            let name = event["metadata"]["name"].as_str().expect("a name");
            let deleted = cluster.simulator.store().delete(Resource::Events, "default", name);
            deleted.expect("the Event expires");
        }
    }
    let ran = cluster.run("explain job/deadline-exceeded-test-job --logs").await;
    // Without Events the cause is unknown, not another one.
    assert_contains(
        &ran.out,
        &[
            "cause:    Unknown (unknown)",
            "evidence: partial [\"joined_late\"]",
            "Its Pods are deleted (the Job controller deletes running Pods at the deadline), with their exit codes",
            "  log:      none: no Pod of the Job exists\n",
        ],
    );
}

#[tokio::test]
async fn quotes_the_error_of_a_deleted_pod_once() {
    let cluster = Cluster::start("explain-image").await;
    cluster.scenario("image-pull", MINUTES_AGO).play_all();
    let ran = cluster.run("explain monthly-report -n shop").await;
    assert_eq!(ran.code, Some(1));
    assert_contains(
        &ran.out,
        &["cause:    ImagePull", "could not be pulled: “", "not found”"],
    );
    assert!(!ran.out.contains("it left an Event"), "{}", ran.out);
}

#[tokio::test]
async fn old_evidence_is_said_to_be_gone() {
    let cluster = Cluster::start("explain-old").await;
    cluster
        .scenario("retries-exhausted", SignedDuration::from_hours(3))
        .play_all();
    for event in cluster.simulator.store().list(Resource::Events) {
        let name = event["metadata"]["name"].as_str().expect("a name");
        let deleted = cluster.simulator.store().delete(Resource::Events, "billing", name);
        deleted.expect("the Event expires");
    }
    let ran = cluster.run("explain invoice-export -n billing").await;
    assert_eq!(ran.code, Some(1));
    assert_contains(
        &ran.out,
        &["note:     Events older than about an hour are deleted; the cause may be broader"],
    );
}

#[tokio::test]
async fn a_job_that_has_not_ended_says_what_is_in_its_way() {
    let cluster = Cluster::start("explain-running").await;
    let mut player = cluster.scenario("image-pull", SignedDuration::from_secs(15));
    let blocked = |cluster: &Cluster| {
        let pods = cluster.simulator.store().list(Resource::Pods);
        pods.iter()
            .any(|pod| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff")
    };
    while !blocked(&cluster) {
        assert!(player.step(), "the image is never backed off");
    }
    let ran = cluster.run("explain monthly-report -n shop -o json").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let record = &records(&ran)[0];
    assert_eq!(record.as_object().expect("an object").len(), 18);
    assert_eq!(
        (&record["outcome"], &record["cause"]),
        (&json!("Running"), &Value::Null)
    );
    let summary = record["summary"].as_str().expect("a summary");
    assert!(
        summary.starts_with("Not finished yet: image registry.example/shop/report:2.7.1 could not be pulled: “"),
        "{summary}"
    );
}

#[tokio::test]
async fn a_job_of_each_recording_is_never_judged_wrong() {
    // Evidence lost before `explain` runs makes a cause Unknown, never a different one; outcome and reason stay.
    for (name, jobs) in crate::support::expected() {
        let cluster = Cluster::start(&format!("explain-{name}")).await;
        let steps = recording::read(&crate::support::corpus().join(format!("{name}.jsonl.gz"))).expect("a recording");
        Player::new(cluster.simulator.store().clone(), steps).play_all();
        let left = cluster.simulator.store().list(Resource::Jobs);
        for job in left {
            let text = |key: &str| job["metadata"][key].as_str().expect("a text").to_owned();
            let ran = cluster
                .run(&format!("explain {} -n {} -o json", text("name"), text("namespace")))
                .await;
            let wanted = jobs.iter().find(|job| job["uid"] == text("uid")).expect("a Job");
            let record = &records(&ran)[0];
            for key in ["outcome", "reason"] {
                assert_eq!(record[key], wanted[key], "{name}: {key}");
            }
            let failed = wanted["outcome"] == "Failed";
            assert_eq!(ran.code, Some(i32::from(failed)), "{name}: {ran:?}");
            if failed && record["cause"] != wanted["cause"] {
                assert_eq!(record["cause"], "Unknown", "{name}: expected {}", wanted["cause"]);
            }
        }
    }
}

#[tokio::test]
async fn the_runs_of_a_cronjob_come_newest_first() {
    let cluster = Cluster::start("explain-cronjob").await;
    let store = cluster.simulator.store();
    let steps = recording::read(&crate::support::corpus().join("cron-deadline.jsonl.gz")).expect("a recording");
    let mut player = Player::new(store.clone(), steps);
    while store.count(Resource::Jobs) < 2 {
        assert!(player.step(), "two runs exist at one time");
    }
    let cronjob = store.list(Resource::CronJobs).remove(0);
    let text = |key: &str| cronjob["metadata"][key].as_str().expect("a text").to_owned();
    let (name, namespace) = (text("name"), text("namespace"));

    let ran = cluster
        .run(&format!("explain cronjob/{name} -n {namespace} -o json"))
        .await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let mut runs = records(&ran);
    let overview = runs.pop().expect("the CronJob");
    assert_eq!(
        (&overview["kind"], &overview["name"]),
        (&json!("CronJob"), &json!(name))
    );
    let of = |key: &str| {
        runs.iter()
            .map(|run| run[key].as_str().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    // The name of a run ends in the minute it is scheduled for.
    let mut by_minute = of("name");
    by_minute.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(of("name"), by_minute);
    assert_eq!(of("outcome"), ["Running", "Failed"]);
    assert_eq!(of("cronjob"), [&*name, &*name]);

    let ran = cluster.run(&format!("explain {name} -n {namespace}")).await;
    assert_eq!(ran.code, Some(2));
    let hint = format!("a CronJob of that name exists: use cronjob/{name}");
    assert_contains(&ran.err, &[&hint]);

    for job in store.list(Resource::Jobs) {
        let job = job["metadata"]["name"].as_str().expect("a name").to_owned();
        store.delete(Resource::Jobs, &namespace, &job).expect("it goes");
    }
    for pod in store.list(Resource::Pods) {
        let pod = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        store.delete(Resource::Pods, &namespace, &pod).expect("it goes");
    }
    let ran = cluster.run(&format!("explain cj/{name} -n {namespace}")).await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_contains(
        &ran.out,
        &[
            "Failed  DeadlineExceeded  (CronJob report)\n",
            "cause:    RanTooLong",
            "Timed out: container main was still running.",
            "evidence: events [",
        ],
    );

    for event in store.list(Resource::Events) {
        if event["involvedObject"]["kind"] != "CronJob" {
            let event = event["metadata"]["name"].as_str().expect("a name").to_owned();
            store.delete(Resource::Events, &namespace, &event).expect("it expires");
        }
    }
    let ran = cluster.run(&format!("explain cj/{name} -n {namespace}")).await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_contains(&ran.out, &["  Failed  (CronJob report)\n  cause:    Unknown"]);
    for (reason, said) in [
        (
            "SawCompletedJob",
            &["no Event has the outcome of a run", ": no outcome"],
        ),
        ("", &["no run of CronJob", "failedJobsHistoryLimit"]),
    ] {
        for event in store.list(Resource::Events) {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            if text(&event["reason"]).starts_with(reason) {
                let event = text(&event["metadata"]["name"]);
                store.delete(Resource::Events, &namespace, &event).expect("it expires");
            }
        }
        let ran = cluster.run(&format!("explain cj/{name} -n {namespace}")).await;
        // It has missed runs since then.
        assert_eq!(ran.code, Some(3), "{}", ran.out);
        assert_contains(&ran.err, said);
    }
}

#[tokio::test]
async fn all_failed_jobs_of_a_namespace_or_of_the_cluster() {
    let cluster = Cluster::start("explain-all").await;
    cluster.scenario("deadline-exceeded", MINUTES_AGO).play_all();
    cluster.scenario("success-after-retry", MINUTES_AGO).play_all();
    cluster
        .scenario("retries-exhausted", SignedDuration::from_hours(48))
        .play_all();
    let names = async |args: &str| {
        let ran = cluster.run(&format!("explain --all-failed {args} -o json")).await;
        let records = records(&ran);
        let names = records.iter().map(|r| r["name"].as_str().expect("a name").to_owned());
        (names.collect::<Vec<_>>(), ran.code, ran.err)
    };
    let article = "deadline-exceeded-test-job".to_owned();
    let old = "invoice-export".to_owned();
    assert_eq!(
        names("-A").await,
        (vec![article.clone(), old.clone()], Some(1), String::new())
    );
    assert_eq!(names("-A --since 24h").await.0, [article.as_str()]);
    assert_eq!(names("-n billing").await.0, [old.as_str()]);
    assert_eq!(names("").await.0, [article.as_str()]);
    let (none, code, said) = names("-n billing --since 1h").await;
    assert_eq!((none.len(), code), (0, Some(0)));
    assert_contains(&said, &["No Job failed in namespace \"billing\" in the last 1h"]);
}

#[tokio::test]
async fn it_is_a_plugin_of_kubectl_under_another_name() {
    let cluster = Cluster::start("explain-plugin").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    let link = cluster.folder.join("kubectl-why_job");
    std::os::unix::fs::symlink(BINARY, &link).expect("a link");
    let mut command = cluster.command(&link, "invoice-export --namespace billing");
    let ran = Ran::from(command.output().await.expect("it runs"));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_contains(&ran.out, &["billing/invoice-export  Failed  BackoffLimitExceeded"]);
    let ran = Ran::from(cluster.command(&link, "").output().await.expect("it runs"));
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["Usage: kubectl why-job"]);
}
