//! The exporter over real sockets.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::support::*;
use collector_config::ComponentId;
use collector_config::{Diagnostics, Settings};
use collector_data::{Ack, Batch, Outcome, Payload};
use collector_runtime::component::{ComponentError, Create, Exporter, Running};
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use prometheus_exporter::exporter::Prometheus;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn create(yaml: &str) -> Result<Prometheus, Diagnostics> {
    Prometheus::new(&Create {
        id: &ComponentId {
            type_name: "prometheus".into(),
            name: None,
        },
        settings: &Settings::from_yaml(yaml)?,
        meter: &opentelemetry::global::meter("test"),
        health: &Health::new(),
        provided: &Provided::new(),
    })
}

struct Scene {
    address: SocketAddr,
    sender: mpsc::Sender<Batch>,
    task: JoinHandle<Result<(), ComponentError>>,
}

impl Scene {
    async fn new(more: &str) -> Self {
        let mut exporter = Box::new(create(&format!("endpoint: 127.0.0.1:0\n{more}")).expect("it works"));
        exporter.start().await.expect("it works");
        let address = exporter.address().expect("it works");
        let (sender, inbox) = mpsc::channel(1);
        let running = Running {
            shutdown: CancellationToken::new(),
            health: Health::new().reporter("exporters::prometheus"),
            succession: Default::default(),
        };
        let task = tokio::spawn(exporter.run(inbox.into(), running));
        Scene { address, sender, task }
    }

    /// Sends a delta and waits for the acknowledgement.
    async fn count(&self, value: i64, second: u64) {
        let points = vec![point(&[("reason", "r")], value, second - 1, second)];
        let delta = sum(points, AggregationTemporality::Delta);
        let metrics = of(
            &[("k8s.job.name", "a")],
            "",
            vec![metric("k8s.job.failures", "{job}", delta)],
        );
        let (ack, delivery) = Ack::new();
        self.sender
            .send(Batch::new(Payload::Metrics(vec![metrics]), ack))
            .await
            .expect("it works");
        assert_eq!(delivery.await, Outcome::Delivered);
    }

    async fn get(&self, path: &str, headers: &str) -> (String, Vec<u8>) {
        let stream = TcpStream::connect(self.address).await.expect("it works");
        request(stream, "GET", path, headers).await
    }
}

async fn request(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &str,
) -> (String, Vec<u8>) {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.expect("it works");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it works");
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    (
        String::from_utf8(answer[..end].to_vec()).expect("it works"),
        answer[end + 4..].to_vec(),
    )
}

fn body(answer: (String, Vec<u8>)) -> String {
    assert!(answer.0.starts_with("HTTP/1.1 200 "), "{}", answer.0);
    String::from_utf8(answer.1).expect("it works")
}

#[tokio::test]
async fn serves_totals_in_the_requested_format() {
    let scene = Scene::new("start_at_zero: 0s\nenable_open_metrics: true").await;
    scene.count(2, 10).await;
    scene.count(3, 20).await;
    let text = body(scene.get("/metrics", "").await);
    assert!(
        text.contains("k8s_job_failures_total{k8s_job_name=\"a\",reason=\"r\"} 5\n"),
        "{text}"
    );
    assert!(
        text.contains("target_info{k8s_job_name=\"a\"} 1\n") && !text.contains("# EOF"),
        "{text}"
    );

    let (head, open) = scene
        .get("/metrics", "accept: application/openmetrics-text; version=1.0.0\r\n")
        .await;
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    let open = String::from_utf8(open).unwrap();
    assert!(
        open.contains("k8s_job_failures_created{") && open.ends_with("\n# EOF\n"),
        "{open}"
    );

    for (method, path, code) in [
        ("GET", "/", "404"),
        ("GET", "/metric", "404"),
        ("POST", "/metrics", "405"),
    ] {
        let stream = TcpStream::connect(scene.address).await.unwrap();
        let (head, _) = request(stream, method, path, "").await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {code} ")),
            "{method} {path}: {head}"
        );
    }
    drop(scene.sender);
    scene.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(scene.address).await.is_err(), "still listening");
}

#[tokio::test]
async fn serves_text_if_open_metrics_is_off() {
    let scene = Scene::new("start_at_zero: 0s").await;
    scene.count(1, 10).await;
    let (head, _) = scene.get("/metrics", "accept: application/openmetrics-text\r\n").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
}

#[tokio::test]
async fn compresses_long_pages_if_accepted() {
    let scene = Scene::new(&format!("const_labels: {{pad: {}}}", "x".repeat(2000))).await;
    scene.count(1, 10).await;
    let plain = body(scene.get("/metrics", "accept-encoding: gzip;q=0\r\n").await);
    let (head, packed) = scene.get("/metrics", "accept-encoding: br, gzip\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*packed)
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
    assert!(packed.len() < plain.len() / 4);
}

#[tokio::test]
async fn serves_scrapes_while_connections_hang() {
    let scene = Scene::new("").await;
    let mut hanging = Vec::new();
    for _ in 0..collector_http::server::MAX_CONNECTIONS + 1 {
        let mut stream = TcpStream::connect(scene.address).await.unwrap();
        stream.write_all(b"GET /metrics HT").await.unwrap();
        hanging.push(stream);
    }
    scene.count(1, 10).await;
    assert!(body(scene.get("/metrics", "").await).contains("k8s_job_failures_total"));
}

#[tokio::test]
async fn rejects_foreign_host_names_unless_allowed() {
    for (more, code) in [("", "403"), ("allowed_hosts: ['*.example']", "200")] {
        let scene = Scene::new(more).await;
        let mut stream = TcpStream::connect(scene.address).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: prometheus.example\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    }
}

#[tokio::test]
async fn serves_over_tls() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus-tls");
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let tls = |cert: &str, key: &str| {
        let (cert, key) = (folder.join(cert), folder.join(key));
        format!("tls: {{cert_file: {}, key_file: {}}}", cert.display(), key.display())
    };
    let scene = Scene::new(&tls("cert.pem", "key.pem")).await;
    scene.count(1, 10).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = TcpStream::connect(scene.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let text = body(request(stream, "GET", "/metrics", "").await);
    assert!(text.contains("k8s_job_failures_total"), "{text}");

    // Errors on startup name the file.
    for (cert, key, part) in [
        ("none.pem", "key.pem", "cannot read the certificate"),
        ("cert.pem", "none.pem", "cannot read the key"),
        ("key.pem", "key.pem", "holds no certificate"),
    ] {
        let mut exporter = create(&format!("endpoint: 127.0.0.1:0\n{}", tls(cert, key))).unwrap();
        let why = exporter.start().await.unwrap_err().to_string();
        assert!(
            why.starts_with("exporters::prometheus: ") && why.contains(part),
            "{why}"
        );
    }
}

#[tokio::test]
async fn names_a_port_in_use_with_its_setting() {
    let scene = Scene::new("").await;
    let mut second = create(&format!("endpoint: {}", scene.address)).unwrap();
    let why = second.start().await.unwrap_err().to_string();
    assert!(
        why.contains("address already in use") && why.contains("exporters::prometheus::endpoint"),
        "{why}"
    );
}

#[test]
fn errors_in_settings_are_named() {
    assert!(create("").is_ok());
    for (yaml, parts) in [
        ("endpoint: localhost", &["endpoint", "expected host:port"][..]),
        ("namespace: a-b", &["namespace", "\"a-b\""]),
        ("const_labels: {le: x}", &["const_labels", "\"le\""]),
        ("const_labels: {a.b: x}", &["const_labels", "\"a.b\""]),
        ("tls: {cert_file: x}", &["tls::key_file", "is missing"]),
        ("metric_expiration: 30s", &["metric_expiration", "start_at_zero"]),
        (
            "add_metric_sufixes: true",
            &["add_metric_sufixes", "add_metric_suffixes"],
        ),
    ] {
        let text = create(yaml).err().map(|errors| errors.to_string()).unwrap_or_default();
        for part in parts {
            assert!(text.contains(part), "{yaml}: {part:?} is missing in: {text}");
        }
    }
    assert!(create("{metric_expiration: 0s}").is_ok(), "zero: never");
}
