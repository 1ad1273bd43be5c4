//! The cost of sending: the exporter from the incoming batch to the response of a backend on the same machine that
//! takes everything. Encoding, compression, queue and connection run on one thread, whose processor time is measured.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark has no users, prints, and may end with a panic"
)]

#[path = "support/evidence.rs"]
#[allow(dead_code, reason = "a part is used")]
mod evidence;
#[path = "support/sink.rs"]
mod sink;

use std::time::{Duration, Instant};

use collector_config::ComponentId;
use collector_config::Settings;
use collector_data::{Ack, Batch, Outcome, Payload};
use collector_runtime::Exporter;
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::health::Health;
use collector_runtime::storage::Provided;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use job_event::{Evidence, otlp};
use job_metrics_connector::aggregate::Aggregate;
use job_metrics_connector::event::CountedEvent;
use job_metrics_connector::window::Windows;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use sink::Sink;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Owners in one batch of metrics, as many as the receiver puts into one.
const OWNERS: usize = 500;
/// Batches that are sent but not measured, so that connections are open.
const WARM_UP: usize = 20;
/// The most batches without an acknowledgement.
const AHEAD: usize = 64;

/// The batch that is sent again and again.
struct Load {
    name: &'static str,
    batches: usize,
    payloads: Vec<Payload>,
}

/// How it is sent.
struct Way {
    name: &'static str,
    factory: fn() -> Factory<dyn Exporter>,
    endpoint: fn(&Sink) -> String,
    settings: &'static str,
}

struct Cost {
    requests: u64,
    bytes: u64,
    processor: Duration,
    elapsed: Duration,
}

fn main() {
    let loads = [
        Load {
            name: "metrics",
            batches: 400,
            payloads: vec![metrics()],
        },
        Load {
            name: "logs",
            batches: 20_000,
            payloads: logs().map(|event| Payload::Logs(vec![event])).collect(),
        },
    ];
    let sink = Sink::start();
    for load in &loads {
        let items: usize = load.payloads.iter().map(Payload::items).sum();
        let each = items as f64 / load.payloads.len() as f64;
        println!("\n{}: {} batches of {each:.0} items", load.name, load.batches);
        println!("                      requests/s       items/s     items/s   bytes per    requests time to");
        println!("                        and core      and core     elapsed        item   per batch   first");
        let mut first = None;
        for way in WAYS {
            let cost = measure(&sink, way, load);
            // A batch whose body is larger than a backend takes is cut in two.
            let (requests, items) = (cost.requests as f64, load.batches as f64 * each);
            let processor = cost.processor.as_secs_f64();
            let first = *first.get_or_insert(processor);
            println!(
                "{:<20}{:>12.0}{:>14.0}{:>12.0}{:>12.1}{:>12.2}{:>8.2}",
                way.name,
                requests / processor,
                items / processor,
                items / cost.elapsed.as_secs_f64(),
                cost.bytes as f64 / items,
                requests / load.batches as f64,
                processor / first,
            );
        }
    }
}

const WAYS: &[Way] = &[
    http("http proto", "compression: none"),
    http("http proto, gzip", "compression: gzip"),
    http("http proto, zstd", "compression: zstd"),
    http("http JSON", "encoding: json\ncompression: none"),
    http("http JSON, gzip", "encoding: json\ncompression: gzip"),
    http("http JSON, zstd", "encoding: json\ncompression: zstd"),
    grpc("grpc", "compression: none"),
    grpc("grpc, gzip", "compression: gzip"),
    grpc("grpc, zstd", "compression: zstd"),
];

const fn http(name: &'static str, settings: &'static str) -> Way {
    Way {
        name,
        factory: otlp_exporter::http::factory,
        endpoint: |sink| format!("http://{}", sink.address),
        settings,
    }
}

const fn grpc(name: &'static str, settings: &'static str) -> Way {
    Way {
        name,
        factory: otlp_exporter::grpc::factory,
        endpoint: |sink| format!("{}\ntls: {{insecure: true}}", sink.address),
        settings,
    }
}

/// The events of all recorded Jobs, judged.
fn logs() -> impl Iterator<Item = ResourceLogs> {
    evidence::recorded().into_values().map(|job| {
        let mut event = otlp::encode(&job, Some("production"), Timestamp::UNIX_EPOCH);
        let records = event.scope_logs.iter_mut().flat_map(|scope| &mut scope.log_records);
        for record in records {
            *record = evidence::enrich(record.clone());
        }
        event
    })
}

/// The points of a window in which one Job of each of [`OWNERS`] ended.
fn metrics() -> Payload {
    // A Job that was deleted or replaced has no points.
    let is_counted = |job: &Evidence| CountedEvent::read(&evidence::record(job)).unwrap().is_some();
    let jobs: Vec<_> = evidence::recorded().into_values().filter(is_counted).collect();
    let now = Timestamp::UNIX_EPOCH;
    let mut aggregate = Aggregate::new(160);
    for (number, job) in jobs.iter().cycle().take(OWNERS).enumerate() {
        let mut job = job.clone();
        job.job.name = format!("nightly-report-{number:04}").into();
        job.job.cronjob = None;
        let event = otlp::encode(&job, Some("production"), now);
        let record = evidence::enrich(event.scope_logs[0].log_records[0].clone());
        let finished = CountedEvent::read(&record).unwrap().unwrap();
        let resource = event.resource.as_ref();
        aggregate.add(resource, &event.schema_url, &record.attributes, &finished);
    }
    Payload::Metrics(aggregate.take(Windows::new(now).close(now)))
}

/// Sends the load over an exporter of its own.
fn measure(sink: &Sink, way: &Way, load: &Load) -> Cost {
    let yaml = format!("endpoint: {}\n{}", (way.endpoint)(sink), way.settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let id = ComponentId {
            type_name: "otlp".into(),
            name: None,
        };
        let settings = Settings::from_yaml(&yaml).unwrap();
        let (meter, health, provided) = (NoopMeterProvider::new().meter("bench"), Health::new(), Provided::new());
        let create = Create {
            id: &id,
            settings: &settings,
            meter: &meter,
            health: &health,
            provided: &provided,
        };
        let mut exporter = ((way.factory)().create)(&create).unwrap_or_else(|errors| panic!("{errors}"));
        exporter.start().await.unwrap();
        let (input, inbox) = mpsc::channel(8);
        let running = Running {
            shutdown: CancellationToken::new(),
            health: health.reporter(id.clone()),
            succession: Default::default(),
        };
        let run = tokio::spawn(exporter.run(inbox.into(), running));
        send(&input, load, WARM_UP).await;
        sink.take();
        let (begin, before) = (Instant::now(), processor_time());
        send(&input, load, load.batches).await;
        let (elapsed, processor) = (begin.elapsed(), processor_time() - before);
        let (requests, bytes) = sink.take();
        drop(input);
        run.await.unwrap().unwrap();
        Cost {
            requests,
            bytes,
            processor,
            elapsed,
        }
    })
}

/// Sends this many batches and waits until all are delivered.
async fn send(input: &mpsc::Sender<Batch>, load: &Load, batches: usize) {
    let mut deliveries = FuturesUnordered::new();
    for payload in load.payloads.iter().cycle().take(batches) {
        while deliveries.len() >= AHEAD {
            assert_eq!(deliveries.next().await, Some(Outcome::Delivered));
        }
        let (ack, delivery) = Ack::new();
        input.send(Batch::new(payload.clone(), ack)).await.unwrap();
        deliveries.push(delivery);
    }
    while let Some(outcome) = deliveries.next().await {
        assert_eq!(outcome, Outcome::Delivered);
    }
}

/// CPU time of this thread, including the copy of a batch for sending.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}
