//! The sender as a whole: queue, consumers, retries, acknowledgements, logs and metrics, on a paused clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use prost::Message;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{BatchSettings, Destination, QueueSettings, Request, RetrySettings, SendOutcome, Sender, Sizer};
use collector_config::ComponentId;
use collector_data::{Ack, Delivery, Outcome};
use collector_data::{Batch, Payload, Signal};
use collector_runtime::component::{ComponentError, Kind, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::outlet::Inbox;
use collector_runtime::storage::memory::MemoryStorage;
use collector_runtime::storage::{Storage, StoreError};
use collector_runtime::succession::Succession;
use collector_testing::OwnMetrics;

mod answers;
mod batching;
mod crashes;
mod expiry;
mod in_memory;
mod replaced;
mod signals;
mod stored;

/// A destination that answers as scripted, then accepts, and records the time of each attempt.
#[derive(Clone)]
struct Scripted {
    script: Arc<Mutex<VecDeque<SendOutcome>>>,
    attempts: Arc<Mutex<Vec<(Duration, Signal, u64)>>>,
    begin: Instant,
    /// Every attempt's request.
    seen: Arc<Mutex<Vec<Request>>>,
    /// Requests with this name in them are never accepted.
    refuses: Arc<Mutex<Option<&'static str>>>,
    /// How long each attempt takes.
    takes: Duration,
    /// An attempt needs a permit, so that tests can hold attempts back.
    gate: Arc<Semaphore>,
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = SendOutcome>) -> Self {
        Scripted {
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            attempts: Arc::default(),
            begin: Instant::now(),
            seen: Arc::default(),
            refuses: Arc::default(),
            takes: Duration::ZERO,
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    fn closed(self) -> Self {
        Scripted {
            gate: Arc::new(Semaphore::new(0)),
            ..self
        }
    }

    fn attempts(&self) -> Vec<(Duration, Signal, u64)> {
        self.attempts.lock().unwrap().clone()
    }

    /// The names in every attempt's request.
    fn names(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(names).collect()
    }

    fn seconds(&self) -> Vec<f64> {
        self.attempts().iter().map(|(at, ..)| at.as_secs_f64()).collect()
    }
}

impl Destination for Scripted {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let items = payload.items();
        Ok(match items {
            0 => vec![],
            _ => vec![Request::new(&payload, "proto", "", encoded(&payload))],
        })
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        let body = request.body.clone();
        let payload = match request.signal {
            Signal::Logs => ExportLogsServiceRequest::decode(body).map(|whole| Payload::Logs(whole.resource_logs)),
            Signal::Metrics => {
                ExportMetricsServiceRequest::decode(body).map(|whole| Payload::Metrics(whole.resource_metrics))
            }
            Signal::Traces => {
                ExportTraceServiceRequest::decode(body).map(|whole| Payload::Traces(whole.resource_spans))
            }
        };
        payload.map_err(|why| why.to_string())
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        self.attempts
            .lock()
            .unwrap()
            .push((self.begin.elapsed(), request.signal, request.items));
        self.seen.lock().unwrap().push(request.clone());
        self.gate.acquire().await.unwrap().forget();
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let refuses = *self.refuses.lock().unwrap();
        if refuses.is_some_and(|name| names(request).contains(name)) {
            return busy();
        }
        self.script.lock().unwrap().pop_front().unwrap_or(SendOutcome::Accepted)
    }
}

/// The export request in protobuf form, not compressed.
fn encoded(payload: &Payload) -> Bytes {
    let body = match payload.clone() {
        Payload::Logs(resource_logs) => ExportLogsServiceRequest { resource_logs }.encode_to_vec(),
        Payload::Metrics(resource_metrics) => ExportMetricsServiceRequest { resource_metrics }.encode_to_vec(),
        Payload::Traces(resource_spans) => ExportTraceServiceRequest { resource_spans }.encode_to_vec(),
    };
    body.into()
}

struct Fixture {
    input: Option<mpsc::Sender<Batch>>,
    run: JoinHandle<Result<(), ComponentError>>,
    health: Health,
    shutdown: CancellationToken,
    succession: Succession,
    metrics: OwnMetrics,
}

fn id() -> ComponentId {
    ComponentId {
        type_name: "otlp_http".into(),
        name: Some("test".into()),
    }
}

fn start(destination: &Scripted, retry: RetrySettings, queue: QueueSettings) -> Fixture {
    start_with(destination, retry, queue, None)
}

/// The time of day when a test begins, in seconds since 1970.
const MORNING: u64 = 1_700_000_000;

fn start_with(
    destination: &Scripted,
    retry: RetrySettings,
    queue: QueueSettings,
    storage: Option<&MemoryStorage>,
) -> Fixture {
    let metrics = OwnMetrics::new();
    let health = Health::new();
    let shutdown = CancellationToken::new();
    let running = Running {
        shutdown: shutdown.clone(),
        health: health.reporter(id()),
        succession: Succession::default(),
    };
    let succession = running.succession.clone();
    running.health.report(Status::Ok);
    let (input, inbox) = mpsc::channel(1);
    let (begin, runtime) = (destination.begin, tokio::runtime::Handle::current());
    let clock = move || {
        // Metrics are read on their own thread, which would not use the paused clock.
        let _entered = runtime.enter();
        UNIX_EPOCH + Duration::from_secs(MORNING) + begin.elapsed()
    };
    let sender = Sender::new(destination.clone(), id(), retry, queue, metrics.meter())
        .with_random(|| 0.5)
        .with_clock(clock)
        .with_storage(storage.map(|storage| Arc::new(storage.clone()) as Arc<dyn Storage>));
    Fixture {
        input: Some(input),
        run: tokio::spawn(sender.run(inbox.into(), running)),
        health,
        shutdown,
        succession,
        metrics,
    }
}

impl Fixture {
    async fn send(&self, payload: Payload) -> Delivery {
        let (ack, delivery) = Ack::new();
        let batch = Batch::new(payload, ack);
        self.input.as_ref().unwrap().send(batch).await.unwrap();
        delivery
    }

    fn status(&self) -> Status {
        self.health.watch().borrow().get(&id().to_string()).unwrap().clone()
    }

    async fn end(mut self) -> OwnMetrics {
        self.input = None;
        self.run.await.unwrap().unwrap();
        self.metrics
    }
}

fn logs(records: usize) -> Payload {
    Payload::Logs(vec![ResourceLogs {
        scope_logs: vec![ScopeLogs {
            log_records: vec![LogRecord::default(); records],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

/// Log records with these names.
fn named(names: &[&str]) -> Payload {
    let record = |name: &&str| LogRecord {
        event_name: (*name).into(),
        ..Default::default()
    };
    Payload::Logs(vec![ResourceLogs {
        scope_logs: vec![ScopeLogs {
            log_records: names.iter().map(record).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }])
}

/// The names of the log records in a request, in order.
fn names(request: &Request) -> String {
    let logs = ExportLogsServiceRequest::decode(request.body.clone()).unwrap();
    let scopes = logs.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    let records = scopes.flat_map(|scope| scope.log_records);
    records.map(|record| record.event_name).collect::<Vec<_>>().join(" ")
}

fn points(count: usize) -> Payload {
    let gauge = Gauge {
        data_points: vec![NumberDataPoint::default(); count],
    };
    Payload::Metrics(vec![ResourceMetrics {
        scope_metrics: vec![ScopeMetrics {
            metrics: vec![Metric {
                data: Some(metric::Data::Gauge(gauge)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

fn busy() -> SendOutcome {
    SendOutcome::Retry {
        after: None,
        why: "HTTP 503".into(),
    }
}

/// The default settings, but data is dropped after some minutes.
fn for_minutes(minutes: u64) -> RetrySettings {
    RetrySettings {
        max_elapsed_time: collector_config::Duration::from_secs(minutes * 60),
        ..RetrySettings::default()
    }
}

/// Lets every task run until it waits, without advancing time.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
