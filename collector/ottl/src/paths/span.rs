//! Paths of spans.

use std::borrow::Cow;

use opentelemetry_proto::tonic::trace::v1::Span;

use super::slot::Slot;
use crate::convert::{hex, id};
use crate::value::OttlValue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanField {
    TraceId,
    TraceIdString,
    SpanId,
    SpanIdString,
    ParentSpanId,
    ParentSpanIdString,
    TraceState,
    Name,
    Kind,
    KindString,
    KindDeprecatedString,
    StartTimeUnixNano,
    EndTimeUnixNano,
    StartTime,
    EndTime,
    Attributes,
    DroppedAttributesCount,
    Events,
    DroppedEventsCount,
    Links,
    DroppedLinksCount,
    Status,
    StatusCode,
    StatusMessage,
    Flags,
}

pub(super) const SPAN: &[(&str, SpanField)] = &[
    ("trace_id", SpanField::TraceId),
    ("trace_id.string", SpanField::TraceIdString),
    ("span_id", SpanField::SpanId),
    ("span_id.string", SpanField::SpanIdString),
    ("parent_span_id", SpanField::ParentSpanId),
    ("parent_span_id.string", SpanField::ParentSpanIdString),
    ("trace_state", SpanField::TraceState),
    ("name", SpanField::Name),
    ("kind", SpanField::Kind),
    ("kind.string", SpanField::KindString),
    ("kind.deprecated_string", SpanField::KindDeprecatedString),
    ("start_time_unix_nano", SpanField::StartTimeUnixNano),
    ("end_time_unix_nano", SpanField::EndTimeUnixNano),
    ("start_time", SpanField::StartTime),
    ("end_time", SpanField::EndTime),
    ("attributes", SpanField::Attributes),
    ("dropped_attributes_count", SpanField::DroppedAttributesCount),
    ("events", SpanField::Events),
    ("dropped_events_count", SpanField::DroppedEventsCount),
    ("links", SpanField::Links),
    ("dropped_links_count", SpanField::DroppedLinksCount),
    ("status", SpanField::Status),
    ("status.code", SpanField::StatusCode),
    ("status.message", SpanField::StatusMessage),
    ("flags", SpanField::Flags),
];

/// The kinds in the order of their numbers: as `kind.string` and as `kind.deprecated_string`.
pub(super) const KINDS: [(&str, &str); 6] = [
    ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
    ("Internal", "SPAN_KIND_INTERNAL"),
    ("Server", "SPAN_KIND_SERVER"),
    ("Client", "SPAN_KIND_CLIENT"),
    ("Producer", "SPAN_KIND_PRODUCER"),
    ("Consumer", "SPAN_KIND_CONSUMER"),
];

fn kind(span: &Span) -> (&'static str, &'static str) {
    usize::try_from(span.kind)
        .ok()
        .and_then(|kind| KINDS.get(kind))
        .copied()
        .unwrap_or_default()
}

pub(super) fn read(field: SpanField, span: &Span) -> OttlValue<'_> {
    match field {
        SpanField::TraceId => OttlValue::TraceId(id(&span.trace_id)),
        SpanField::TraceIdString => OttlValue::Text(Cow::Owned(hex(&id::<16>(&span.trace_id)))),
        SpanField::SpanId => OttlValue::SpanId(id(&span.span_id)),
        SpanField::SpanIdString => OttlValue::Text(Cow::Owned(hex(&id::<8>(&span.span_id)))),
        SpanField::ParentSpanId => OttlValue::SpanId(id(&span.parent_span_id)),
        SpanField::ParentSpanIdString => OttlValue::Text(Cow::Owned(hex(&id::<8>(&span.parent_span_id)))),
        SpanField::TraceState => OttlValue::text(&span.trace_state),
        SpanField::Name => OttlValue::text(&span.name),
        SpanField::Kind => OttlValue::Int(span.kind.into()),
        SpanField::KindString => OttlValue::text(kind(span).0),
        SpanField::KindDeprecatedString => OttlValue::text(kind(span).1),
        SpanField::StartTimeUnixNano => OttlValue::Int(span.start_time_unix_nano as i64),
        SpanField::EndTimeUnixNano => OttlValue::Int(span.end_time_unix_nano as i64),
        SpanField::StartTime => OttlValue::Time(span.start_time_unix_nano as i64),
        SpanField::EndTime => OttlValue::Time(span.end_time_unix_nano as i64),
        SpanField::Attributes => OttlValue::Map(Cow::Borrowed(&span.attributes)),
        SpanField::DroppedAttributesCount => OttlValue::Int(span.dropped_attributes_count.into()),
        SpanField::Events => OttlValue::Messages {
            length: span.events.len(),
            is_list: true,
        },
        SpanField::DroppedEventsCount => OttlValue::Int(span.dropped_events_count.into()),
        SpanField::Links => OttlValue::Messages {
            length: span.links.len(),
            is_list: true,
        },
        SpanField::DroppedLinksCount => OttlValue::Int(span.dropped_links_count.into()),
        SpanField::Status => OttlValue::Messages {
            length: 0,
            is_list: false,
        },
        SpanField::StatusCode => OttlValue::Int(span.status.as_ref().map_or(0, |status| status.code.into())),
        SpanField::StatusMessage => OttlValue::text(span.status.as_ref().map_or("", |status| &status.message)),
        SpanField::Flags => OttlValue::Int(span.flags.into()),
    }
}

pub(super) fn slot(field: SpanField, span: &mut Span) -> Slot<'_> {
    match field {
        SpanField::TraceId => Slot::TraceId(&mut span.trace_id),
        SpanField::TraceIdString => Slot::HexId(&mut span.trace_id, 16),
        SpanField::SpanId => Slot::SpanId(&mut span.span_id),
        SpanField::SpanIdString => Slot::HexId(&mut span.span_id, 8),
        SpanField::ParentSpanId => Slot::SpanId(&mut span.parent_span_id),
        SpanField::ParentSpanIdString => Slot::HexId(&mut span.parent_span_id, 8),
        SpanField::TraceState => Slot::Text(&mut span.trace_state),
        SpanField::Name => Slot::Text(&mut span.name),
        SpanField::Kind => Slot::Enumeration(&mut span.kind),
        SpanField::KindString => Slot::KindText(&mut span.kind),
        SpanField::KindDeprecatedString => Slot::KindSymbol(&mut span.kind),
        SpanField::StartTimeUnixNano => Slot::Nanoseconds(&mut span.start_time_unix_nano),
        SpanField::EndTimeUnixNano => Slot::Nanoseconds(&mut span.end_time_unix_nano),
        SpanField::StartTime => Slot::Time(&mut span.start_time_unix_nano),
        SpanField::EndTime => Slot::Time(&mut span.end_time_unix_nano),
        SpanField::Attributes => Slot::Map(&mut span.attributes),
        SpanField::DroppedAttributesCount => Slot::Count32(&mut span.dropped_attributes_count),
        SpanField::Events => Slot::Missing("`events` cannot be set"),
        SpanField::DroppedEventsCount => Slot::Count32(&mut span.dropped_events_count),
        SpanField::Links => Slot::Missing("`links` cannot be set"),
        SpanField::DroppedLinksCount => Slot::Count32(&mut span.dropped_links_count),
        SpanField::Status => Slot::Missing("`status` cannot be set: set `status.code` and `status.message`"),
        SpanField::StatusCode => Slot::Enumeration(&mut span.status.get_or_insert_default().code),
        SpanField::StatusMessage => Slot::Text(&mut span.status.get_or_insert_default().message),
        SpanField::Flags => Slot::CheckedCount32(&mut span.flags),
    }
}

/// The value of a key in a W3C `tracestate`; an unknown key has an empty one.
pub(super) fn trace_state_value<'a>(state: &'a str, key: &str) -> &'a str {
    let mut entries = state.split(',').filter_map(|entry| entry.trim().split_once('='));
    entries.find(|(name, _)| *name == key).map_or("", |(_, value)| value)
}

/// Sets a key in a W3C `tracestate`: the changed entry comes first.
pub(super) fn set_trace_state(state: &mut String, key: &str, value: &str) {
    let others = state.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let others = others.filter(|entry| entry.split_once('=').is_none_or(|(name, _)| name != key));
    let mut changed = format!("{key}={value}");
    for entry in others {
        changed.push(',');
        changed.push_str(entry);
    }
    *state = changed;
}
