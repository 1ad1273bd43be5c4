//! The state of unfinished Jobs as OTLP gauges, one resource for each owner.

use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::otlp::{nanos, owner_resource};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};

use job_tracker::OwnerState;

/// The gauges of one owner at `now`.
pub fn encode(state: &OwnerState, cluster: Option<&str>, now: Timestamp) -> ResourceMetrics {
    let counts = state.counts;
    let metrics = [
        (attr::METRIC_POD_ACTIVE, counts.active),
        (attr::METRIC_POD_FAILED, counts.failed),
        (attr::METRIC_POD_SUCCESSFUL, counts.successful),
        (attr::METRIC_POD_DESIRED_SUCCESSFUL, counts.desired_successful),
        (attr::METRIC_POD_MAX_PARALLEL, counts.max_parallel),
    ];
    let metrics = metrics.into_iter().map(|(name, value)| Metric {
        name: name.into(),
        unit: "{pod}".into(),
        data: Some(Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                time_unix_nano: nanos(now),
                value: Some(Value::AsInt(value)),
                ..Default::default()
            }],
        })),
        ..Default::default()
    });
    ResourceMetrics {
        resource: Some(owner_resource(&state.job(), cluster)),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: attr::SCOPE_NAME.into(),
                version: env!("CARGO_PKG_VERSION").into(),
                ..Default::default()
            }),
            metrics: metrics.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}
