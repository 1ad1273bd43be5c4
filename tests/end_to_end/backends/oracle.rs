//! The data that the binary sends, read by independent implementations: the official Python package `opentelemetry-proto`, and a gRPC
//! server made of it and of `grpcio`.
//!
//! They run where a Python has these packages: the one that `OTLP_PYTHON` names, that of `target/otlp-python` (where `.ci/run`
//! installs them if it can), or `python3`. Elsewhere they say that they were skipped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use simulator::TimelineStep;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::setup::{PATIENCE, Setup, jobs, scenario};
use crate::oracle;

/// A Python that has this module.
fn python(module: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("OTLP_PYTHON").map(PathBuf::from);
    let usual = [root.join("target/otlp-python/bin/python"), "python3".into()];
    named.into_iter().chain(usual).find(|python| {
        let import = Command::new(python).args(["-c", &format!("import {module}")]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

type Bodies = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Stores the body of each request by its signal, as received.
async fn capture(listener: TcpListener, bodies: Bodies) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, Arc::clone(&bodies)));
    }
}

/// The necessary part of HTTP/1.1. Ends with the connection.
async fn serve(mut stream: TcpStream, bodies: Bodies) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        };
        let text = String::from_utf8(read[..head].to_vec()).ok()?.to_lowercase();
        let length: usize = text
            .split("content-length: ")
            .nth(1)?
            .split('\r')
            .next()?
            .parse()
            .ok()?;
        while read.len() < head + length {
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        }
        let signal = text.split("/v1/").nth(1)?.split(' ').next()?.to_owned();
        bodies.lock().ok()?.push((signal, read[head..head + length].to_vec()));
        read.drain(..head + length);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

#[tokio::test]
async fn the_official_python_package_reads_what_we_send() {
    let Some(python) = python("opentelemetry.proto.collector.trace.v1.trace_service_pb2") else {
        oracle::skip(
            "opentelemetry-proto for Python",
            "pip install opentelemetry-proto, or set OTLP_PYTHON",
        );
        return;
    };
    let mut setup = Setup::new("oracle").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Bodies::default();
    tokio::spawn(capture(listener, Arc::clone(&bodies)));
    let requests = setup.folder.join("requests");
    let config = format!(
        "receivers:\n  k8s_job:\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics:\n  job_traces:\nexporters:\n  \
         otlp_http: {{endpoint: \"{endpoint}\", compression: none}}\n  file: {{path: {}/all.jsonl, create_directory: true}}\nservice:\n  \
         pipelines:\n    logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, file, job_metrics, job_traces]}}\n    \
         metrics: {{receivers: [k8s_job, job_metrics], exporters: [otlp_http, file]}}\n    \
         traces: {{receivers: [job_traces], exporters: [otlp_http, file]}}\n",
        requests.display()
    );
    let set = ["receivers.k8s_job.collection_interval=1s".into()];
    setup.collect(&config, &set, &[]).await;
    let steps = lives();
    let uids = jobs(&steps);
    setup.play(steps);
    let reported = async || {
        let is_reported = || {
            bodies
                .lock()
                .unwrap()
                .iter()
                .filter(|(signal, _)| signal == "logs")
                .count()
                >= uids.len()
        };
        while !is_reported() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reported()).await.expect("events");
    setup.stop().await;

    for (number, (signal, body)) in bodies.lock().unwrap().iter().enumerate() {
        std::fs::write(requests.join(format!("{number:04}.{signal}.proto")), body).unwrap();
    }
    assert!(requests.join("all.jsonl").metadata().unwrap().len() > 0, "both forms");
    check(&python, &requests, &uids);
}

#[tokio::test]
async fn a_grpc_server_that_is_not_ours_takes_what_we_send() {
    let Some(python) = python("grpc, opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc") else {
        oracle::skip(
            "opentelemetry-proto or grpcio for Python",
            "pip install opentelemetry-proto grpcio, or set OTLP_PYTHON",
        );
        return;
    };
    let mut setup = Setup::new("grpc").await;
    let requests = setup.folder.join("requests");
    std::fs::create_dir(&requests).unwrap();
    let mut server = tokio::process::Command::new(&python)
        .arg(script("grpc_server.py"))
        .arg(&requests)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut port = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut port).await.unwrap();
    // Batches above the limit of the server.
    let config = format!(
        "receivers:\n  k8s_job:\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics:\n  job_traces:\nexporters:\n  \
         otlp_grpc:\n    endpoint: 127.0.0.1:{}\n    tls: {{insecure: true}}\n    compression: gzip\n    sending_queue: {{batch: \
         {{flush_timeout: 3s, min_size: 1000}}}}\nservice:\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_grpc, job_metrics, job_traces]}}\n    \
         metrics: {{receivers: [k8s_job, job_metrics], exporters: [otlp_grpc]}}\n    \
         traces: {{receivers: [job_traces], exporters: [otlp_grpc]}}\n",
        port.trim()
    );
    setup.collect(&config, &[], &[]).await;
    let steps = lives();
    let uids = jobs(&steps);
    setup.play(steps);
    let reported = async {
        let mut line = String::new();
        while !line.ends_with(".logs.proto\n") {
            line.clear();
            assert!(output.read_line(&mut line).await.unwrap() > 0, "the server has ended");
        }
    };
    tokio::time::timeout(PATIENCE, reported).await.expect("events");
    setup.stop().await;
    drop(server.stdin.take());
    assert!(server.wait().await.unwrap().success());
    check(&python, &requests, &uids);
    let sizes: Vec<u64> = std::fs::read_dir(&requests)
        .unwrap()
        .map(Result::unwrap)
        .filter(|file| file.file_name().to_string_lossy().ends_with(".logs.proto"))
        .map(|file| file.metadata().unwrap().len())
        .collect();
    assert!(sizes.len() > 1, "one batch is larger than what the server takes");
    assert!(sizes.iter().all(|size| *size < 12_000), "{sizes:?}");
}

/// Jobs that end in several ways.
fn lives() -> Vec<TimelineStep> {
    let names = [
        "deadline-exceeded",
        "out-of-memory",
        "image-pull",
        "success-after-retry",
        "cron-failing",
    ];
    let jobs = names.into_iter().zip(1..);
    jobs.flat_map(|(name, seed)| scenario(name, seed, |_| ())).collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/end_to_end/backends")
        .join(name)
}

/// Reads the requests in the folder, and compares them with the expected reports of these Jobs.
fn check(python: &Path, requests: &Path, uids: &BTreeSet<String>) {
    let output = Command::new(python)
        .arg(script("oracle.py"))
        .arg(requests)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["problems"], Value::Array(vec![]), "{found:#}");

    let row = |row: &Value, at: usize| row[at].as_str().unwrap().to_owned();
    let events = found["events"].as_array().unwrap();
    let reported: BTreeSet<String> = events.iter().map(|event| row(event, 1)).collect();
    assert_eq!(reported, *uids);
    assert_eq!(events.len(), uids.len(), "each once");
    assert!(events.iter().all(|event| row(event, 0) == "k8s.job.finished"));
    // The trace of a Job is its UID, and its log record names its span.
    let roots: BTreeSet<(String, String)> = events.iter().map(|event| (row(event, 2), row(event, 3))).collect();
    let spans = found["spans"].as_array().unwrap();
    let without_parent = spans.iter().filter(|span| row(span, 3).is_empty());
    assert_eq!(
        without_parent
            .map(|span| (row(span, 1), row(span, 2)))
            .collect::<BTreeSet<_>>(),
        roots
    );
    let traces: BTreeSet<String> = roots.into_iter().map(|(trace, _)| trace).collect();
    assert_eq!(traces, uids.iter().map(|uid| uid.replace('-', "")).collect());
    assert!(spans.len() > 2 * uids.len(), "Pods and containers, too: {spans:?}");
    let sum = |metric: &str| found["sums"][metric].as_u64().unwrap_or(0);
    assert_eq!(sum("k8s.job.failures") + sum("k8s.job.completions"), uids.len() as u64);
    assert_eq!(sum("k8s.job.duration"), uids.len() as u64);
}
