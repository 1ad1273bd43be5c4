//! A field that a statement sets: each accepts one type, as the setters of the Collector.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;

use super::span::KINDS;
use crate::EvalError;
use crate::convert::unhex;
use crate::value::OttlValue;

pub(crate) enum Slot<'a> {
    Text(&'a mut String),
    Bool(&'a mut bool),
    Double(&'a mut f64),
    OptionalDouble(&'a mut Option<f64>),
    /// An enumeration or a signed number; higher bits are cut off, as in Go.
    Enumeration(&'a mut i32),
    Count32(&'a mut u32),
    /// A number that must fit.
    CheckedCount32(&'a mut u32),
    Count64(&'a mut u64),
    Counts(&'a mut Vec<u64>),
    Doubles(&'a mut Vec<f64>),
    /// Nanoseconds since 1970, as a number.
    Nanoseconds(&'a mut u64),
    /// The same, as a time.
    Time(&'a mut u64),
    Map(&'a mut Vec<KeyValue>),
    Any(&'a mut Option<AnyValue>),
    /// A value of any type that becomes a string.
    AnyText(&'a mut Option<AnyValue>),
    TraceId(&'a mut Vec<u8>),
    SpanId(&'a mut Vec<u8>),
    /// An identifier of so many bytes, as hexadecimal digits.
    HexId(&'a mut Vec<u8>, usize),
    KindText(&'a mut i32),
    KindSymbol(&'a mut i32),
    NumberDouble(&'a mut Option<Number>),
    NumberInt(&'a mut Option<Number>),
    /// The value is ignored, whatever it is.
    Ignored,
    /// This kind of metric has no such field, but the type is checked.
    IgnoredInt,
    IgnoredBool,
    /// The item has no such field.
    Missing(&'static str),
}

impl Slot<'_> {
    pub(crate) fn set(self, value: OttlValue<'_>) -> Result<(), EvalError> {
        match self {
            Slot::Text(target) => *target = text(value)?,
            Slot::Bool(target) => *target = boolean(&value)?,
            Slot::Double(target) => *target = double(&value)?,
            Slot::OptionalDouble(target) => *target = Some(double(&value)?),
            Slot::Enumeration(target) => *target = int(&value)? as i32,
            Slot::Count32(target) => *target = int(&value)? as u32,
            Slot::CheckedCount32(target) => {
                *target =
                    u32::try_from(int(&value)?).map_err(|_| EvalError::new("the value does not fit into 32 bits"))?;
            }
            Slot::Count64(target) | Slot::Nanoseconds(target) => *target = int(&value)? as u64,
            Slot::Counts(target) => *target = elements(&value, |element| int(&element).map(|count| count as u64))?,
            Slot::Doubles(target) => *target = elements(&value, |element| double(&element))?,
            Slot::Time(target) => match value {
                OttlValue::Time(time) => *target = time as u64,
                other => return Err(other.mismatch("a time")),
            },
            Slot::Map(target) => match value {
                OttlValue::Map(map) => *target = map.into_owned(),
                other => return Err(other.mismatch("a map")),
            },
            Slot::Any(target) => *target = Some(value.into_any()?),
            Slot::AnyText(target) => {
                *target = Some(AnyValue {
                    value: Some(Any::StringValue(text(value)?)),
                })
            }
            Slot::TraceId(target) => match value {
                OttlValue::TraceId(id) => *target = id.to_vec(),
                other => return Err(other.mismatch("a trace ID, such as that of `TraceID(…)`")),
            },
            Slot::SpanId(target) => match value {
                OttlValue::SpanId(id) => *target = id.to_vec(),
                other => return Err(other.mismatch("a span ID, such as that of `SpanID(…)`")),
            },
            Slot::HexId(target, length) => *target = hex_id(value, length)?,
            Slot::KindText(target) => *target = kind(value, |(name, _)| name)?,
            Slot::KindSymbol(target) => *target = kind(value, |(_, symbol)| symbol)?,
            Slot::NumberDouble(target) => *target = Some(Number::AsDouble(double(&value)?)),
            Slot::NumberInt(target) => *target = Some(Number::AsInt(int(&value)?)),
            Slot::Ignored => {}
            Slot::IgnoredInt => {
                int(&value)?;
            }
            Slot::IgnoredBool => {
                boolean(&value)?;
            }
            Slot::Missing(reason) => return Err(EvalError::new(reason)),
        }
        Ok(())
    }
}

fn text(value: OttlValue<'_>) -> Result<String, EvalError> {
    match value {
        OttlValue::Text(text) => Ok(text.into_owned()),
        other => Err(other.mismatch("a string")),
    }
}

fn boolean(value: &OttlValue<'_>) -> Result<bool, EvalError> {
    match value {
        OttlValue::Bool(value) => Ok(*value),
        other => Err(other.mismatch("a bool")),
    }
}

fn int(value: &OttlValue<'_>) -> Result<i64, EvalError> {
    match value {
        OttlValue::Int(value) => Ok(*value),
        other => Err(other.mismatch("an int")),
    }
}

fn double(value: &OttlValue<'_>) -> Result<f64, EvalError> {
    match value {
        OttlValue::Double(value) => Ok(*value),
        other => Err(other.mismatch("a double")),
    }
}

fn elements<T>(
    value: &OttlValue<'_>,
    read: impl Fn(OttlValue<'_>) -> Result<T, EvalError>,
) -> Result<Vec<T>, EvalError> {
    let elements: &[AnyValue] = match value {
        OttlValue::List(list) => list,
        OttlValue::TypedList(list) => list,
        other => return Err(other.mismatch("a list")),
    };
    elements
        .iter()
        .map(|element| read(OttlValue::of(Some(element))))
        .collect()
}

fn hex_id(value: OttlValue<'_>, length: usize) -> Result<Vec<u8>, EvalError> {
    let text = text(value)?;
    let id = unhex(&text).filter(|id| id.len() == length);
    id.ok_or_else(|| EvalError::new(format!("expected {} hexadecimal digits", 2 * length)))
}

fn kind(value: OttlValue<'_>, name: impl Fn((&'static str, &'static str)) -> &'static str) -> Result<i32, EvalError> {
    let text = text(value)?;
    let kind = KINDS.iter().position(|kind| name(*kind) == text);
    kind.and_then(|kind| i32::try_from(kind).ok())
        .ok_or_else(|| EvalError::new("unknown kind of span"))
}
