//! A whole event from its record.

use jiff::Timestamp;
use job_event::any_value::from_any_value;
use job_event::attributes as attr;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value};

use super::read::text;
use crate::views::{EventKind, Listed, WholeEvent};

pub(super) fn event(mut listed: Listed, resource: Option<Resource>, record: LogRecord) -> WholeEvent {
    if let Some(Any::StringValue(sentence)) = record.body.and_then(|body| body.value) {
        listed.summary = sentence.into();
    }
    let (message, next_step) = match listed.event {
        EventKind::Missed => (attr::MISSED_MESSAGE, ""),
        EventKind::Finished => (attr::FAILURE_MESSAGE, attr::FAILURE_NEXT_STEP),
        EventKind::Stalled | EventKind::Recovered => ("", attr::STALL_NEXT_STEP),
    };
    let own = |key: &str| text(&record.attributes, key).map(str::to_owned);
    let (message, next_step) = (own(message), own(next_step));
    let decision_time = own(attr::DECISION_TIME).and_then(|time| time.parse::<Timestamp>().ok());
    let mut attributes = map(&record.attributes);
    let evidence = attributes.remove(attr::EVIDENCE).filter(Value::is_object);
    let attempts = match attributes.remove(attr::ATTEMPTS) {
        Some(Value::Array(attempts)) => attempts,
        _ => Vec::new(),
    };
    WholeEvent {
        listed,
        message,
        next_step,
        decision_time,
        attempts,
        evidence,
        attributes,
        resource: resource.map(|resource| map(&resource.attributes)).unwrap_or_default(),
    }
}

/// Attributes by name; a repeated name has its first value.
fn map(attributes: &[KeyValue]) -> Map<String, Value> {
    let pairs = attributes.iter().rev();
    pairs
        .map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Value::Null, json)))
        .collect()
}

fn json(value: &AnyValue) -> Value {
    from_any_value(value).unwrap_or_default()
}
