//! Series as OTLP gauges: one resource for each object, the labels of kube-state-metrics as attributes of its points.
//!
//! Source of [`PROMETHEUS_TYPE`]: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", and the
//! Collector's receiver `prometheus`, which sets it on every metric.

use job_event::attributes as attr;
use job_event::otlp::text;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::Key;
use super::families::{CRONJOB_INFO, Family, JOB_INFO};

/// The key in the metadata of a metric that has a Prometheus name; its value is the type of the family.
pub const PROMETHEUS_TYPE: &str = "prometheus.type";

/// The points of one object.
pub(super) struct Points<'a> {
    key: &'a Key,
    time: u64,
    metrics: Vec<Metric>,
}

impl<'a> Points<'a> {
    pub(super) fn new(key: &'a Key, time: u64) -> Self {
        Points {
            key,
            time,
            metrics: Vec::with_capacity(16),
        }
    }

    pub(super) fn add(&mut self, family: Family, labels: &[(&str, &str)], value: i64) {
        let mut attributes: Vec<KeyValue> = Vec::with_capacity(2 + labels.len());
        attributes.push(text("namespace", &self.key.namespace));
        attributes.push(text(
            if self.key.is_cronjob { "cronjob" } else { "job_name" },
            &self.key.name,
        ));
        attributes.extend(labels.iter().map(|(key, value)| text(key, value)));
        self.push(
            family,
            NumberDataPoint {
                attributes,
                time_unix_nano: self.time,
                value: Some(Value::AsInt(value)),
                ..Default::default()
            },
        );
    }

    /// Adds a series if it has a value.
    pub(super) fn known(&mut self, family: Family, value: Option<i64>) {
        if let Some(value) = value {
            self.add(family, &[], value);
        }
    }

    fn push(&mut self, (name, help): Family, point: NumberDataPoint) {
        let last = self.metrics.last_mut().filter(|metric| metric.name == name);
        if let Some(Data::Gauge(gauge)) = last.and_then(|metric| metric.data.as_mut()) {
            return gauge.data_points.push(point);
        }
        self.metrics.push(Metric {
            name: name.into(),
            description: help.into(),
            metadata: vec![text(PROMETHEUS_TYPE, "gauge")],
            data: Some(Data::Gauge(Gauge {
                data_points: vec![point],
            })),
            ..Default::default()
        });
    }
}

/// The metrics of an object that exists.
pub(super) fn encode(key: &Key, points: Points<'_>, cluster: Option<&str>) -> ResourceMetrics {
    let owner = if key.is_cronjob {
        attr::CRONJOB_NAME
    } else {
        attr::JOB_NAME
    };
    let cluster = cluster.map(|cluster| text(attr::CLUSTER_NAME, cluster));
    let names = [text(attr::NAMESPACE_NAME, &key.namespace), text(owner, &key.name)];
    ResourceMetrics {
        resource: Some(Resource {
            attributes: cluster.into_iter().chain(names).collect(),
            ..Default::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: attr::SCOPE_NAME.into(),
                version: env!("CARGO_PKG_VERSION").into(),
                ..Default::default()
            }),
            metrics: points.metrics,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The metrics of a deleted object: one point without a recorded value, which ends a series in OTLP.
pub(super) fn ended(key: &Key, cluster: Option<&str>, time: u64) -> ResourceMetrics {
    let mut points = Points::new(key, time);
    points.push(
        if key.is_cronjob { CRONJOB_INFO } else { JOB_INFO },
        NumberDataPoint {
            time_unix_nano: time,
            flags: DataPointFlags::NoRecordedValueMask as u32,
            ..Default::default()
        },
    );
    encode(key, points, cluster)
}
