use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

/// The component's own metrics, read through the SDK.
pub struct OwnMetrics {
    provider: SdkMeterProvider,
    exported: Exported,
}

/// One point: metric name, sorted attributes, value (of a histogram its sum).
#[derive(Clone, Debug)]
struct Point {
    name: String,
    attributes: Vec<String>,
    value: f64,
}

#[derive(Clone, Default)]
struct Exported(Arc<Mutex<Vec<Point>>>);

impl OwnMetrics {
    /// No metrics yet.
    pub fn new() -> Self {
        let exported = Exported::default();
        // Exports only when they are read.
        let reader = PeriodicReader::builder(exported.clone()).with_interval(Duration::from_secs(1_000_000));
        OwnMetrics {
            provider: SdkMeterProvider::builder().with_reader(reader.build()).build(),
            exported,
        }
    }

    /// The meter for the component.
    pub fn meter(&self) -> Meter {
        self.provider.meter("test")
    }

    /// Every point now as `name[attribute=value, ...] value`, sorted.
    pub fn points(&self) -> Vec<String> {
        let points = self.read().into_iter();
        points
            .map(|point| format!("{}[{}] {}", point.name, point.attributes.join(", "), point.value))
            .collect()
    }

    /// The sum over all points of a metric; `None` if it has none.
    pub fn sum(&self, name: &str) -> Option<u64> {
        let points = self.read();
        let values: Vec<f64> = points
            .iter()
            .filter(|point| point.name == name)
            .map(|point| point.value)
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() as u64)
    }

    fn read(&self) -> Vec<Point> {
        self.provider.force_flush().unwrap();
        self.exported.0.lock().unwrap().clone()
    }
}

impl Default for OwnMetrics {
    fn default() -> Self {
        OwnMetrics::new()
    }
}

impl PushMetricExporter for Exported {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut points = Vec::new();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let mut add = |attributes: &mut dyn Iterator<Item = &KeyValue>, value: f64| {
                let mut attributes: Vec<String> = attributes.map(|a| format!("{}={}", a.key, a.value)).collect();
                attributes.sort();
                let name = metric.name().to_owned();
                points.push(Point {
                    name,
                    attributes,
                    value,
                });
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => sum
                    .data_points()
                    .for_each(|point| add(&mut point.attributes(), point.value() as f64)),
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => gauge
                    .data_points()
                    .for_each(|point| add(&mut point.attributes(), point.value() as f64)),
                AggregatedMetrics::F64(MetricData::Gauge(gauge)) => gauge
                    .data_points()
                    .for_each(|point| add(&mut point.attributes(), point.value())),
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram
                    .data_points()
                    .for_each(|point| add(&mut point.attributes(), point.sum())),
                other => panic!("{}: {other:?}", metric.name()),
            }
        }
        points.sort_by(|a: &Point, b| (&a.name, &a.attributes).cmp(&(&b.name, &b.attributes)));
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
