//! The values that expressions have while they are evaluated. They borrow from the item and from the program where they can.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

use crate::EvalError;

/// A value. The variants are the types that values have in the Collector.
#[derive(Clone, Debug)]
pub(crate) enum OttlValue<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Map(Cow<'a, [KeyValue]>),
    List(Cow<'a, [AnyValue]>),
    /// A list whose elements have one type, such as the result of `Split`. It equals no other list.
    TypedList(Vec<AnyValue>),
    /// A point in time, in nanoseconds since 1970.
    Time(i64),
    /// In nanoseconds.
    Duration(i64),
    TraceId([u8; 16]),
    SpanId([u8; 8]),
    /// Messages that only functions about lists accept, such as the events of a span.
    Messages {
        length: usize,
        is_list: bool,
    },
}

impl<'a> OttlValue<'a> {
    /// The value of an attribute; one without a value is nil.
    pub(crate) fn of(value: Option<&'a AnyValue>) -> Self {
        match value.and_then(|value| value.value.as_ref()) {
            None => OttlValue::Nil,
            Some(Any::StringValue(text)) => OttlValue::Text(Cow::Borrowed(text)),
            Some(Any::BoolValue(value)) => OttlValue::Bool(*value),
            Some(Any::IntValue(value)) => OttlValue::Int(*value),
            Some(Any::DoubleValue(value)) => OttlValue::Double(*value),
            Some(Any::ArrayValue(list)) => OttlValue::List(Cow::Borrowed(&list.values)),
            Some(Any::KvlistValue(map)) => OttlValue::Map(Cow::Borrowed(&map.values)),
            Some(Any::BytesValue(bytes)) => OttlValue::Bytes(Cow::Borrowed(bytes)),
            // An index into a table that only profiles have.
            Some(Any::StringValueStrindex(_)) => OttlValue::Nil,
        }
    }

    pub(crate) fn text(text: &'a str) -> Self {
        OttlValue::Text(Cow::Borrowed(text))
    }

    /// The same value, borrowed from this one.
    pub(crate) fn borrowed(&self) -> OttlValue<'_> {
        match self {
            OttlValue::Text(text) => OttlValue::Text(Cow::Borrowed(text)),
            OttlValue::Bytes(bytes) => OttlValue::Bytes(Cow::Borrowed(bytes)),
            OttlValue::Map(map) => OttlValue::Map(Cow::Borrowed(map)),
            OttlValue::List(list) => OttlValue::List(Cow::Borrowed(list)),
            other => other.clone().into_owned(),
        }
    }

    /// The same value, independent of item and program.
    pub(crate) fn into_owned(self) -> OttlValue<'static> {
        match self {
            OttlValue::Nil => OttlValue::Nil,
            OttlValue::Bool(value) => OttlValue::Bool(value),
            OttlValue::Int(value) => OttlValue::Int(value),
            OttlValue::Double(value) => OttlValue::Double(value),
            OttlValue::Text(text) => OttlValue::Text(Cow::Owned(text.into_owned())),
            OttlValue::Bytes(bytes) => OttlValue::Bytes(Cow::Owned(bytes.into_owned())),
            OttlValue::Map(map) => OttlValue::Map(Cow::Owned(map.into_owned())),
            OttlValue::List(list) => OttlValue::List(Cow::Owned(list.into_owned())),
            OttlValue::TypedList(list) => OttlValue::TypedList(list),
            OttlValue::Time(value) => OttlValue::Time(value),
            OttlValue::Duration(value) => OttlValue::Duration(value),
            OttlValue::TraceId(id) => OttlValue::TraceId(id),
            OttlValue::SpanId(id) => OttlValue::SpanId(id),
            OttlValue::Messages { length, is_list } => OttlValue::Messages { length, is_list },
        }
    }

    /// The value as an attribute.
    pub(crate) fn into_any(self) -> Result<AnyValue, EvalError> {
        let value = match self {
            OttlValue::Nil => None,
            OttlValue::Bool(value) => Some(Any::BoolValue(value)),
            OttlValue::Int(value) => Some(Any::IntValue(value)),
            OttlValue::Double(value) => Some(Any::DoubleValue(value)),
            OttlValue::Text(text) => Some(Any::StringValue(text.into_owned())),
            OttlValue::Bytes(bytes) => Some(Any::BytesValue(bytes.into_owned())),
            OttlValue::Map(map) => Some(Any::KvlistValue(KeyValueList {
                values: map.into_owned(),
            })),
            OttlValue::List(list) => Some(Any::ArrayValue(ArrayValue {
                values: list.into_owned(),
            })),
            OttlValue::TypedList(values) => Some(Any::ArrayValue(ArrayValue { values })),
            other => {
                return Err(EvalError::new(format!(
                    "an attribute cannot be a {}",
                    other.type_name()
                )));
            }
        };
        Ok(AnyValue { value })
    }

    /// The type in errors.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            OttlValue::Nil => "nil",
            OttlValue::Bool(_) => "bool",
            OttlValue::Int(_) => "int",
            OttlValue::Double(_) => "double",
            OttlValue::Text(_) => "string",
            OttlValue::Bytes(_) => "bytes",
            OttlValue::Map(_) => "map",
            OttlValue::List(_) | OttlValue::TypedList(_) => "list",
            OttlValue::Time(_) => "time",
            OttlValue::Duration(_) => "duration",
            OttlValue::TraceId(_) => "trace ID",
            OttlValue::SpanId(_) => "span ID",
            OttlValue::Messages { .. } => "list of messages",
        }
    }

    /// The error of a value that has another type than `expected`.
    pub(crate) fn mismatch(&self, expected: &str) -> EvalError {
        EvalError::new(format!("expected {expected}, found {}", self.type_name()))
    }
}

/// The value of the first entry with this key.
pub(crate) fn get<'a>(map: &'a [KeyValue], key: &str) -> Option<&'a KeyValue> {
    map.iter().find(|entry| entry.key == key)
}

/// The value of the first entry with this key; a new one is empty and at the end.
pub(crate) fn get_or_insert<'a>(map: &'a mut Vec<KeyValue>, key: &str) -> &'a mut AnyValue {
    let at = map.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        map.push(KeyValue {
            key: key.to_owned(),
            value: None,
            ..KeyValue::default()
        });
        map.len() - 1
    });
    map[at].value.get_or_insert_default()
}

/// Puts a value under a key; an existing entry keeps its place.
pub(crate) fn put(map: &mut Vec<KeyValue>, key: &str, value: AnyValue) {
    *get_or_insert(map, key) = value;
}
