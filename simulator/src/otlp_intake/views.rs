//! Flat views of received data, for assertions and for display.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
/// The aggregation temporality of a sum or a histogram.
pub use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality as Temporality;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::received::ReceivedData;
use super::tags;

/// The value of a point.
#[derive(Clone, Debug, PartialEq)]
pub enum PointValue {
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A histogram of either kind, or a summary.
    Distribution {
        /// The number of values.
        count: u64,
        /// The sum of the values, if present.
        sum: Option<f64>,
    },
    /// No value.
    None,
}

/// One metric point with its metric and resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedPoint {
    /// The name of the metric.
    pub metric: String,
    /// The attributes of the resource; values other than strings as JSON.
    pub resource: BTreeMap<String, String>,
    /// The attributes of the point; values other than strings as JSON.
    pub attributes: BTreeMap<String, String>,
    /// The value of the point.
    pub value: PointValue,
    /// The start of the interval, in nanoseconds since 1970; 0 if not set.
    pub start_unix_nano: u64,
    /// The end of the interval, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// The temporality of a sum or a histogram.
    pub temporality: Option<Temporality>,
}

impl ReceivedPoint {
    /// The tags of the point in Datadog.
    pub fn tags(&self) -> BTreeSet<String> {
        tags::of_point(&self.resource, &self.attributes)
    }
}

/// One log record with its resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedRecord {
    /// The name of the event; empty for a plain log record.
    pub event_name: String,
    /// The body; null if absent.
    pub body: serde_json::Value,
    /// The attributes of the resource.
    pub resource: BTreeMap<String, serde_json::Value>,
    /// The attributes of the record.
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// The time of the record, in nanoseconds since 1970.
    pub time_unix_nano: u64,
}

impl ReceivedRecord {
    /// The tags of the record in Datadog: those of its resource, and those in its attribute `ddtags`. Other attributes stay
    /// attributes.
    pub fn tags(&self) -> BTreeSet<String> {
        let texts = self
            .resource
            .iter()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        let mut all = tags::of_resource(texts);
        let own = self.attributes.get("ddtags").and_then(|own| own.as_str());
        all.extend(own.into_iter().flat_map(tags::in_list));
        all
    }
}

impl ReceivedData {
    /// The metric points; none unless the payload has metrics.
    pub fn points(&self) -> Vec<ReceivedPoint> {
        let ReceivedData::Metrics(request) = self else {
            return Vec::new();
        };
        let mut points = Vec::new();
        for resource_metrics in &request.resource_metrics {
            let resource = texts(attributes_of(resource_metrics.resource.as_ref()));
            for metric in resource_metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                let template = ReceivedPoint {
                    metric: metric.name.clone(),
                    resource: resource.clone(),
                    attributes: BTreeMap::new(),
                    value: PointValue::None,
                    start_unix_nano: 0,
                    time_unix_nano: 0,
                    temporality: None,
                };
                add_points(&template, metric.data.as_ref(), &mut points);
            }
        }
        points
    }

    /// The log records; none unless the payload has logs.
    pub fn records(&self) -> Vec<ReceivedRecord> {
        let ReceivedData::Logs(request) = self else {
            return Vec::new();
        };
        let mut records = Vec::new();
        for resource_logs in &request.resource_logs {
            let resource = values(attributes_of(resource_logs.resource.as_ref()));
            for record in resource_logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                records.push(ReceivedRecord {
                    event_name: record.event_name.clone(),
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

fn add_points(template: &ReceivedPoint, data: Option<&Data>, points: &mut Vec<ReceivedPoint>) {
    let mut add = |attributes: &[KeyValue], value, (start, time): (u64, u64), temporality: Option<i32>| {
        points.push(ReceivedPoint {
            attributes: texts(attributes),
            value,
            start_unix_nano: start,
            time_unix_nano: time,
            temporality: temporality.map(|raw| Temporality::try_from(raw).unwrap_or_default()),
            ..template.clone()
        });
    };
    let mut numbers = |data_points: &[NumberDataPoint], temporality| {
        for p in data_points {
            let value = match p.value {
                Some(number_data_point::Value::AsInt(value)) => PointValue::Int(value),
                Some(number_data_point::Value::AsDouble(value)) => PointValue::Double(value),
                None => PointValue::None,
            };
            add(
                &p.attributes,
                value,
                (p.start_time_unix_nano, p.time_unix_nano),
                temporality,
            );
        }
    };
    let distribution = |count, sum| PointValue::Distribution { count, sum };
    match data {
        Some(Data::Gauge(data)) => numbers(&data.data_points, None),
        Some(Data::Sum(data)) => numbers(&data.data_points, Some(data.aggregation_temporality)),
        Some(Data::Histogram(data)) => data.data_points.iter().for_each(|p| {
            let times = (p.start_time_unix_nano, p.time_unix_nano);
            add(
                &p.attributes,
                distribution(p.count, p.sum),
                times,
                Some(data.aggregation_temporality),
            );
        }),
        Some(Data::ExponentialHistogram(data)) => data.data_points.iter().for_each(|p| {
            let times = (p.start_time_unix_nano, p.time_unix_nano);
            add(
                &p.attributes,
                distribution(p.count, p.sum),
                times,
                Some(data.aggregation_temporality),
            );
        }),
        Some(Data::Summary(data)) => data.data_points.iter().for_each(|p| {
            let times = (p.start_time_unix_nano, p.time_unix_nano);
            add(&p.attributes, distribution(p.count, Some(p.sum)), times, None);
        }),
        None => {}
    }
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
fn any_value_to_json(value: &AnyValue) -> serde_json::Value {
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
