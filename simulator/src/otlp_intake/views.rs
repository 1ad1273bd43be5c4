//! Flat views of what came in, for assertions and for showing.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::received::Payload;
use super::tags;

/// Whether a point holds what happened since the last one, or since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Not stated.
    Unspecified,
    /// Since the last point.
    Delta,
    /// Since the start.
    Cumulative,
}

impl Temporality {
    fn of(raw: i32) -> Temporality {
        match AggregationTemporality::try_from(raw) {
            Ok(AggregationTemporality::Delta) => Temporality::Delta,
            Ok(AggregationTemporality::Cumulative) => Temporality::Cumulative,
            Ok(AggregationTemporality::Unspecified) | Err(_) => Temporality::Unspecified,
        }
    }
}

/// What a point says.
#[derive(Clone, Debug, PartialEq)]
pub enum PointValue {
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A histogram of either kind, or a summary.
    Distribution {
        /// How many values.
        count: u64,
        /// Their sum, where given.
        sum: Option<f64>,
    },
    /// No value.
    None,
}

/// One metric point with what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The resource's attributes; values that are not strings as JSON.
    pub resource: BTreeMap<String, String>,
    /// The point's attributes; values that are not strings as JSON.
    pub attributes: BTreeMap<String, String>,
    /// The value.
    pub value: PointValue,
    /// The start of the interval, in nanoseconds since 1970; 0: not given.
    pub start_unix_nano: u64,
    /// The end of the interval, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// For sums and histograms.
    pub temporality: Option<Temporality>,
}

impl Point {
    /// The tags that Datadog makes of it.
    pub fn tags(&self) -> BTreeSet<String> {
        tags::of_point(&self.resource, &self.attributes)
    }
}

/// One log record with what it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The event's name, empty for a plain log record.
    pub event_name: String,
    /// The severity's text.
    pub severity: String,
    /// The body; null if there is none.
    pub body: serde_json::Value,
    /// The resource's attributes.
    pub resource: BTreeMap<String, serde_json::Value>,
    /// The record's attributes.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// When it happened, in nanoseconds since 1970.
    pub time_unix_nano: u64,
}

impl Record {
    /// The tags that Datadog makes of its resource; its attributes stay attributes.
    pub fn tags(&self) -> BTreeSet<String> {
        let texts = self
            .resource
            .iter()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        tags::of_resource(texts)
    }
}

impl Payload {
    /// The metric points, one by one; none unless it holds metrics.
    pub fn points(&self) -> Vec<Point> {
        let Payload::Metrics(request) = self else {
            return Vec::new();
        };
        let mut points = Vec::new();
        for resource_metrics in &request.resource_metrics {
            let resource = texts(attributes_of(resource_metrics.resource.as_ref()));
            for metric in resource_metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                let mut push = |attributes: &[KeyValue], value, start: u64, time: u64, temporality: Option<i32>| {
                    points.push(Point {
                        metric: metric.name.clone(),
                        unit: metric.unit.clone(),
                        resource: resource.clone(),
                        attributes: texts(attributes),
                        value,
                        start_unix_nano: start,
                        time_unix_nano: time,
                        temporality: temporality.map(Temporality::of),
                    });
                };
                match &metric.data {
                    Some(Data::Gauge(gauge)) => gauge.data_points.iter().for_each(|p| {
                        push(&p.attributes, number(p), p.start_time_unix_nano, p.time_unix_nano, None);
                    }),
                    Some(Data::Sum(sum)) => sum.data_points.iter().for_each(|p| {
                        let kind = Some(sum.aggregation_temporality);
                        push(&p.attributes, number(p), p.start_time_unix_nano, p.time_unix_nano, kind);
                    }),
                    Some(Data::Histogram(histogram)) => histogram.data_points.iter().for_each(|p| {
                        let value = distribution(p.count, p.sum);
                        let kind = Some(histogram.aggregation_temporality);
                        push(&p.attributes, value, p.start_time_unix_nano, p.time_unix_nano, kind);
                    }),
                    Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.iter().for_each(|p| {
                        let value = distribution(p.count, p.sum);
                        let kind = Some(histogram.aggregation_temporality);
                        push(&p.attributes, value, p.start_time_unix_nano, p.time_unix_nano, kind);
                    }),
                    Some(Data::Summary(summary)) => summary.data_points.iter().for_each(|p| {
                        let value = distribution(p.count, Some(p.sum));
                        push(&p.attributes, value, p.start_time_unix_nano, p.time_unix_nano, None);
                    }),
                    None => {}
                }
            }
        }
        points
    }

    /// The log records, one by one; none unless it holds logs.
    pub fn records(&self) -> Vec<Record> {
        let Payload::Logs(request) = self else {
            return Vec::new();
        };
        let mut records = Vec::new();
        for resource_logs in &request.resource_logs {
            let resource = values(attributes_of(resource_logs.resource.as_ref()));
            for record in resource_logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                records.push(Record {
                    event_name: record.event_name.clone(),
                    severity: record.severity_text.clone(),
                    body: record.body.as_ref().map_or(serde_json::Value::Null, any_value_to_json),
                    resource: resource.clone(),
                    attributes: values(&record.attributes),
                    time_unix_nano: record.time_unix_nano,
                });
            }
        }
        records
    }
}

fn number(point: &NumberDataPoint) -> PointValue {
    match point.value {
        Some(number_data_point::Value::AsInt(value)) => PointValue::Int(value),
        Some(number_data_point::Value::AsDouble(value)) => PointValue::Double(value),
        None => PointValue::None,
    }
}

fn distribution(count: u64, sum: Option<f64>) -> PointValue {
    PointValue::Distribution { count, sum }
}

fn attributes_of(resource: Option<&Resource>) -> &[KeyValue] {
    resource.map_or(&[], |resource| &resource.attributes)
}

fn values(attributes: &[KeyValue]) -> BTreeMap<String, serde_json::Value> {
    let value = |pair: &KeyValue| pair.value.as_ref().map_or(serde_json::Value::Null, any_value_to_json);
    attributes.iter().map(|pair| (pair.key.clone(), value(pair))).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    values(attributes)
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect()
}

/// An OTLP value as plain JSON: `"x"`, not `{"stringValue":"x"}`. Bytes become a list of numbers.
pub fn any_value_to_json(value: &AnyValue) -> serde_json::Value {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone().into(),
        Some(Value::BoolValue(value)) => (*value).into(),
        Some(Value::IntValue(value)) => (*value).into(),
        Some(Value::DoubleValue(value)) => (*value).into(),
        Some(Value::BytesValue(bytes)) => bytes.clone().into(),
        Some(Value::ArrayValue(array)) => array.values.iter().map(any_value_to_json).collect(),
        Some(Value::KvlistValue(list)) => values(&list.values).into_iter().collect(),
        _ => serde_json::Value::Null,
    }
}
