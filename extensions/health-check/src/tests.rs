use std::net::SocketAddr;

use collector_config::ComponentId;
use collector_config::{Diagnostics, Settings};
use collector_data::Signal;
use collector_http::server::MAX_CONNECTIONS;
use collector_runtime::component::{Create, Extension, Running};
use collector_runtime::health::{ConfigurationStatus, Health, QueueReading, Status};
use collector_runtime::process_status::ProcessStatus;
use collector_testing::contract::{self, Subject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::HealthCheck;

fn id() -> ComponentId {
    ComponentId {
        type_name: "health_check".into(),
        name: None,
    }
}

fn create(yaml: &str, health: &Health) -> Result<HealthCheck, Diagnostics> {
    HealthCheck::new(&Create {
        id: &id(),
        settings: &Settings::from_yaml(yaml)?,
        meter: &opentelemetry::global::meter("test"),
        health,
        provided: &collector_runtime::storage::Provided::new(),
    })
}

fn errors(yaml: &str) -> String {
    create(yaml, &Health::new())
        .err()
        .map(|errors| errors.to_string())
        .unwrap_or_default()
}

struct Served {
    address: SocketAddr,
    health: Health,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

async fn serve(yaml: &str) -> Served {
    let health = Health::new();
    let mut extension = create(yaml, &health).unwrap();
    extension.start().await.unwrap();
    let address = extension.server.as_ref().unwrap().address();
    let shutdown = CancellationToken::new();
    let running = Running {
        shutdown: shutdown.clone(),
        health: Health::new().reporter("extensions::health_check"),
        succession: Default::default(),
    };
    let run = Box::new(extension).run(running);
    let task = tokio::spawn(async move { run.await.unwrap() });
    Served {
        address,
        health,
        shutdown,
        task,
    }
}

impl Served {
    /// The whole answer to a request.
    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream
            .write_all(format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The status code of the answer.
    async fn code(&self, request: &str) -> String {
        self.ask(request).await.split(' ').nth(1).unwrap().to_owned()
    }
}

#[tokio::test]
async fn readiness_follows_the_components() {
    let began = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap() - jiff::SignedDuration::from_secs(1);
    let served = serve("endpoint: 127.0.0.1:0").await;
    let receiver = served.health.reporter("receivers::k8s_job");
    let exporter = served.health.reporter("exporters::otlp_http");
    exporter.report(Status::Ok);
    assert_eq!(served.code("GET /readyz").await, "503");
    assert_eq!(served.code("GET /").await, "200", "it lives");
    receiver.report(Status::Ok);
    assert_eq!(served.code("GET /readyz").await, "200");
    exporter.report(Status::RecoverableError("HTTP 503 \"try later\"".into()));
    receiver.detail("role", "leader");
    let answer = served.ask("GET /readyz").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    for component in body["components"].as_object_mut().unwrap().values_mut() {
        let since = component.as_object_mut().unwrap().remove("since").unwrap();
        let since: jiff::Timestamp = since.as_str().unwrap().parse().unwrap();
        assert!(since >= began && since <= jiff::Timestamp::now(), "{since}");
    }
    assert_eq!(
        body,
        serde_json::json!({
            "status": "not ready",
            "unhealthy": ["exporters::otlp_http"],
            "components": {
                "exporters::otlp_http": {"status": "StatusRecoverableError", "reason": "HTTP 503 \"try later\""},
                "receivers::k8s_job": {"status": "StatusOK", "role": "leader"},
            }
        })
    );
}

#[tokio::test]
async fn a_failed_reload_is_shown_and_leaves_it_ready() {
    let served = serve("endpoint: 127.0.0.1:0").await;
    served.health.reporter("exporters::debug").report(Status::Ok);
    for (status, expected) in [
        (ConfigurationStatus::Applied, serde_json::json!({"status": "applied"})),
        (
            ConfigurationStatus::ReloadFailed("pipeline.yaml:3:5: unknown key".into()),
            serde_json::json!({"status": "reload failed", "reason": "pipeline.yaml:3:5: unknown key"}),
        ),
    ] {
        served.health.report_configuration(status);
        for path in ["/healthz", "/readyz"] {
            let answer = served.ask(&format!("GET {path}")).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
            let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
            let shown = body["configuration"].as_object_mut().unwrap();
            let since = shown.remove("since").unwrap();
            assert!(since.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{since}");
            assert_eq!(body["configuration"], expected, "{path}");
        }
    }
}

#[tokio::test]
async fn status_is_a_snapshot_of_the_process() {
    let served = serve("endpoint: 127.0.0.1:0").await;
    let status = async || {
        let answer = served.ask("GET /status").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        serde_json::from_str::<ProcessStatus>(body).unwrap()
    };
    served.health.reporter("receivers::k8s_job").report(Status::Ok);
    let exporter = served.health.reporter("exporters::otlp_http");
    exporter.queue(Signal::Logs, || {
        Some(QueueReading {
            size: 3,
            capacity: 1000,
            unit: "requests",
        })
    });
    exporter.report(Status::RecoverableError("HTTP 503".into()));
    let found = status().await;
    assert!(found.alive && !found.ready, "{found:?}");
    assert_eq!(found.unhealthy, ["exporters::otlp_http"]);
    assert_eq!(found.components[0].reason.as_deref(), Some("HTTP 503"));
    assert_eq!((found.queues[0].size, found.queues[0].capacity), (3, 1000));
    exporter.report(Status::PermanentError("panicked".into()));
    assert!(!status().await.alive, "still 200: the body says it");
}

#[tokio::test]
async fn a_configured_path_of_liveness_wins_over_status() {
    let served = serve("{endpoint: '127.0.0.1:0', path: /status}").await;
    assert!(served.ask("GET /status").await.contains("\"status\": \"alive\""));
}

#[tokio::test]
async fn liveness_ends_with_the_first_dead_component() {
    let served = serve("{endpoint: '127.0.0.1:0', path: /live}").await;
    let reporter = served.health.reporter("exporters::debug");
    for path in ["/live", "/healthz", "/live?verbose=1"] {
        assert_eq!(served.code(&format!("GET {path}")).await, "200", "{path}");
    }
    reporter.report(Status::PermanentError("panicked: boom".into()));
    for path in ["/live", "/healthz", "/readyz"] {
        let answer = served.ask(&format!("GET {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
        assert!(answer.contains("panicked: boom"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn rejects_other_requests() {
    let served = serve("{endpoint: '127.0.0.1:0', path: /live}").await;
    assert_eq!(served.code("GET /").await, "404");
    let answer = served.ask("POST /healthz").await;
    assert!(
        answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET,HEAD"),
        "{answer}"
    );
    let answer = served.ask("HEAD /healthz").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01 not http\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(served.code("GET /live").await, "200", "continues");
}

#[tokio::test]
async fn serves_probes_while_connections_hang() {
    let served = serve("endpoint: 127.0.0.1:0").await;
    let mut hanging = Vec::new();
    for _ in 0..MAX_CONNECTIONS + 1 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET /healthz HT").await.unwrap();
        hanging.push(stream);
    }
    for _ in 0..3 {
        assert_eq!(served.code("GET /healthz").await, "200");
    }
}

#[tokio::test]
async fn rejects_foreign_host_names_unless_allowed() {
    let strict = serve("endpoint: 127.0.0.1:0").await;
    let open = serve("{endpoint: '127.0.0.1:0', allowed_hosts: [probe.example]}").await;
    for (served, code) in [(strict, "403"), (open, "200")] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let request = b"GET /readyz HTTP/1.1\r\nhost: probe.example:13133\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    }
}

#[tokio::test]
async fn stops_on_shutdown_and_frees_the_port() {
    let served = serve("endpoint: 127.0.0.1:0").await;
    assert_eq!(served.code("GET /").await, "200");
    served.shutdown.cancel();
    served.task.await.unwrap();
    TcpListener::bind(served.address).await.unwrap();
}

#[tokio::test]
async fn names_a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = taken.local_addr().unwrap();
    let mut extension = create(&format!("endpoint: {endpoint}"), &Health::new()).unwrap();
    assert_eq!(
        extension.start().await.unwrap_err().to_string(),
        format!(
            "cannot listen on {endpoint}: address already in use; another collector? \
             set extensions::health_check::endpoint"
        )
    );
}

#[tokio::test]
async fn a_pod_address_may_be_ipv6() {
    // A machine without IPv6 has no such Pods.
    if TcpListener::bind("[::1]:0").await.is_err() {
        return;
    }
    for endpoint in ["::1:0", "'[::1]:0'"] {
        let served = serve(&format!("endpoint: {endpoint}")).await;
        assert_eq!(served.code("GET /healthz").await, "200", "{endpoint}");
    }
}

#[test]
fn rejects_invalid_settings() {
    assert_eq!(errors(""), "");
    assert_eq!(errors("{endpoint: '[::1]:80', path: /x}"), "");
    let found = errors("endpoint: localhost\npath: x");
    assert!(
        found.contains("endpoint: found \"localhost\", expected host:port"),
        "{found}"
    );
    assert!(
        found.contains("path: found \"x\", expected a path that begins with /"),
        "{found}"
    );
    assert!(errors("endpoint: localhost:99999").contains("expected host:port"));
    assert!(errors("path: /readyz").contains("/readyz reports readiness"));
    assert!(errors("endpont: x").contains("endpont"));
}

#[tokio::test]
async fn fulfils_the_contract() {
    let subject = Subject::new(crate::factory(), "endpoint: 127.0.0.1:0");
    contract::extension(&subject).await;
}
