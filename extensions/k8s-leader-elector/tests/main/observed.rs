//! The extension's log lines and metrics.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use tracing::subscriber::DefaultGuard;

/// The log of this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures until the guard is dropped.
    pub(crate) fn capture() -> (Log, DefaultGuard) {
        let log = Log::default();
        let writer = log.clone();
        // With a second dispatcher, a thread without a subscriber that logs first does not disable the event for all.
        let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines of this level.
    pub(crate) fn lines(&self, level: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(level));
        // Quotes in fields are escaped.
        lines.map(|line| line.replace("\\\"", "\"")).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Exported(Arc<Mutex<Vec<String>>>);

impl PushMetricExporter for Exported {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut points = Vec::new();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let AggregatedMetrics::U64(MetricData::Gauge(gauge)) = metric.data() else {
                panic!("{metric:?}")
            };
            for point in gauge.data_points() {
                let attributes = point.attributes();
                let attributes: Vec<_> = attributes.map(|one| format!("{}={}", one.key, one.value)).collect();
                points.push(format!(
                    "{}[{}] {}",
                    metric.name(),
                    attributes.join(", "),
                    point.value()
                ));
            }
        }
        *self.0.lock().unwrap() = points;
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// Gauges that a test reads.
pub(crate) struct Metrics {
    provider: SdkMeterProvider,
    exported: Exported,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let exported = Exported::default();
        // Far longer than any test: only `points` exports.
        let reader = PeriodicReader::builder(exported.clone())
            .with_interval(Duration::from_secs(86_400))
            .build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Metrics { provider, exported }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.provider.meter("test")
    }

    /// Every point as `name[attribute=value] value`.
    pub(crate) fn points(&self) -> Vec<String> {
        self.provider.force_flush().unwrap();
        self.exported.0.lock().unwrap().clone()
    }
}
