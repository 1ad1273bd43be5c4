//! OTLP metrics, shortly written.

use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus_text::{Format, Options, gather, write};

pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let pair = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).into(),
        value: Some(Any {
            value: Some(AnyValue::StringValue((*value).into())),
        }),
        ..Default::default()
    };
    pairs.iter().map(pair).collect()
}

pub(crate) fn point(pairs: &[(&str, &str)], value: i64, start: u64, time: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(pairs),
        start_time_unix_nano: start * 1_000_000_000,
        time_unix_nano: time * 1_000_000_000,
        value: Some(Value::AsInt(value)),
        ..Default::default()
    }
}

pub(crate) fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.into(),
        unit: unit.into(),
        description: format!("What {name} is."),
        data: Some(data),
        ..Default::default()
    }
}

pub(crate) fn sum(points: Vec<NumberDataPoint>, temporality: AggregationTemporality) -> Data {
    Data::Sum(Sum {
        data_points: points,
        aggregation_temporality: temporality as i32,
        is_monotonic: true,
    })
}

pub(crate) fn counter(name: &str, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, "{job}", sum(points, AggregationTemporality::Cumulative))
}

pub(crate) fn gauge(name: &str, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, "", Data::Gauge(Gauge { data_points: points }))
}

pub(crate) fn of(resource: &[(&str, &str)], scope: &str, metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(Resource {
            attributes: attributes(resource),
            ..Default::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: scope.into(),
                ..Default::default()
            }),
            metrics,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The text for metrics, and the problems of metrics that were dropped.
pub(crate) fn text(metrics: &[ResourceMetrics], options: &Options, format: Format) -> (String, Vec<String>) {
    let gathered = gather(metrics, options);
    let mut text = String::new();
    write(&mut text, &gathered.families, format, false);
    (text, gathered.problems)
}

/// The lines that are samples.
pub(crate) fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}
