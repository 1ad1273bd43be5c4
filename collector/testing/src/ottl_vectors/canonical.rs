//! OTLP data in the form of the vectors: maps by key and by index, without zeros and empty texts, doubles by their bits.

use std::fmt::Write;

use collector_data::Payload;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};

/// The fields of one message.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn of(attributes: &[KeyValue]) -> Self {
        Fields::default().set("attributes", map(attributes))
    }

    fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Zeros, empty texts and absent values are left out.
    fn add(self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if value == 0 || value == "" || value == false || value.is_null() {
            return self;
        }
        self.set(key, value)
    }

    fn times(self, start: u64, time: u64, flags: u32) -> Self {
        let fields = self.add("time_unix_nano", time).add("start_time_unix_nano", start);
        fields.add("flags", flags)
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Value {
        Value::Object(fields.0)
    }
}

pub(super) fn payload(payload: &Payload) -> Value {
    match payload {
        Payload::Logs(all) => indexed(all.iter().map(|group| {
            let scopes = group.scope_logs.iter();
            let scopes = scopes.map(|s| scope(s.scope.as_ref(), &s.schema_url, s.log_records.iter().map(record)));
            resource(group.resource.as_ref(), &group.schema_url, indexed(scopes))
        })),
        Payload::Metrics(all) => indexed(all.iter().map(|group| {
            let scopes = group.scope_metrics.iter();
            let scopes = scopes.map(|s| scope(s.scope.as_ref(), &s.schema_url, s.metrics.iter().map(metric)));
            resource(group.resource.as_ref(), &group.schema_url, indexed(scopes))
        })),
        Payload::Traces(all) => indexed(all.iter().map(|group| {
            let scopes = group.scope_spans.iter();
            let scopes = scopes.map(|s| scope(s.scope.as_ref(), &s.schema_url, s.spans.iter().map(span)));
            resource(group.resource.as_ref(), &group.schema_url, indexed(scopes))
        })),
    }
}

fn indexed(values: impl Iterator<Item = Value>) -> Value {
    let fields = values.enumerate().map(|(index, value)| (index.to_string(), value));
    Value::Object(fields.collect())
}

fn resource(resource: Option<&Resource>, schema_url: &str, scopes: Value) -> Value {
    let resource = resource.cloned().unwrap_or_default();
    let fields = Fields::of(&resource.attributes)
        .add("dropped_attributes_count", resource.dropped_attributes_count)
        .add("schema_url", schema_url);
    json!({"resource": Value::from(fields), "scopes": scopes})
}

fn scope(scope: Option<&InstrumentationScope>, schema_url: &str, items: impl Iterator<Item = Value>) -> Value {
    let scope = scope.cloned().unwrap_or_default();
    let fields = Fields::of(&scope.attributes)
        .add("name", scope.name)
        .add("version", scope.version)
        .add("dropped_attributes_count", scope.dropped_attributes_count)
        .add("schema_url", schema_url);
    json!({"scope": Value::from(fields), "items": indexed(items)})
}

fn record(record: &LogRecord) -> Value {
    let fields = Fields::of(&record.attributes)
        .add("time_unix_nano", record.time_unix_nano)
        .add("observed_time_unix_nano", record.observed_time_unix_nano)
        .add("severity_number", record.severity_number)
        .add("severity_text", record.severity_text.as_str())
        .set("body", any(record.body.as_ref()))
        .add("flags", record.flags)
        .add("dropped_attributes_count", record.dropped_attributes_count)
        .add("trace_id", id(&record.trace_id))
        .add("span_id", id(&record.span_id))
        .add("event_name", record.event_name.as_str());
    fields.into()
}

fn span(span: &Span) -> Value {
    let status = span.status.clone().unwrap_or_default();
    let events = span.events.iter().map(|event| {
        let fields = Fields::of(&event.attributes).add("name", event.name.as_str());
        fields.add("time_unix_nano", event.time_unix_nano).into()
    });
    let fields = Fields::of(&span.attributes)
        .add("name", span.name.as_str())
        .add("kind", span.kind)
        .add("trace_id", id(&span.trace_id))
        .add("span_id", id(&span.span_id))
        .add("parent_span_id", id(&span.parent_span_id))
        .add("trace_state", span.trace_state.as_str())
        .add("start_time_unix_nano", span.start_time_unix_nano)
        .add("end_time_unix_nano", span.end_time_unix_nano)
        .add("status_code", status.code)
        .add("status_message", status.message)
        .add("flags", span.flags)
        .add("dropped_attributes_count", span.dropped_attributes_count)
        .add("dropped_events_count", span.dropped_events_count)
        .add("dropped_links_count", span.dropped_links_count)
        .set("events", indexed(events))
        .add("links", span.links.len());
    fields.into()
}

fn metric(metric: &Metric) -> Value {
    let mut fields = Fields::default()
        .add("name", metric.name.as_str())
        .add("description", metric.description.as_str())
        .add("unit", metric.unit.as_str());
    if !metric.metadata.is_empty() {
        fields = fields.set("metadata", map(&metric.metadata));
    }
    let (kind, temporality, is_monotonic, points) = match &metric.data {
        None => ("", 0, false, json!({})),
        Some(Data::Gauge(data)) => ("gauge", 0, false, indexed(data.data_points.iter().map(number))),
        Some(Data::Sum(data)) => {
            let points = indexed(data.data_points.iter().map(number));
            ("sum", data.aggregation_temporality, data.is_monotonic, points)
        }
        Some(Data::Histogram(data)) => {
            let points = indexed(data.data_points.iter().map(histogram));
            ("histogram", data.aggregation_temporality, false, points)
        }
        Some(Data::ExponentialHistogram(data)) => {
            let points = indexed(data.data_points.iter().map(exponential));
            ("exponential_histogram", data.aggregation_temporality, false, points)
        }
        Some(Data::Summary(data)) => ("summary", 0, false, indexed(data.data_points.iter().map(summary))),
    };
    let fields = fields.add("type", kind).add("temporality", temporality);
    fields.add("is_monotonic", is_monotonic).set("points", points).into()
}

fn number(point: &NumberDataPoint) -> Value {
    let value = match point.value {
        Some(number_data_point::Value::AsInt(value)) => json!(value),
        Some(number_data_point::Value::AsDouble(value)) => json!({"double": double(value)}),
        None => Value::Null,
    };
    let fields = Fields::of(&point.attributes).times(point.start_time_unix_nano, point.time_unix_nano, point.flags);
    match value {
        Value::Null => fields.into(),
        value => fields.set("value", value).into(),
    }
}

fn histogram(point: &HistogramDataPoint) -> Value {
    Fields::of(&point.attributes)
        .times(point.start_time_unix_nano, point.time_unix_nano, point.flags)
        .add("count", point.count)
        .add("sum", point.sum.map(double))
        .add("min", point.min.map(double))
        .add("max", point.max.map(double))
        .set(
            "bounds",
            point.explicit_bounds.iter().copied().map(double).collect::<Vec<_>>(),
        )
        .set("counts", point.bucket_counts.clone())
        .into()
}

fn exponential(point: &ExponentialHistogramDataPoint) -> Value {
    let (positive, negative) = (
        point.positive.clone().unwrap_or_default(),
        point.negative.clone().unwrap_or_default(),
    );
    Fields::of(&point.attributes)
        .times(point.start_time_unix_nano, point.time_unix_nano, point.flags)
        .add("count", point.count)
        .add("zero_count", point.zero_count)
        .add("scale", point.scale)
        .add("sum", point.sum.map(double))
        .add("min", point.min.map(double))
        .add("max", point.max.map(double))
        .add("positive_offset", positive.offset)
        .set("positive", positive.bucket_counts)
        .add("negative_offset", negative.offset)
        .set("negative", negative.bucket_counts)
        .into()
}

fn summary(point: &SummaryDataPoint) -> Value {
    Fields::of(&point.attributes)
        .times(point.start_time_unix_nano, point.time_unix_nano, point.flags)
        .add("count", point.count)
        .set("sum", double(point.sum))
        .into()
}

fn any(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!({"double": double(*value)}),
        Some(Any::BytesValue(bytes)) => json!({"bytes": hexadecimal(bytes)}),
        Some(Any::ArrayValue(list)) => list.values.iter().map(|value| any(Some(value))).collect(),
        Some(Any::KvlistValue(entries)) => json!({"map": map(&entries.values)}),
        _ => json!({"empty": true}),
    }
}

fn map(attributes: &[KeyValue]) -> Value {
    let fields = attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), any(attribute.value.as_ref())));
    Value::Object(fields.collect())
}

/// Bits keep NaN and -0 apart and need no agreement on how numbers are printed.
fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    format!("{:016x}", value.to_bits())
}

/// Zeros are an absent id.
fn id(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| *byte == 0) {
        return String::new();
    }
    hexadecimal(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
