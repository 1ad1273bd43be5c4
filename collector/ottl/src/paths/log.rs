//! Paths of log records.

use std::borrow::Cow;

use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::slot::Slot;
use crate::convert::{hex, id};
use crate::text::any_text;
use crate::value::OttlValue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogField {
    TimeUnixNano,
    ObservedTimeUnixNano,
    Time,
    ObservedTime,
    SeverityNumber,
    SeverityText,
    Body,
    BodyString,
    Attributes,
    DroppedAttributesCount,
    Flags,
    TraceId,
    TraceIdString,
    SpanId,
    SpanIdString,
    EventName,
}

pub(super) const LOG: &[(&str, LogField)] = &[
    ("time_unix_nano", LogField::TimeUnixNano),
    ("observed_time_unix_nano", LogField::ObservedTimeUnixNano),
    ("time", LogField::Time),
    ("observed_time", LogField::ObservedTime),
    ("severity_number", LogField::SeverityNumber),
    ("severity_text", LogField::SeverityText),
    ("body", LogField::Body),
    ("body.string", LogField::BodyString),
    ("attributes", LogField::Attributes),
    ("dropped_attributes_count", LogField::DroppedAttributesCount),
    ("flags", LogField::Flags),
    ("trace_id", LogField::TraceId),
    ("trace_id.string", LogField::TraceIdString),
    ("span_id", LogField::SpanId),
    ("span_id.string", LogField::SpanIdString),
    ("event_name", LogField::EventName),
];

pub(super) fn read(field: LogField, record: &LogRecord) -> OttlValue<'_> {
    match field {
        LogField::TimeUnixNano => OttlValue::Int(record.time_unix_nano as i64),
        LogField::ObservedTimeUnixNano => OttlValue::Int(record.observed_time_unix_nano as i64),
        LogField::Time => OttlValue::Time(record.time_unix_nano as i64),
        LogField::ObservedTime => OttlValue::Time(record.observed_time_unix_nano as i64),
        LogField::SeverityNumber => OttlValue::Int(record.severity_number.into()),
        LogField::SeverityText => OttlValue::text(&record.severity_text),
        LogField::Body => OttlValue::of(record.body.as_ref()),
        LogField::BodyString => OttlValue::Text(any_text(record.body.as_ref())),
        LogField::Attributes => OttlValue::Map(Cow::Borrowed(&record.attributes)),
        LogField::DroppedAttributesCount => OttlValue::Int(record.dropped_attributes_count.into()),
        LogField::Flags => OttlValue::Int(record.flags.into()),
        LogField::TraceId => OttlValue::TraceId(id(&record.trace_id)),
        LogField::TraceIdString => OttlValue::Text(Cow::Owned(hex(&id::<16>(&record.trace_id)))),
        LogField::SpanId => OttlValue::SpanId(id(&record.span_id)),
        LogField::SpanIdString => OttlValue::Text(Cow::Owned(hex(&id::<8>(&record.span_id)))),
        LogField::EventName => OttlValue::text(&record.event_name),
    }
}

pub(super) fn slot(field: LogField, record: &mut LogRecord) -> Slot<'_> {
    match field {
        LogField::TimeUnixNano => Slot::Nanoseconds(&mut record.time_unix_nano),
        LogField::ObservedTimeUnixNano => Slot::Nanoseconds(&mut record.observed_time_unix_nano),
        LogField::Time => Slot::Time(&mut record.time_unix_nano),
        LogField::ObservedTime => Slot::Time(&mut record.observed_time_unix_nano),
        LogField::SeverityNumber => Slot::Enumeration(&mut record.severity_number),
        LogField::SeverityText => Slot::Text(&mut record.severity_text),
        LogField::Body => Slot::Any(&mut record.body),
        LogField::BodyString => Slot::AnyText(&mut record.body),
        LogField::Attributes => Slot::Map(&mut record.attributes),
        LogField::DroppedAttributesCount => Slot::Count32(&mut record.dropped_attributes_count),
        LogField::Flags => Slot::Count32(&mut record.flags),
        LogField::TraceId => Slot::TraceId(&mut record.trace_id),
        LogField::TraceIdString => Slot::HexId(&mut record.trace_id, 16),
        LogField::SpanId => Slot::SpanId(&mut record.span_id),
        LogField::SpanIdString => Slot::HexId(&mut record.span_id, 8),
        LogField::EventName => Slot::Text(&mut record.event_name),
    }
}
