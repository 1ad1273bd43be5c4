//! The exporter, made from YAML and running, and the data that it sends.

pub(crate) mod peer;
pub(crate) mod tls;

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError};

use collector_config::ComponentId;
use collector_config::Settings;
use collector_data::{Ack, Batch, Delivery, Outcome, Payload};
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::storage::Provided;
use collector_runtime::{ComponentError, Exporter};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use simulator::otlp_intake::OtlpIntake;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The key, which must appear in the header only.
pub(crate) const KEY: &str = "0123456789abcdef-hunter2";

/// Retries without delay, and none where the backend refuses everything.
pub(crate) const QUICK: &str = "retry_on_failure: {initial_interval: 1ms, max_interval: 1ms, misconfigured: false}";

pub(crate) fn id() -> ComponentId {
    ComponentId {
        type_name: "otlp_http".into(),
        name: None,
    }
}

/// Makes `otlp_http`.
pub(crate) fn create(yaml: &str) -> Result<Box<dyn Exporter>, String> {
    create_with(yaml, &Provided::new())
}

/// The same, with extensions.
pub(crate) fn create_with(yaml: &str, provided: &Provided) -> Result<Box<dyn Exporter>, String> {
    create_of(&otlp_exporter::http::factory(), yaml, provided)
}

/// Makes an exporter.
pub(crate) fn create_of(
    factory: &Factory<dyn Exporter>,
    yaml: &str,
    provided: &Provided,
) -> Result<Box<dyn Exporter>, String> {
    let settings = Settings::from_yaml(yaml).map_err(|errors| errors.to_string())?;
    let meter = NoopMeterProvider::new().meter("test");
    let create = Create {
        id: &id(),
        settings: &settings,
        meter: &meter,
        health: &Health::new(),
        provided,
    };
    (factory.create)(&create).map_err(|errors| errors.to_string())
}

/// The two exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Grpc,
}

impl Transport {
    pub(crate) const BOTH: [Transport; 2] = [Transport::Http, Transport::Grpc];

    pub(crate) fn factory(self) -> Factory<dyn Exporter> {
        match self {
            Transport::Http => otlp_exporter::http::factory(),
            Transport::Grpc => otlp_exporter::grpc::factory(),
        }
    }
}

/// An intake that requires [`KEY`].
pub(crate) async fn intake() -> OtlpIntake {
    OtlpIntake::start(Some(KEY.into())).await.unwrap()
}

/// A running exporter.
pub(crate) struct Exporting {
    input: mpsc::Sender<Batch>,
    run: JoinHandle<Result<(), ComponentError>>,
    health: Health,
}

/// Runs `otlp_http`.
pub(crate) async fn start(yaml: &str) -> Exporting {
    start_with(yaml, &Provided::new()).await
}

/// The same, with extensions.
pub(crate) async fn start_with(yaml: &str, provided: &Provided) -> Exporting {
    run(create_with(yaml, provided).unwrap()).await
}

/// Runs an exporter.
pub(crate) async fn start_of(factory: &Factory<dyn Exporter>, yaml: &str) -> Exporting {
    run(create_of(factory, yaml, &Provided::new()).unwrap()).await
}

/// The same, with extensions.
pub(crate) async fn start_of_with(factory: &Factory<dyn Exporter>, yaml: &str, provided: &Provided) -> Exporting {
    run(create_of(factory, yaml, provided).unwrap()).await
}

async fn run(mut exporter: Box<dyn Exporter>) -> Exporting {
    exporter.start().await.unwrap();
    let (input, inbox) = mpsc::channel(8);
    let health = Health::new();
    let running = Running {
        shutdown: CancellationToken::new(),
        health: health.reporter(id()),
        succession: Default::default(),
    };
    running.health.report(Status::Ok);
    let run = tokio::spawn(exporter.run(inbox.into(), running));
    Exporting { input, run, health }
}

impl Exporting {
    pub(crate) async fn put(&self, payload: Payload) -> Delivery {
        let (ack, delivery) = Ack::new();
        self.input.send(Batch::new(payload, ack)).await.unwrap();
        delivery
    }

    pub(crate) async fn send(&self, payload: Payload) -> Outcome {
        self.put(payload).await.await
    }

    pub(crate) fn status(&self) -> Status {
        self.health.watch().borrow()[&id().to_string()].clone()
    }

    /// Waits until the exporter reports an error, and returns it.
    pub(crate) async fn failing(&self) -> String {
        self.failing_because("").await
    }

    /// Waits until the exporter reports an error with these words, and returns it.
    pub(crate) async fn failing_because(&self, words: &str) -> String {
        let mut statuses = self.health.watch();
        let failing = |status: &Status| matches!(status, Status::RecoverableError(why) if why.contains(words));
        let statuses = statuses
            .wait_for(|statuses| failing(&statuses[&id().to_string()]))
            .await
            .unwrap();
        match &statuses[&id().to_string()] {
            Status::RecoverableError(why) => why.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Stops the exporter as a crash does.
    pub(crate) async fn kill(self) {
        self.run.abort();
        assert!(self.run.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn end(self) {
        drop(self.input);
        self.run.await.unwrap().unwrap();
    }
}

pub(crate) fn logs(names: &[&str]) -> Payload {
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

pub(crate) fn sum(temporality: AggregationTemporality, value: i64) -> Payload {
    let point = NumberDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    };
    Payload::Metrics(vec![ResourceMetrics {
        scope_metrics: vec![ScopeMetrics {
            metrics: vec![Metric {
                name: "k8s.job.failures".into(),
                data: Some(metric::Data::Sum(Sum {
                    data_points: vec![point],
                    aggregation_temporality: temporality as i32,
                    is_monotonic: true,
                })),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

pub(crate) fn span() -> Payload {
    Payload::Traces(vec![ResourceSpans {
        scope_spans: vec![ScopeSpans {
            spans: vec![Span::default()],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

/// The log of this thread, at every level.
#[derive(Clone, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static CAPTURED: RefCell<Option<CapturedLog>> = const { RefCell::new(None) };
}

/// Ends a capture when it is dropped.
pub(crate) struct Capture(());

impl Drop for Capture {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

/// Writes to the log that the thread captures, if any.
struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.with_borrow_mut(|log| log.as_mut().map_or(Ok(bytes.len()), |log| log.write(bytes)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CapturedLog {
    /// Captures until the guard is dropped. One subscriber serves all tests: with one for each, an event that another thread
    /// logs for the first time may be disabled everywhere.
    pub(crate) fn capture() -> (CapturedLog, Capture) {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(|| LogWriter)
                .init();
        });
        let log = CapturedLog::default();
        CAPTURED.set(Some(log.clone()));
        (log, Capture(()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
