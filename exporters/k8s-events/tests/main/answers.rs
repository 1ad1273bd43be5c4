//! Refusals of the API server.

use collector_data::Outcome;
use collector_runtime::health::Status;
use collector_testing::Host;
use serde_json::json;
use simulator::{Fault, Resource, Verb};

use crate::support::{CREATE, Cluster, cronjob, export, failed, problem, together};

fn dropped(host: &Host) -> u64 {
    host.metrics
        .sum("otelcol_exporter_send_failed_log_records")
        .unwrap_or_default()
}

#[tokio::test]
async fn a_missing_permission_is_shown_until_it_is_granted() {
    let cluster = Cluster::start("forbidden").await;
    cluster.simulator.forbid(Verb::Create, Resource::Events);
    let (host, running) = cluster.exporter("").await;
    let delivery = running.send(failed("a")).await;
    let problem = problem(&host).await;
    assert!(
        problem.contains("cannot create resource \"events\"")
            && problem.contains("add {apiGroups: [\"\"], resources: [\"events\"], verbs: [\"create\"]}"),
        "{problem}"
    );
    cluster.simulator.permit(Verb::Create, Resource::Events);
    assert_eq!(delivery.await, Outcome::Delivered);
    assert_eq!(host.status(), Status::Ok);
    assert_eq!((cluster.events().len(), dropped(&host)), (1, 0));
}

#[tokio::test]
async fn events_for_a_namespace_that_ends_are_dropped() {
    let cluster = Cluster::start("namespace").await;
    let (host, running) = cluster.exporter("").await;
    let store = cluster.simulator.store();
    let namespace =
        |name: &str, phase: &str| json!({"metadata": {"name": name, "uid": name}, "status": {"phase": phase}});
    store
        .put(Resource::Namespaces, namespace("shop", "Terminating"))
        .unwrap();
    let refused = export(&running, failed("a")).await;
    assert!(
        matches!(&refused, Outcome::Rejected(why) if why.contains("because it is being terminated")),
        "{refused:?}"
    );
    store.delete(Resource::Namespaces, "", "shop").unwrap();
    store.put(Resource::Namespaces, namespace("other", "Active")).unwrap();
    let refused = export(&running, failed("b")).await;
    assert!(
        matches!(&refused, Outcome::Rejected(why) if why.contains("namespaces \"shop\" not found")),
        "{refused:?}"
    );
    assert_eq!((cluster.attempts(), dropped(&host)), (2, 2), "not retried, and counted");
}

#[tokio::test]
async fn an_invalid_event_is_dropped_alone() {
    let cluster = Cluster::start("invalid").await;
    let (host, running) = cluster.exporter("sending_queue: {num_consumers: 1}").await;
    cluster.answer_next(1, 422);
    let outcome = export(&running, together([failed("a"), failed("b"), cronjob()])).await;
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    assert_eq!((cluster.events().len(), dropped(&host)), (6, 1));
}

#[tokio::test]
async fn the_event_of_the_cronjob_does_not_need_that_of_the_job() {
    let cluster = Cluster::start("second").await;
    let (_host, running) = cluster.exporter("events: [k8s.job.stalled]").await;
    cluster.answer_next(1, 422);
    let outcome = export(&running, cronjob()).await;
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    assert_eq!(cluster.summary(), ["CronJob/report StalledImagePull"]);
}

#[tokio::test]
async fn a_busy_api_server_is_retried() {
    let cluster = Cluster::start("busy").await;
    for code in [429, 500, 503, 504] {
        cluster.answer_next(1, code);
    }
    cluster.simulator.answer_next(1, CREATE, Fault::Reset);
    let (host, running) = cluster.exporter("").await;
    assert_eq!(export(&running, failed("a")).await, Outcome::Delivered);
    assert_eq!((cluster.attempts(), dropped(&host)), (6, 0));
}

#[tokio::test]
async fn a_record_without_a_namespace_is_rejected() {
    let cluster = Cluster::start("incomplete").await;
    let (_host, running) = cluster.exporter("").await;
    let mut payload = failed("a");
    if let collector_data::Payload::Logs(logs) = &mut payload {
        logs[0].resource = None;
    }
    let expected = "the event k8s.job.finished lacks the attribute k8s.namespace.name";
    assert_eq!(export(&running, payload).await, Outcome::Rejected(expected.into()));
    assert_eq!(cluster.attempts(), 0);
}
