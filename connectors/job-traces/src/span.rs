//! One span.

use jiff::Timestamp;
use job_event::otlp::{key_value, nanos, text};
use job_event::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

/// `flags`: that it is known whether the parent, or the span of a link, is remote (OTLP, `SpanFlags`).
pub(crate) const HAS_IS_REMOTE: u32 = 0x100;
/// `flags`: that it is.
pub(crate) const IS_REMOTE: u32 = 0x200;
/// `flags`: that it was sampled, as every span here is.
pub(crate) const SAMPLED: u32 = 1;

/// A span without attributes; one that would end before it starts ends as it starts.
pub(crate) fn new(
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    name: &str,
    start: Timestamp,
    end: Timestamp,
) -> Span {
    Span {
        trace_id: trace.into(),
        span_id: id.into(),
        parent_span_id: parent.map(Vec::from).unwrap_or_default(),
        flags: HAS_IS_REMOTE | SAMPLED,
        name: name.into(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: nanos(start),
        end_time_unix_nano: nanos(end.max(start)),
        ..Default::default()
    }
}

/// Adds an attribute that holds a text, unless that is empty.
pub(crate) fn set(attributes: &mut Vec<KeyValue>, key: &str, value: &str) {
    if !value.is_empty() {
        attributes.push(text(key, value));
    }
}

/// An attribute that holds a whole number.
pub(crate) fn integer(key: &str, value: i64) -> KeyValue {
    key_value(key, Value::IntValue(value))
}

/// An event of a span.
pub(crate) fn event(name: &str, time: Timestamp, attributes: Vec<KeyValue>) -> Event {
    Event {
        time_unix_nano: nanos(time),
        name: name.into(),
        attributes,
        ..Default::default()
    }
}

/// The status of a span.
pub(crate) fn status(code: StatusCode, message: &str) -> Option<Status> {
    Some(Status {
        code: code as i32,
        message: message.into(),
    })
}
