//! `explain` of several Jobs, by names and by labels.

use jiff::SignedDuration;
use serde_json::json;
use simulator::Resource;

use crate::cluster::Cluster;
use crate::explain::{MINUTES_AGO, assert_contains};
use crate::explain_stalled::{add, records};

/// A Job that runs, with a label.
fn add_running(cluster: &Cluster, name: &str, app: &str) {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": []}}}, "status": {},
        "metadata": {"namespace": "billing", "name": name, "uid": name, "labels": {"app": app}}});
    cluster.simulator.store().create(Resource::Jobs, job).expect("a Job");
}

#[tokio::test]
async fn several_names_have_the_exit_code_of_the_first_that_applies() {
    let cluster = Cluster::start("several-names").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    add_running(&cluster, "load", "etl");
    let ran = cluster
        .run("explain load job/invoice-export load -n billing -o json")
        .await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let all = records(&ran);
    let names: Vec<&str> = all.iter().filter_map(|record| record["name"].as_str()).collect();
    assert_eq!(names, ["load", "invoice-export"]);

    // A failed Job is an answer, and the missing one a note.
    let ran = cluster.run("explain no-such invoice-export -n billing").await;
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert_contains(&ran.err, &["no Job \"no-such\" in namespace \"billing\""]);
    let ran = cluster.run("explain load no-such -n billing").await;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert_contains(&ran.out, &["billing/load  Running"]);
    assert_contains(&ran.err, &["no Job \"no-such\" in namespace \"billing\""]);
    let ran = cluster.run("explain load -n billing").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);

    let ran = cluster.run("explain load -A").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["found the name \"load\" beside --all-namespaces"]);
}

#[tokio::test]
async fn jobs_are_selected_by_label() {
    let cluster = Cluster::start("several-labels").await;
    for (name, app) in [("load-a", "etl"), ("load-b", "etl"), ("other", "web")] {
        add_running(&cluster, name, app);
    }
    let names = async |args: &str| {
        let ran = cluster.run(&format!("explain {args} -o json")).await;
        let mut names: Vec<String> = records(&ran)
            .iter()
            .map(|record| record["name"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        (ran.code, names)
    };
    assert_eq!(
        names("-l app=etl -n billing").await,
        (Some(0), vec!["load-a".into(), "load-b".into()])
    );
    assert_eq!(names("jobs -l app!=etl -A").await, (Some(0), vec!["other".into()]));
    let ran = cluster.run("explain -l app=nothing -n billing").await;
    assert_eq!((ran.code, &*ran.out), (Some(2), ""));
    assert_contains(
        &ran.err,
        &["no Job with the labels \"app=nothing\" in namespace \"billing\""],
    );
    let ran = cluster.run("explain --all-failed -l app=etl -A").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = cluster.run("explain cronjobs -l app=etl -A").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["no CronJob with the labels \"app=etl\" in any namespace"]);
}

#[tokio::test]
async fn a_kind_before_the_name_is_read_as_by_kubectl() {
    let cluster = Cluster::start("several-kinds").await;
    add(&cluster, "cron-skip-forbid", SignedDuration::from_mins(9));
    let one_word = cluster.run("explain cronjob/c -n cron-skip-forbid -o json").await;
    let two_words = cluster.run("explain cronjob c -n cron-skip-forbid -o json").await;
    assert_eq!(
        (one_word.code, records(&one_word).len()),
        (two_words.code, records(&two_words).len())
    );
    assert_eq!(two_words.code, Some(3), "{}", two_words.err);
}
