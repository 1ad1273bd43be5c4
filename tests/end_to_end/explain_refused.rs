//! `explain` of a cluster without an answer, or with a part of it: objects that do not exist, may not be read, or cannot be
//! reached.

use jiff::SignedDuration;
use simulator::{Fault, Matching, Resource, Verb};

use crate::cluster::Cluster;
use crate::explain::{MINUTES_AGO, assert_contains};

#[tokio::test]
async fn a_job_that_is_not_found_is_looked_for() {
    let cluster = Cluster::start("explain-lost").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    let ran = cluster.run("explain invoice-export").await;
    assert_eq!((ran.code, &*ran.out), (Some(2), ""));
    assert_contains(
        &ran.err,
        &["no Job \"invoice-export\" in namespace \"default\"; one exists in -n billing"],
    );

    let ran = cluster.run("explain no-such-job").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(
        &ran.err,
        &["no Job \"no-such-job\" in namespace \"default\"; it may have been deleted"],
    );

    let deleted = cluster
        .simulator
        .store()
        .delete(Resource::Jobs, "billing", "invoice-export");
    deleted.expect("the Job goes");
    let ran = cluster.run("explain invoice-export -n billing").await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_contains(
        &ran.out,
        &[
            "billing/invoice-export  Failed  BackoffLimitExceeded\n",
            "  note:     The Job is deleted; this is what its Events say",
        ],
    );
    let verdicts = cluster.simulator.store().list(Resource::Events);
    for event in verdicts
        .iter()
        .filter(|event| event["reason"] == "BackoffLimitExceeded")
    {
        let name = event["metadata"]["name"].as_str().expect("a name");
        let deleted = cluster.simulator.store().delete(Resource::Events, "billing", name);
        deleted.expect("the Event expires");
    }
    let ran = cluster.run("explain invoice-export -n billing").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["its latest Events:", "  SuccessfulCreate: Created pod: "]);

    let ran = cluster.run("explain cj/no-such").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["no CronJob \"no-such\" in namespace \"default\""]);
}

#[tokio::test]
async fn pods_that_may_not_be_listed_are_not_said_to_be_deleted() {
    let cluster = Cluster::start("explain-pods-forbidden").await;
    let mut player = cluster.scenario("image-pull", SignedDuration::from_secs(15));
    while cluster.simulator.store().count(Resource::Events) < 4 {
        assert!(player.step(), "a warning about the Pod");
    }
    cluster.simulator.forbid(Verb::List, Resource::Pods);
    let ran = cluster.run("explain monthly-report -n shop").await;
    assert_contains(
        &ran.out,
        &["Not finished yet: image registry.example", "could not be pulled"],
    );
    for claim in ["is deleted", "are deleted"] {
        assert!(!ran.out.contains(claim), "{}", ran.out);
    }

    player.play_all();
    let ran = cluster.run("explain monthly-report -n shop").await;
    assert_contains(&ran.err, &["Not allowed to list Pods: "]);
    assert_contains(
        &ran.out,
        &["cause:    ImagePull", "evidence: events [\"pods_forbidden\""],
    );
    assert!(
        !ran.out.contains("Its Pods") && !ran.out.contains("is deleted"),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn what_may_not_be_read_is_named() {
    let cluster = Cluster::start("explain-forbidden").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    for resource in [Resource::Pods, Resource::Events] {
        cluster.simulator.forbid(Verb::List, resource);
    }
    let ran = cluster.run("explain invoice-export -n billing").await;
    assert_eq!(ran.code, Some(1));
    assert_contains(
        &ran.err,
        &["Not allowed to list Pods: ", "Not allowed to list Events: "],
    );
    assert_contains(
        &ran.out,
        &["BackoffLimitExceeded", "\"pods_forbidden\",\"events_forbidden\""],
    );

    cluster.simulator.forbid(Verb::List, Resource::Jobs);
    let ran = cluster.run("explain invoice-export -n billing").await;
    assert_eq!((ran.code, &*ran.out), (Some(2), ""));
    assert_contains(
        &ran.err,
        &[
            "not allowed to list jobs in namespace \"billing\": jobs.batch is forbidden",
            "add to your Role in namespace \"billing\" the rule {apiGroups: [\"batch\"], resources: [\"jobs\"]",
        ],
    );
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_is_code_2() {
    let cluster = Cluster::start("explain-unreachable").await;
    let ran = cluster.run("explain x --context other").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["no context \"other\"; it has \"simulator\""]);

    let refused = Fault::Status {
        code: 401,
        retry_after: None,
    };
    let lists = Matching::new(Verb::List, Resource::Jobs);
    cluster.simulator.answer_next(1, lists, refused);
    let ran = cluster.run("explain x").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(&ran.err, &["rejects the credentials"]);

    cluster.simulator.shutdown().await;
    let ran = cluster.run("explain x").await;
    assert_eq!(ran.code, Some(2));
    assert_contains(
        &ran.err,
        &["cannot reach the API server", "Check that the cluster can be reached"],
    );
}
