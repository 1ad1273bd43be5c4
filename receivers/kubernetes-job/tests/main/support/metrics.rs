//! Reads the receiver's own metrics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kubernetes_job_receiver::telemetry::Telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

/// Every point as `name[attribute=value, ...] value`, in order; of a histogram its sum.
#[derive(Clone, Default)]
struct Exported(Arc<Mutex<Vec<String>>>);

impl PushMetricExporter for Exported {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut points = Vec::new();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let mut push = |attributes: Vec<&KeyValue>, value: String| {
                let mut attributes: Vec<String> = attributes
                    .iter()
                    .map(|attribute| format!("{}={}", attribute.key, attribute.value))
                    .collect();
                attributes.sort();
                points.push(format!("{}[{}] {value}", metric.name(), attributes.join(", ")));
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => sum
                    .data_points()
                    .for_each(|point| push(point.attributes().collect(), point.value().to_string())),
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => gauge
                    .data_points()
                    .for_each(|point| push(point.attributes().collect(), point.value().to_string())),
                AggregatedMetrics::F64(MetricData::Gauge(gauge)) => gauge
                    .data_points()
                    .for_each(|point| push(point.attributes().collect(), point.value().to_string())),
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram
                    .data_points()
                    .for_each(|point| push(point.attributes().collect(), point.sum().to_string())),
                other => panic!("{other:?}"),
            }
        }
        points.sort();
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

/// The receiver's own metrics, to be read.
pub(crate) struct Metrics {
    provider: SdkMeterProvider,
    exported: Exported,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let exported = Exported::default();
        Metrics {
            provider: SdkMeterProvider::builder()
                .with_reader(PeriodicReader::builder(exported.clone()).build())
                .build(),
            exported,
        }
    }

    pub(crate) fn telemetry(&self) -> Telemetry {
        Telemetry::new(&self.provider.meter("test"), "k8s_job".into())
    }

    /// Every point now.
    pub(crate) fn points(&self) -> Vec<String> {
        self.provider.force_flush().unwrap();
        self.exported.0.lock().unwrap().clone()
    }
}
