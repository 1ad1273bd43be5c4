//! Comparison of two values: the rules of `compare.go` of the Collector's `pkg/ottl`.

use std::cmp::Ordering;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::value::{Value, get};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Operator::Equal => ordering == Some(Ordering::Equal),
            Operator::NotEqual => ordering != Some(Ordering::Equal),
            Operator::Less => ordering == Some(Ordering::Less),
            Operator::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Operator::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            Operator::Greater => ordering == Some(Ordering::Greater),
        }
    }

    /// For types that have no order: maps, lists, identifiers.
    fn equality(self, equal: bool) -> bool {
        match self {
            Operator::Equal => equal,
            Operator::NotEqual => !equal,
            _ => false,
        }
    }
}

/// Compares two values. Different types are different, and neither is less; but an int and a double compare as doubles.
pub(crate) fn compare(left: &Value<'_>, operator: Operator, right: &Value<'_>) -> bool {
    match (absent(left), absent(right)) {
        (Value::Nil, Value::Nil) => operator.holds(Some(Ordering::Equal)),
        (Value::Bool(left), Value::Bool(right)) => operator.holds(Some(left.cmp(right))),
        (Value::Int(left), Value::Int(right)) => operator.holds(Some(left.cmp(right))),
        (Value::Int(left), Value::Double(right)) => operator.holds((*left as f64).partial_cmp(right)),
        (Value::Double(left), Value::Int(right)) => operator.holds(left.partial_cmp(&(*right as f64))),
        (Value::Double(left), Value::Double(right)) => operator.holds(left.partial_cmp(right)),
        (Value::Text(left), Value::Text(right)) => operator.holds(Some(left.cmp(right))),
        (Value::Bytes(left), Value::Bytes(right)) => operator.holds(Some(left.cmp(right))),
        (Value::Time(left), Value::Time(right)) | (Value::Duration(left), Value::Duration(right)) => {
            operator.holds(Some(left.cmp(right)))
        }
        (Value::Map(left), Value::Map(right)) => operator.equality(same_map(left, right)),
        (Value::List(left), Value::List(right)) => operator.equality(same_list(left, right)),
        (Value::TraceId(left), Value::TraceId(right)) => operator.equality(left == right),
        (Value::SpanId(left), Value::SpanId(right)) => operator.equality(left == right),
        _ => operator.equality(false),
    }
}

/// Empty bytes count as nil, as in the Collector.
fn absent<'v, 'a>(value: &'v Value<'a>) -> &'v Value<'a> {
    match value {
        Value::Bytes(bytes) if bytes.is_empty() => &Value::Nil,
        other => other,
    }
}

/// The order of entries does not count.
fn same_map(left: &[KeyValue], right: &[KeyValue]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .all(|entry| get(right, &entry.key).is_some_and(|other| same(entry.value.as_ref(), other.value.as_ref())))
}

fn same_list(left: &[AnyValue], right: &[AnyValue]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| same(Some(left), Some(right)))
}

/// Values inside maps and lists are equal only if their types are, too.
fn same(left: Option<&AnyValue>, right: Option<&AnyValue>) -> bool {
    let (left, right) = (
        left.and_then(|value| value.value.as_ref()),
        right.and_then(|value| value.value.as_ref()),
    );
    match (left, right) {
        (None, None) => true,
        (Some(Any::KvlistValue(left)), Some(Any::KvlistValue(right))) => same_map(&left.values, &right.values),
        (Some(Any::ArrayValue(left)), Some(Any::ArrayValue(right))) => same_list(&left.values, &right.values),
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}
