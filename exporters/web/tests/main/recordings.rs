use std::collections::BTreeMap;

use crate::support::{Served, recorded, recordings};

/// The number of items in a list of the overview.
fn total(overview: &serde_json::Value, list: &str) -> u64 {
    overview[list]["total"].as_u64().unwrap()
}

#[tokio::test]
async fn every_recording_has_its_events() {
    let served = Served::start("").await;
    let mut sent = 0;
    for name in recordings() {
        for event in recorded(&name) {
            served.send(event).await;
            sent += 1;
        }
    }
    let listed = served.json("/events?limit=1000").await;
    let events = listed["events"].as_array().unwrap();
    assert_eq!(events.len(), sent);
    for event in events {
        assert_ne!(event["owner"]["name"], "", "{event}");
        assert!(
            event["namespace"].is_string() && event["summary"].is_string(),
            "{event}"
        );
        let (namespace, owner) = (event["namespace"].as_str().unwrap(), &event["owner"]);
        let path = format!(
            "/owners/{namespace}/{}/{}",
            owner["kind"].as_str().unwrap(),
            owner["name"].as_str().unwrap()
        );
        served.json(&path).await;
        if let Some(name) = event["name"].as_str() {
            let job = served.json(&format!("/jobs/{namespace}/{name}")).await;
            let ids: Vec<_> = job["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|found| &found["id"])
                .collect();
            assert!(ids.contains(&&event["id"]), "{event}");
        }
    }
}

#[tokio::test]
async fn overviews_of_recordings_are_as_recorded() {
    // Failing groups, open stalls and missed runs at the end of the recording.
    let expected = BTreeMap::from([
        ("success", (0, 0, 0)),
        ("success-after-retry", (0, 0, 0)),
        ("deleted-running", (0, 0, 0)),
        ("deadline-seed", (1, 0, 0)),
        ("stuck-imagepull", (0, 1, 0)),
        ("stuck-heals-configmap", (0, 0, 0)),
        ("running-fine", (0, 0, 0)),
        ("cron-on-time", (0, 0, 0)),
    ]);
    for (name, expected) in expected {
        let served = Served::start("").await;
        for event in recorded(name) {
            served.send(event).await;
        }
        let overview = served.json("/overview?since=2020-01-01T00:00:00Z").await;
        let found = (
            total(&overview, "failing"),
            total(&overview, "stalled"),
            total(&overview, "missed"),
        );
        assert_eq!(found, expected, "{name}: {overview:#}");
    }
}

#[tokio::test]
async fn a_recreated_job_has_both_runs() {
    let served = Served::start("").await;
    for event in recorded("recreated-same-name") {
        served.send(event).await;
    }
    let path = served.first_job("").await;
    let job = served.json(&path).await;
    let uids: std::collections::BTreeSet<_> = job["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["uid"].to_string())
        .collect();
    assert!(uids.len() > 1, "{job:#}");
    let uid = job["jobs"][1]["uid"].as_str().unwrap();
    let one = served.json(&format!("{path}?uid={uid}")).await;
    assert!(
        one["events"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["uid"] == uid),
        "{one:#}"
    );
}
