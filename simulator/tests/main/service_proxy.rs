//! The proxy of Services.

use crate::client::{get, send};
use serde_json::json;
use simulator::{ApiToken, Simulator, SimulatorOptions};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A Service that answers one request; the task returns the head of it.
async fn service(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    (address, task)
}

#[tokio::test]
async fn forwards_requests_to_the_endpoint_of_a_service() {
    let options = SimulatorOptions {
        tokens: vec![ApiToken::admin("t")],
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let (endpoint, request) = service("HTTP/1.1 418 Teapot\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nhi").await;
    simulator.set_service("obs", "kjc", "web", Some(endpoint));
    let path = "/api/v1/namespaces/obs/services/kjc:web/proxy/api/v1/jobs/a%2Fb?limit=1";
    let authorization = [("Authorization", "Bearer t")];
    let answer = send(simulator.address(), "GET", path, &authorization, "").await;
    assert_eq!((answer.status, &*answer.body), (418, &b"hi"[..]));
    assert_eq!(answer.headers.get("x-own").map(String::as_str), Some("1"));
    let head = request.await.unwrap().to_lowercase();
    assert!(
        head.starts_with("get /api/v1/jobs/a%2fb?limit=1 http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nhost: simulator\r\n"), "the client's own: {head}");
    assert!(!head.contains("authorization"), "{head}");
    simulator.shutdown().await;
}

#[tokio::test]
async fn missing_services_and_endpoints_have_a_status() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let refusal = async |path: &str| {
        let answer = get(&simulator, &format!("/api/v1/namespaces/obs/services/{path}/proxy/")).await;
        let status = answer.json();
        let message = status["message"].as_str().unwrap().to_owned();
        (answer.status, message, status["kind"].clone())
    };
    let refused = |code: u16, message: &str| (code, message.to_owned(), json!("Status"));
    assert_eq!(refusal("kjc:web").await, refused(404, "services \"kjc\" not found"));
    simulator.set_service("obs", "kjc", "web", None);
    let message = "no endpoints available for service \"kjc\"";
    assert_eq!(refusal("kjc:web").await, refused(503, message));
    assert_eq!(refusal("kjc").await, refused(503, message));
    let message = "no service port \"admin\" found for service \"kjc\"";
    assert_eq!(refusal("kjc:admin").await, refused(503, message));

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    simulator.set_service("obs", "kjc", "web", Some(closed));
    let (code, message, _) = refusal("kjc:web").await;
    assert_eq!(code, 503);
    assert!(message.starts_with("error trying to reach service: "), "{message}");

    simulator.forbid_service_proxy(true);
    let message = "services \"kjc:web\" is forbidden: User \"system:admin\" cannot get resource \"services/proxy\" in API \
                   group \"\" in the namespace \"obs\"";
    assert_eq!(refusal("kjc:web").await, refused(403, message));
    simulator.forbid_service_proxy(false);
    assert_eq!(refusal("kjc:web").await.0, 503);
    simulator.shutdown().await;
}
