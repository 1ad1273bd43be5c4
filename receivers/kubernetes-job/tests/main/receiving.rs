//! The whole receiver against an API server that plays recordings, on a paused clock.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::running::{receiver, run};
use crate::support::{Api, Piece, Reply, status};
use collector_data::Payload;
use collector_runtime::Receiver;
use collector_runtime::health::Status;
use collector_testing::OwnMetrics;
use job_event::evidence::Gap;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};

/// The watch events of one resource of a recording, with the pauses between them, and then silence.
fn play(recording: &str, wanted: &str, kind: Option<&str>) -> Reply {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/corpus/{recording}.jsonl.gz"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut pieces = Vec::new();
    let mut last = 0;
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let involved = event["object"]["involvedObject"]["kind"].as_str();
        if event["resource"] != wanted || kind.is_some_and(|kind| involved != Some(kind)) {
            continue;
        }
        let t = event["t"].as_u64().unwrap();
        pieces.push(Piece::Wait(Duration::from_millis(t - last)));
        last = t;
        let line = serde_json::json!({"type": event["type"], "object": event["object"]});
        // Two halves, cut anywhere: chunks do not end with lines.
        let line = format!("{line}\n");
        let cut = (line.len() / 3..line.len())
            .find(|at| line.is_char_boundary(*at))
            .unwrap();
        pieces.push(Piece::Data(line[..cut].into()));
        pieces.push(Piece::Data(line[cut..].into()));
    }
    pieces.push(Piece::Hang);
    Reply::Stream(pieces)
}

fn play_all(api: &Api, recording: &str) {
    api.then("/cronjobs?watch=true", [play(recording, "cronjobs", None)]);
    api.then("/jobs?watch=true", [play(recording, "jobs", None)]);
    api.then(
        "/pods?labelSelector=job-name&watch=true",
        [play(recording, "pods", None)],
    );
    api.then("kind%3DJob&watch=true", [play(recording, "events", Some("Job"))]);
    api.then(
        "kind%3DPod%2Ctype%3DWarning&watch=true",
        [play(recording, "events", Some("Pod"))],
    );
}

#[tokio::test(start_paused = true)]
async fn a_recording_becomes_one_event_and_gauges() {
    let api = Api::new();
    play_all(&api, "deadline-imagepull");
    let mut running = run(
        api.client(),
        r#"{"cluster_name":"c","collection_interval":"10s","stalled":{"enabled":false}}"#,
    )
    .await;
    let Payload::Metrics(metrics) = (*running.gauges.recv().await.unwrap().payload).clone() else {
        panic!("not metrics");
    };
    let values = metrics[0].scope_metrics[0].metrics.iter().map(|metric| {
        let Some(Data::Gauge(gauge)) = &metric.data else {
            panic!("not a gauge")
        };
        let Some(Value::AsInt(value)) = gauge.data_points[0].value else {
            panic!("not a whole number")
        };
        (metric.name.as_str(), value)
    });
    let expected = [
        ("active", 1),
        ("failed", 0),
        ("successful", 0),
        ("desired_successful", 1),
        ("max_parallel", 1),
    ];
    let expected = expected.map(|(name, value)| (format!("k8s.job.pod.{name}"), value));
    assert!(values.eq(expected.iter().map(|(name, value)| (name.as_str(), *value))));
    assert_eq!(running.status(), Status::Ok);

    let evidence = running.next_event().await;
    assert_eq!(evidence.job.reason(), Some("DeadlineExceeded"));
    assert_eq!(
        &*evidence.pods[0].containers[0].waiting.as_ref().unwrap().reason,
        "ImagePullBackOff"
    );
    assert!(evidence.events.iter().any(|event| &*event.reason == "SuccessfulDelete"));
    assert!(evidence.gaps.is_empty());

    // Nothing more comes, however long it lasts.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(running.logs.try_recv().is_err());
    running.shutdown.cancel();
    (&mut running.task).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stalled_pipeline_does_not_stop_the_watch() {
    let api = Api::new();
    play_all(&api, "rerun-parallel-burst");
    let mut running = run(api.client(), r#"{"settle_time":"5m"}"#).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(running.logs.try_recv().is_err(), "nothing has settled yet");
    running.shutdown.cancel();
    let mut uids = std::collections::BTreeSet::new();
    for _ in 0..12 {
        let evidence = running.next_event().await;
        assert_eq!(evidence.job.outcome().as_str(), "Failed");
        assert!(uids.insert(evidence.job.uid));
    }
    (&mut running.task).await.unwrap().unwrap();
    assert!(running.logs.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn missing_permissions_are_gaps_in_the_event() {
    let api = Api::new();
    api.then("/pods", std::iter::repeat_n(status(403, None), 100));
    api.then("/events", std::iter::repeat_n(status(403, None), 200));
    play_all(&api, "backoff-exit1");
    let mut running = run(api.client(), "{}").await;
    let evidence = running.next_event().await;
    assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
    assert_eq!(evidence.gaps, [Gap::PodsForbidden, Gap::EventsForbidden]);
    assert_eq!(running.status(), Status::Ok);
}

/// The watch of the autoscaler's Events, with one about the Pod of `deadline-unschedulable`.
fn scale_up(pod: &str) -> Reply {
    let message = "pod didn't trigger scale-up: 2 max node group size reached";
    let event = serde_json::json!({"type": "ADDED", "object": {"kind": "Event", "apiVersion": "v1",
        "metadata": {"name": "e", "namespace": "deadline-unschedulable", "uid": "e", "resourceVersion": "7"},
        "type": "Normal", "reason": "NotTriggerScaleUp", "message": message,
        "source": {"component": "cluster-autoscaler"},
        "involvedObject": {"kind": "Pod", "apiVersion": "v1", "namespace": "deadline-unschedulable", "uid": pod}}});
    Reply::Stream(vec![Piece::Data(format!("{event}\n")), Piece::Hang])
}

#[tokio::test(start_paused = true)]
async fn the_autoscalers_refusal_is_evidence() {
    let api = Api::new();
    play_all(&api, "deadline-unschedulable");
    let Reply::Stream(pieces) = play("deadline-unschedulable", "pods", None) else {
        panic!("not a stream")
    };
    let pods: String = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Data(data) => Some(&**data),
            _ => None,
        })
        .collect();
    let pod: serde_json::Value = serde_json::from_str(pods.lines().next().unwrap()).unwrap();
    let uid = pod["object"]["metadata"]["uid"].as_str().unwrap();
    api.then("kind%3DPod%2Creason%3DNotTriggerScaleUp&watch=true", [scale_up(uid)]);
    let mut running = run(api.client(), "{}").await;
    let evidence = running.next_event().await;
    let found = evidence
        .events
        .iter()
        .find(|event| &*event.reason == "NotTriggerScaleUp");
    assert!(found.expect("the Event").message.contains("max node group size"));
    assert!(evidence.gaps.is_empty(), "{:?}", evidence.gaps);
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_watch_of_scale_ups_causes_no_gap() {
    let api = Api::new();
    api.then("NotTriggerScaleUp", std::iter::repeat_n(status(403, None), 100));
    play_all(&api, "deadline-unschedulable");
    let mut running = run(api.client(), "{}").await;
    assert_eq!(running.next_event().await.gaps, []);
    assert_eq!(running.status(), Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn without_access_to_jobs_it_names_the_missing_rule() {
    let api = Api::new();
    api.then(
        "selfsubjectaccessreviews",
        [Reply::Whole(201, None, r#"{"status":{"allowed":false}}"#.into())],
    );
    let error = receiver(api.client(), "{}", &OwnMetrics::new())
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the collector's account may not list jobs of the cluster: add to its ClusterRole the rule \
         {apiGroups: [\"batch\"], resources: [\"jobs\"], verbs: [\"list\", \"watch\"]}"
    );
}

#[tokio::test(start_paused = true)]
async fn waits_for_an_unreachable_api_server() {
    let api = Api::new();
    api.then("", std::iter::repeat_n(Reply::Refused, 8));
    play_all(&api, "backoff-exit1");
    let mut running = run(api.client(), "{}").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = running.status();
    assert!(
        matches!(&status, Status::RecoverableError(why) if why.contains("cannot reach the API server")),
        "{status:?}"
    );
    assert_eq!(running.next_event().await.job.reason(), Some("BackoffLimitExceeded"));
    assert_eq!(running.status(), Status::Ok);
}
