//! The setting `dimensions`: attributes of the points of gauges. Pure.

use collector_config::Dimension;
use job_event::otlp::{find_text, text};
use job_tracker::Extracted;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

/// Adds the dimensions to each point of an owner's gauges: the labels and annotations that rules select, else attributes of the
/// resource, else the default.
pub(crate) fn add(mut metrics: ResourceMetrics, extracted: &Extracted, dimensions: &[Dimension]) -> ResourceMetrics {
    let resource = metrics
        .resource
        .as_ref()
        .map_or(&[][..], |resource| &resource.attributes);
    let values = dimensions.iter().filter_map(|Dimension { name, default }| {
        let value = extracted.get(name).or_else(|| find_text(resource, name));
        Some(text(name, value.or(default.as_deref())?))
    });
    let values: Vec<KeyValue> = values.collect();
    if values.is_empty() {
        return metrics;
    }
    for metric in metrics.scope_metrics.iter_mut().flat_map(|scope| &mut scope.metrics) {
        if let Some(Data::Gauge(gauge)) = &mut metric.data {
            for point in &mut gauge.data_points {
                point.attributes.extend_from_slice(&values);
            }
        }
    }
    metrics
}
