//! Tokens, permissions, isolated users, and the record of requests.

use crate::client::{Next, event, exchange, get, open, pod, send, started, watch};
use serde_json::json;
use simulator::{ApiToken, Cut, Isolation, Resource, Simulator, SimulatorOptions, Verb};

#[tokio::test]
async fn a_user_can_be_isolated() {
    let token = |name: &str| ApiToken {
        user: name.to_owned(),
        ..ApiToken::admin(name)
    };
    let options = SimulatorOptions {
        tokens: vec![token("a"), token("b")],
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let address = simulator.address();
    let as_user = |user: &'static str| [("Authorization", if user == "a" { "Bearer a" } else { "Bearer b" })];
    let watches = "/api/v1/pods?watch=1&resourceVersion=1000";
    let mut of_a = open(address, "GET", watches, &as_user("a"), "").await;
    let mut of_b = open(address, "GET", watches, &as_user("b"), "").await;
    simulator.isolate("a", Isolation::Silence);
    assert_eq!(of_a.next().await, Next::Broken);
    assert_eq!(
        send(address, "GET", "/api/v1/pods", &as_user("b"), "").await.status,
        200
    );
    let headers = as_user("a");
    let mut waiting = std::pin::pin!(raw(address, &headers));
    let others = async {
        for _ in 0..3 {
            assert_eq!(
                send(address, "GET", "/api/v1/pods", &as_user("b"), "").await.status,
                200
            );
        }
    };
    tokio::select! {
        answer = &mut waiting => panic!("expected silence: {answer:?}"),
        () = others => {}
    }
    simulator.rejoin("a");
    assert_eq!(waiting.await, "", "the connection is reset");
    assert_eq!(
        send(address, "GET", "/api/v1/pods", &as_user("a"), "").await.status,
        200
    );
    simulator.isolate("a", Isolation::Reset);
    assert_eq!(raw(address, &headers).await, "");
    simulator
        .store()
        .create(Resource::Pods, pod("p", json!({}), "Pending"))
        .unwrap();
    assert_eq!(of_b.event().await, event("ADDED", "p"));
}

/// Lists Pods; returns everything up to the end of the connection.
async fn raw(address: std::net::SocketAddr, headers: &[(&str, &str)]) -> String {
    let (name, value) = headers[0];
    let request = format!("GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n\r\n");
    exchange(address, &request).await
}

#[tokio::test]
async fn tokens_and_forbidden_verbs() {
    let token = ApiToken {
        user: "system:serviceaccount:observability:collector".into(),
        ..ApiToken::admin("old")
    };
    let nobody = ApiToken {
        allowed: false,
        ..ApiToken::admin("nobody")
    };
    let options = SimulatorOptions {
        tokens: vec![token, nobody],
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let ask = |path: &'static str, token: &'static str| {
        let address = simulator.address();
        async move { send(address, "GET", path, &[("Authorization", token)], "").await }
    };
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer old").await.status, 200);
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer nobody").await.status, 403);
    simulator.forbid(Verb::List, Resource::Jobs);
    let refused = ask("/apis/batch/v1/namespaces/n/jobs", "Bearer old").await;
    let expected = "jobs.batch is forbidden: User \"system:serviceaccount:observability:collector\" cannot list \
                    resource \"jobs\" in API group \"batch\" in the namespace \"n\"";
    assert_eq!((refused.status, &refused.json()["message"]), (403, &json!(expected)));
    simulator.permit(Verb::List, Resource::Jobs);
    assert!(simulator.replace_token("old", "new"));
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer old").await.status, 401);
    assert_eq!(ask("/apis/batch/v1/jobs", "Bearer new").await.status, 200);
    simulator.shutdown().await;
}

#[tokio::test]
async fn requests_are_recorded() {
    let (simulator, _) = started().await;
    get(
        &simulator,
        "/api/v1/pods?labelSelector=batch.kubernetes.io%2Fjob-name&limit=500",
    )
    .await;
    let mut stream = watch(
        &simulator,
        "/api/v1/pods?watch=1&labelSelector=batch.kubernetes.io%2Fjob-name",
    )
    .await;
    get(&simulator, "/version").await;
    let requests = simulator.requests();
    let of_pods: Vec<_> = requests
        .iter()
        .filter(|request| request.resource == Some(Resource::Pods))
        .collect();
    assert_eq!(
        of_pods.iter().map(|request| request.verb).collect::<Vec<_>>(),
        [Some(Verb::List), Some(Verb::Watch)]
    );
    assert!(
        of_pods
            .iter()
            .all(|request| request.query.contains("labelSelector=batch.kubernetes.io%2Fjob-name"))
    );
    assert_eq!((requests.len(), requests[2].path.as_str()), (3, "/version"));
    simulator.cut_watches(Cut::End);
    assert_eq!(stream.next().await, Next::End);
    simulator.shutdown().await;
}
