//! `explain` with a collector that does not answer: forbidden, missing, silent, a standby, or of another form.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::cluster::Cluster;
use crate::explain::{MINUTES_AGO, assert_contains};
use crate::explain_collector::with_deleted_job;

/// A Service that gives these answers, one for each connection, with a status and a body of JSON.
async fn service(cluster: &Cluster, answers: Vec<(u16, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let name = "kube-job-collector";
    cluster
        .simulator
        .set_service(name, name, "web", listener.local_addr().ok());
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .await
                .expect("an answer");
        }
    });
}

#[tokio::test]
async fn a_collector_that_cannot_be_asked_is_a_note() {
    let (cluster, _collector) = with_deleted_job("kept-refused").await;
    let command = "explain invoice-export -n billing";
    let simulator = &cluster.simulator;
    simulator.forbid_service_proxy(true);
    let ran = cluster.run(command).await;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert_contains(
        &ran.err,
        &[
            "no Job \"invoice-export\" in namespace \"billing\"",
            "Note: the collector at kube-job-collector/kube-job-collector:web did not answer: 403 services ",
            "required rule in namespace \"kube-job-collector\": {apiGroups: [\"\"], resources: [\"services/proxy\"]",
        ],
    );
    simulator.forbid_service_proxy(false);
    let ran = cluster.run(&format!("{command} --no-collector")).await;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert!(!ran.err.contains("collector at"), "{}", ran.err);

    // A Job that exists needs no collector; one that is named is expected to answer.
    cluster.scenario("deadline-exceeded", MINUTES_AGO).play_all();
    let living = "explain deadline-exceeded-test-job";
    simulator.set_service("obs", "kjc", "web", None);
    simulator.forbid_service_proxy(true);
    let ran = cluster.run(living).await;
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    simulator.forbid_service_proxy(false);
    for (named, problem) in [
        (
            "obs/kjc",
            "obs/kjc:web did not answer: 503 no endpoints available for service \"kjc\"",
        ),
        (
            "obs/kjc:8090",
            "obs/kjc:8090 did not answer: 503 no service port \"8090\"",
        ),
        (
            "obs/other",
            "obs/other:web did not answer: 404 services \"other\" not found; --collector NAMESPACE/SERVICE",
        ),
    ] {
        let ran = cluster.run(&format!("{living} --collector {named}")).await;
        assert_eq!(ran.code, Some(1), "{named}: {}", ran.out);
        assert_contains(&ran.err, &[problem]);
        assert_contains(&ran.out, &["  source:   cluster\n"]);
    }
}

#[tokio::test]
async fn an_unresponsive_collector_does_not_delay_an_answer_for_long() {
    let cluster = Cluster::start("kept-silent").await;
    cluster.scenario("deadline-exceeded", MINUTES_AGO).play_all();
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let name = "kube-job-collector";
    cluster
        .simulator
        .set_service(name, name, "web", silent.local_addr().ok());
    let ran = cluster.run("explain deadline-exceeded-test-job").await;
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    let ran = cluster.run("explain a-missing-job").await;
    assert_contains(&ran.err, &["kube-job-collector:web did not answer: no answer in 3 s."]);
}

#[tokio::test]
async fn a_standby_is_asked_again_until_the_leader_answers() {
    let cluster = Cluster::start("kept-standby").await;
    let standby = json!({"error": {"code": "standby", "message": "this replica is a standby"}});
    let event = json!({"event": "k8s.job.finished", "time": "2026-11-23T21:08:12Z", "namespace": "shop", "name": "load",
        "uid": "u", "owner": {"kind": "Job", "name": "load", "rule": "job"}, "outcome": "Failed",
        "reason": "BackoffLimitExceeded", "cause": "OutOfMemory", "summary": "Job load: Failed: too large.",
        "evidence": "of another version"});
    let kept = json!({"jobs": [], "events": [event], "total": 1});
    service(
        &cluster,
        vec![(503, standby.clone()), (503, standby.clone()), (200, kept)],
    )
    .await;
    let ran = cluster.run("explain load -n shop").await;
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    // Evidence that cannot be read leaves the verdict of the event.
    assert_contains(
        &ran.out,
        &[
            "shop/load  Failed  BackoffLimitExceeded\n  cause:    OutOfMemory (resource)",
            "  Failed: too large.\n  next:     ",
            "  source:   collector\n",
        ],
    );

    service(&cluster, vec![(503, standby); 9]).await;
    let ran = cluster.run("explain load -n shop").await;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert_contains(
        &ran.err,
        &["did not answer: it answers 503: {\"error\":{\"code\":\"standby\""],
    );
}

#[tokio::test]
async fn an_answer_of_another_form_is_a_note() {
    let cluster = Cluster::start("kept-form").await;
    service(&cluster, vec![(200, json!({"items": []}))]).await;
    let ran = cluster.run("explain load -n shop").await;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert_contains(
        &ran.err,
        &["its answer to /api/v1/jobs/shop/load does not have the form of this version"],
    );
    service(&cluster, vec![(401, json!({}))]).await;
    let ran = cluster.run("explain load -n shop").await;
    assert_contains(&ran.err, &["it answers 401: {}; the API server forwards no token"]);
}
