//! Converters: functions that compute a value from an view.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use super::arguments::Arguments;
use super::strings;
use crate::convert::{to_bool, to_bytes, to_double, to_int, unhex};
use crate::expression::Expression;
use crate::patterns::{Pattern, Syntax};
use crate::text::to_text;
use crate::value::{OttlValue, get};
use crate::view::{PointsRef, SubjectRef};
use crate::{EvalError, ParseError, View};

#[derive(Clone, Debug)]
pub(crate) enum Converter {
    IsMatch(Expression, Pattern),
    IsType(Type, Expression),
    IsRootSpan,
    HasPrefix(Expression, Expression),
    HasSuffix(Expression, Expression),
    HasPointAttribute {
        key: String,
        value: Option<String>,
    },
    Concat(Vec<Expression>, Expression),
    Int(Expression),
    Double(Expression),
    Bool(Expression),
    Text(Expression),
    Length(Expression),
    Substring {
        target: Expression,
        start: Expression,
        length: Expression,
    },
    Split(Expression, Expression),
    LowerCase(Expression),
    UpperCase(Expression),
    TraceId(Expression),
    SpanId(Expression),
}

/// The types that `IsString` and its like test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Int,
    Double,
    Bool,
    Map,
    List,
}

/// Builds a converter from its arguments, which are in the order of its signature.
pub(super) fn build(name: &str, mut arguments: Arguments) -> Result<Converter, ParseError> {
    let arguments = &mut arguments;
    Ok(match name {
        "IsMatch" => Converter::IsMatch(arguments.expression()?, arguments.pattern(Syntax::Regex)?),
        "IsString" => Converter::IsType(Type::Text, arguments.expression()?),
        "IsInt" => Converter::IsType(Type::Int, arguments.expression()?),
        "IsDouble" => Converter::IsType(Type::Double, arguments.expression()?),
        "IsBool" => Converter::IsType(Type::Bool, arguments.expression()?),
        "IsMap" => Converter::IsType(Type::Map, arguments.expression()?),
        "IsList" => Converter::IsType(Type::List, arguments.expression()?),
        "HasPrefix" => Converter::HasPrefix(arguments.expression()?, arguments.expression()?),
        "HasSuffix" => Converter::HasSuffix(arguments.expression()?, arguments.expression()?),
        "HasAttrKeyOnDatapoint" => Converter::HasPointAttribute {
            key: arguments.text()?.0,
            value: None,
        },
        "HasAttrOnDatapoint" => Converter::HasPointAttribute {
            key: arguments.text()?.0,
            value: Some(arguments.text()?.0),
        },
        "Concat" => Converter::Concat(arguments.expressions()?, arguments.expression()?),
        "Int" => Converter::Int(arguments.expression()?),
        "Double" => Converter::Double(arguments.expression()?),
        "Bool" => Converter::Bool(arguments.expression()?),
        "String" => Converter::Text(arguments.expression()?),
        "Len" => Converter::Length(arguments.expression()?),
        "Substring" => Converter::Substring {
            target: arguments.expression()?,
            start: arguments.expression()?,
            length: arguments.expression()?,
        },
        "Split" => Converter::Split(arguments.expression()?, arguments.expression()?),
        "ToLowerCase" => Converter::LowerCase(arguments.expression()?),
        "ToUpperCase" => Converter::UpperCase(arguments.expression()?),
        "TraceID" => Converter::TraceId(id_argument::<16>(arguments)?),
        "SpanID" => Converter::SpanId(id_argument::<8>(arguments)?),
        // `IsRootSpan` is the only one without arguments.
        _ => Converter::IsRootSpan,
    })
}

/// A literal identifier is checked now.
fn id_argument<const N: usize>(arguments: &mut Arguments) -> Result<Expression, ParseError> {
    let expression = arguments.expression()?;
    match expression.constant().map(parse_id::<N>) {
        Some(Err(error)) => Err(arguments.error(error.to_string())),
        _ => Ok(expression),
    }
}

impl Converter {
    pub(crate) fn convert<'a>(&'a self, view: View<'a>) -> Result<OttlValue<'a>, EvalError> {
        Ok(match self {
            Converter::IsMatch(target, pattern) => {
                let regex = pattern.get(view)?;
                OttlValue::Bool(to_text(target.evaluate(view)?)?.is_some_and(|text| regex.is_match(&text)))
            }
            Converter::IsType(expected, target) => OttlValue::Bool(is_type(&target.evaluate(view)?, *expected)),
            Converter::IsRootSpan => OttlValue::Bool(is_root_span(view)),
            Converter::HasPrefix(target, prefix) => {
                OttlValue::Bool(text(target, view)?.starts_with(text(prefix, view)?.as_ref()))
            }
            Converter::HasSuffix(target, suffix) => {
                OttlValue::Bool(text(target, view)?.ends_with(text(suffix, view)?.as_ref()))
            }
            Converter::HasPointAttribute { key, value } => {
                OttlValue::Bool(has_point_attribute(view, key, value.as_deref())?)
            }
            Converter::Concat(parts, delimiter) => OttlValue::Text(Cow::Owned(concat(parts, delimiter, view)?)),
            Converter::Int(target) => to_int(&target.evaluate(view)?)?.map_or(OttlValue::Nil, OttlValue::Int),
            Converter::Double(target) => to_double(&target.evaluate(view)?)?.map_or(OttlValue::Nil, OttlValue::Double),
            Converter::Bool(target) => to_bool(&target.evaluate(view)?)?.map_or(OttlValue::Nil, OttlValue::Bool),
            Converter::Text(target) => to_text(target.evaluate(view)?)?.map_or(OttlValue::Nil, OttlValue::Text),
            Converter::Length(target) => OttlValue::Int(length(&target.evaluate(view)?)?),
            Converter::Substring { target, start, length } => {
                let (start, length) = (int(start, view)?, int(length, view)?);
                OttlValue::Text(strings::substring(text(target, view)?, start, length)?)
            }
            Converter::Split(target, delimiter) => {
                OttlValue::TypedList(strings::split(&text(target, view)?, &text(delimiter, view)?))
            }
            Converter::LowerCase(target) => OttlValue::Text(Cow::Owned(strings::lower_case(&text(target, view)?))),
            Converter::UpperCase(target) => OttlValue::Text(Cow::Owned(strings::upper_case(&text(target, view)?))),
            Converter::TraceId(target) => OttlValue::TraceId(parse_id(&target.evaluate(view)?)?),
            Converter::SpanId(target) => OttlValue::SpanId(parse_id(&target.evaluate(view)?)?),
        })
    }
}

/// A value that must be a string.
pub(super) fn text<'a>(expression: &'a Expression, view: View<'a>) -> Result<Cow<'a, str>, EvalError> {
    match expression.evaluate(view)? {
        OttlValue::Text(text) => Ok(text),
        other => Err(other.mismatch("a string")),
    }
}

fn int(expression: &Expression, view: View<'_>) -> Result<i64, EvalError> {
    match expression.evaluate(view)? {
        OttlValue::Int(int) => Ok(int),
        other => Err(other.mismatch("an int")),
    }
}

fn is_type(value: &OttlValue<'_>, expected: Type) -> bool {
    matches!(
        (expected, value),
        (Type::Text, OttlValue::Text(_))
            | (Type::Int, OttlValue::Int(_))
            | (Type::Double, OttlValue::Double(_))
            | (Type::Bool, OttlValue::Bool(_))
            | (Type::Map, OttlValue::Map(_))
            | (
                Type::List,
                OttlValue::List(_) | OttlValue::TypedList(_) | OttlValue::Messages { is_list: true, .. }
            )
    )
}

fn is_root_span(view: View<'_>) -> bool {
    matches!(view.target, SubjectRef::Span(span) if span.parent_span_id.iter().all(|byte| *byte == 0))
}

/// The first point that has the key decides, as in the Collector.
fn has_point_attribute(view: View<'_>, key: &str, value: Option<&str>) -> Result<bool, EvalError> {
    let SubjectRef::Metric(_, points) = view.target else {
        return Err(EvalError::new("the item is no metric"));
    };
    let has = |attributes: &[KeyValue]| {
        let found = get(attributes, key)?
            .value
            .as_ref()
            .and_then(|value| value.value.as_ref());
        let text = match found {
            Some(Any::StringValue(text)) => text.as_str(),
            _ => "",
        };
        Some(value.is_none_or(|value| value == text))
    };
    let found = match points {
        PointsRef::None => return Err(EvalError::new("the metric has no data")),
        PointsRef::Number(points) => points.iter().find_map(|point| has(&point.attributes)),
        PointsRef::Histogram(points) => points.iter().find_map(|point| has(&point.attributes)),
        PointsRef::ExponentialHistogram(points) => points.iter().find_map(|point| has(&point.attributes)),
        PointsRef::Summary(points) => points.iter().find_map(|point| has(&point.attributes)),
    };
    Ok(found.unwrap_or(false))
}

/// Nil is written `<nil>`.
fn concat(parts: &[Expression], delimiter: &Expression, view: View<'_>) -> Result<String, EvalError> {
    let delimiter = text(delimiter, view)?;
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(&delimiter);
        }
        out.push_str(to_text(part.evaluate(view)?)?.as_deref().unwrap_or("<nil>"));
    }
    Ok(out)
}

/// Bytes of a string, entries of a map, elements of a list.
fn length(value: &OttlValue<'_>) -> Result<i64, EvalError> {
    let length = match value {
        OttlValue::Text(text) => text.len(),
        OttlValue::Bytes(bytes) => bytes.len(),
        OttlValue::Map(map) => map.len(),
        OttlValue::List(list) => list.len(),
        OttlValue::TypedList(list) => list.len(),
        OttlValue::Messages { length, .. } => *length,
        other => return Err(other.mismatch("a string, a map or a list")),
    };
    i64::try_from(length).map_err(|_| EvalError::new("the length does not fit into 64 bits"))
}

/// An identifier from its bytes, or from twice as many hexadecimal digits.
fn parse_id<const N: usize>(value: &OttlValue<'_>) -> Result<[u8; N], EvalError> {
    let bytes = to_bytes(value)?;
    let decoded = match bytes.len() {
        length if length == N => Some(bytes.to_vec()),
        length if length == 2 * N => std::str::from_utf8(&bytes).ok().and_then(unhex),
        length => {
            return Err(EvalError::new(format!(
                "expected {N} bytes or {} hexadecimal digits, found {length}",
                2 * N
            )));
        }
    };
    let decoded = decoded.and_then(|decoded| decoded.try_into().ok());
    decoded.ok_or_else(|| EvalError::new(format!("expected {} hexadecimal digits", 2 * N)))
}
