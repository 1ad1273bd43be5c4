use jiff::Timestamp;
use job_event::Evidence;
use job_judge::judge;

use crate::support::{Served, missed, recorded, request};

#[tokio::test]
async fn a_deleted_job_is_answered_with_its_evidence() {
    let served = Served::start("").await;
    for event in recorded("ttl0-deadline") {
        served.send(event).await;
    }
    let path = served.first_job("?outcome=Failed").await;
    let job = served.json(&path).await;
    let event = &job["events"][0];
    assert_eq!(event["outcome"], "Failed");
    // `explain` judges the evidence with its own rules.
    let evidence: Evidence = serde_json::from_value(event["evidence"].clone()).unwrap();
    assert_eq!(judge(&evidence).cause.unwrap().as_str(), event["cause"]);
    assert!(event["summary"].as_str().unwrap().starts_with("Job "), "{event}");
    assert!(
        event["next_step"].is_string() && event["attempts"].is_array(),
        "{event}"
    );
    assert_eq!(event["attributes"]["k8s.job.name"], event["name"]);
    assert_eq!(event["resource"]["k8s.cluster.name"], "test");
}

#[tokio::test]
async fn events_are_kept_once_and_the_oldest_leave() {
    let served = Served::start("max_events: 3").await;
    let slots: Vec<Timestamp> = (0..5)
        .map(|minute| format!("2026-11-28T10:0{minute}:00Z").parse().unwrap())
        .collect();
    for slot in &slots {
        served.send(missed(*slot)).await;
        served.send(missed(*slot)).await;
    }
    let listed = served.json("/events").await;
    let times: Vec<_> = listed["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["time"].clone())
        .collect();
    assert_eq!(
        times,
        ["2026-11-28T10:04:00Z", "2026-11-28T10:03:00Z", "2026-11-28T10:02:00Z"]
    );
    assert_eq!(listed["matching"], 3);
    let points = served.host.metrics.points();
    for expected in [
        "otelcol_exporter_web_events[exporter=web] 3",
        "otelcol_exporter_web_received_events[exporter=web] 5",
        "otelcol_exporter_web_clients[exporter=web] 0",
        "otelcol_exporter_web_dropped_events[error.type=too_large, exporter=web] 0",
    ] {
        assert!(
            points.iter().any(|point| point == expected),
            "{expected} is missing: {points:#?}"
        );
    }
}

#[tokio::test]
async fn pages_of_events_follow_their_cursor() {
    let served = Served::start("").await;
    for minute in 0..5 {
        served
            .send(missed(format!("2026-11-28T10:0{minute}:00Z").parse().unwrap()))
            .await;
    }
    let (mut cursor, mut times) = (String::new(), Vec::new());
    loop {
        let page = served
            .json(&format!("/events?limit=2&cursor={cursor}&owner=report"))
            .await;
        times.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["time"].to_string()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let mut sorted = times.clone();
    sorted.sort();
    sorted.reverse();
    assert_eq!((times.len(), &times), (5, &sorted));
}

#[tokio::test]
async fn errors_are_json_and_say_what_is_expected() {
    let served = Served::start("").await;
    for (path, status, parts) in [
        (
            "/api/v1/overview?owners=a",
            400,
            &["owners", "did you mean owner?", "namespace"][..],
        ),
        ("/api/v1/events?limit=0", 400, &["limit", "1 to 1000"]),
        ("/api/v1/events?cursor=x", 400, &["cursor", "next"]),
        ("/api/v1/status?x=1", 400, &["unknown query key"]),
        ("/api/v1/stream?x=1", 400, &["unknown query key"]),
        ("/api/v1/jobs/a/b", 404, &["Job b in namespace a"]),
        ("/api/v1/jobs/a/b?name=c", 400, &["name", "uid"]),
        ("/api/v1/owners/a/CronJob/b", 404, &["CronJob b in namespace a"]),
        ("/api/v1/owners/a/CronJob/b?since=1h", 400, &["since"]),
        ("/api/v1/nothing", 404, &["/api/v1"]),
        ("/api/v2/overview", 404, &["/api/v1"]),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let error = answer.json()["error"].to_string();
        for part in parts {
            assert!(error.contains(part), "{path}: {part:?} is missing in {error}");
        }
    }
    let head = request(served.address, "HEAD", "/api/v1/overview", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_status_is_that_of_the_process() {
    let served = Served::start("").await;
    let status = served.json("/status").await;
    assert_eq!(status["components"][0]["status"], "StatusOK", "{status}");
}

#[tokio::test]
async fn ends_with_its_inbox() {
    let mut served = Served::start("").await;
    served.running.close_inbox();
    served.running.ended().await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(served.address).await.is_err(),
        "still listening"
    );
}
