//! The exporter `web` with 2,000 events of recordings: memory, first byte of its answers, and clients of the live stream. Linux
//! only: it reads `/proc`.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark has no users, prints, and may end with a panic"
)]

#[path = "support/evidence.rs"]
#[allow(dead_code, reason = "a part is used")]
mod evidence;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use collector_config::{ComponentId, Settings};
use collector_data::{Ack, Batch, Outcome, Payload};
use collector_runtime::Exporter;
use collector_runtime::component::{Create, Running};
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use jiff::{SignedDuration, Timestamp};
use job_event::otlp;
use job_judge::judge;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use reason_enrichment_processor::encode;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use web_exporter::exporter::WebExporter;

/// The default of `max_events`.
const EVENTS: usize = 2000;
const REQUESTS: usize = 200;
const CLIENTS: usize = 100;

#[tokio::main]
async fn main() {
    let at_full_scale = std::env::args().any(|argument| argument == "--bench");
    let (requests, live) = if at_full_scale { (REQUESTS, 1000) } else { (3, 10) };
    let jobs: Vec<ResourceLogs> = evidence::recorded().values().map(event).collect();
    let health = Health::new();
    let mut exporter = Box::new(exporter(&health));
    exporter.start().await.unwrap();
    let server = exporter.address().unwrap();
    let (sender, inbox) = mpsc::channel(1);
    let running = Running {
        shutdown: CancellationToken::new(),
        health: health.reporter("exporters::web"),
        succession: Default::default(),
    };
    let running = tokio::spawn(exporter.run(inbox.into(), running));
    first_byte(server, "/api/v1/overview").await;
    let before = resident();
    let now = Timestamp::now();
    let begun = Instant::now();
    for number in 0..EVENTS {
        let age = SignedDuration::from_secs(40 * (EVENTS - number) as i64);
        send(&sender, &jobs[number % jobs.len()], number, now - age).await;
    }
    let each = begun.elapsed() / EVENTS as u32;
    println!(
        "{EVENTS} events: {} KiB more resident memory, {each:.1?} each",
        resident() - before
    );
    for path in ["/", "/api/v1/overview", "/api/v1/events?limit=100"] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..requests {
            let (time, length) = first_byte(server, path).await;
            times.push(time);
            bytes = length;
        }
        times.sort();
        let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{path}: {bytes} bytes, first byte after {median:.1?}, at most {most:.1?}");
    }
    println!("after the requests: {} KiB more", resident() - before);
    streams(server, &sender, &jobs[0], live).await;
    println!("with {CLIENTS} clients: {} KiB more", resident() - before);
    drop(sender);
    running.await.unwrap().unwrap();
}

fn exporter(health: &Health) -> WebExporter {
    let create = Create {
        id: &ComponentId {
            type_name: "web".into(),
            name: None,
        },
        settings: &Settings::from_yaml("endpoint: 127.0.0.1:0").unwrap(),
        meter: &NoopMeterProvider::new().meter("bench"),
        health,
        provided: &Provided::new(),
    };
    WebExporter::new(&create).unwrap()
}

fn event(job: &job_event::Evidence) -> ResourceLogs {
    let mut event = otlp::encode(job, Some("prod-1"), Timestamp::UNIX_EPOCH);
    encode::write(&mut event.scope_logs[0].log_records[0], &judge(job));
    event
}

/// Sends a copy of an event with its own UID and time.
async fn send(sender: &mpsc::Sender<Batch>, event: &ResourceLogs, number: usize, time: Timestamp) {
    let mut event = event.clone();
    let record = &mut event.scope_logs[0].log_records[0];
    record.time_unix_nano = u64::try_from(time.as_nanosecond()).unwrap();
    for pair in &mut record.attributes {
        if matches!(&*pair.key, "log.record.uid" | "k8s.job.uid") {
            let uid = Value::StringValue(format!("00000000-0000-4000-8000-{number:012}"));
            pair.value = Some(AnyValue { value: Some(uid) });
        }
    }
    let (ack, delivery) = Ack::new();
    sender.send(Batch::new(Payload::Logs(vec![event]), ack)).await.unwrap();
    assert_eq!(delivery.await, Outcome::Delivered);
}

/// The time from the request to the first byte, and the bytes of the answer.
async fn first_byte(server: SocketAddr, path: &'static str) -> (Duration, usize) {
    let request = move || {
        let mut stream = TcpStream::connect(server).unwrap();
        let begun = Instant::now();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        let time = begun.elapsed();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        (time, rest.len() + 1)
    };
    tokio::task::spawn_blocking(request).await.unwrap()
}

/// Clients of the live stream, until each has received every event.
async fn streams(server: SocketAddr, sender: &mpsc::Sender<Batch>, event: &ResourceLogs, events: usize) {
    let (connected, mut ready) = mpsc::channel(CLIENTS);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let connected = connected.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(server).unwrap();
                write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
                let (mut text, mut piece) = (String::new(), vec![0; 64 * 1024]);
                let last = format!("{:012}\"", EVENTS + events - 1);
                let mut is_connected = false;
                let mut received = 0;
                loop {
                    let length = stream.read(&mut piece).unwrap();
                    assert!(length > 0, "the stream has ended");
                    text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
                    if !is_connected && text.contains(": connected") {
                        is_connected = true;
                        connected.blocking_send(()).unwrap();
                    }
                    let whole = text.rfind("\n\n").map_or(0, |at| at + 2);
                    received += text[..whole].matches("event: event\n").count();
                    let has_last = text[..whole].contains(&last);
                    text.drain(..whole);
                    if has_last {
                        return received;
                    }
                }
            })
        })
        .collect();
    for _ in 0..CLIENTS {
        ready.recv().await.unwrap();
    }
    let begun = Instant::now();
    for number in EVENTS..EVENTS + events {
        send(sender, event, number, Timestamp::now()).await;
    }
    let sent = begun.elapsed();
    let received: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    let all = begun.elapsed();
    println!("{CLIENTS} clients: {events} events sent in {sent:.1?}, all {received} received after {all:.1?}");
}

/// `VmRSS` of this process, KiB.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
