//! Writes.

use crate::client::{exchange, started};
use serde_json::json;
use simulator::{Fault, Matching, Resource, Simulator, Verb};

#[tokio::test]
async fn a_write_with_a_lost_answer_is_stored() {
    let (simulator, store) = started().await;
    let silent = Matching::new(Verb::Create, Resource::ConfigMaps);
    simulator.answer_next(1, silent, Fault::LostAnswer);
    simulator.answer_next(1, silent, Fault::Silence);
    let create = async |name: &str| {
        let body = json!({"metadata": {"name": name, "namespace": "n"}}).to_string();
        post(&simulator, "/api/v1/namespaces/n/configmaps", &body).await
    };
    assert_eq!(create("a").await, "", "no answer");
    assert!(store.get(Resource::ConfigMaps, "n", "a").is_some());
    let mut silence = std::pin::pin!(create("b"));
    let requested = async {
        while simulator.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut silence => panic!("an answer: {answer:?}"),
        () = requested => {}
    }
    tokio::select! {
        answer = &mut silence => panic!("an answer: {answer:?}"),
        answer = create("c") => assert!(answer.starts_with("HTTP/1.1 201"), "{answer}"),
    }
    simulator.clear_faults();
    assert_eq!(silence.await, "", "the connection is reset");
    assert!(store.get(Resource::ConfigMaps, "n", "b").is_none());
}

/// Posts; returns everything up to the end of the connection.
async fn post(simulator: &Simulator, path: &str, body: &str) -> String {
    exchange(
        simulator.address(),
        &format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
    .await
}
