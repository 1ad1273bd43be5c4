//! Comparison of two values: the rules of `compare.go` of the Collector's `pkg/ottl`.

use std::cmp::Ordering;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::value::{OttlValue, get};

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
pub(crate) fn compare(left: &OttlValue<'_>, operator: Operator, right: &OttlValue<'_>) -> bool {
    match (absent(left), absent(right)) {
        (OttlValue::Nil, OttlValue::Nil) => operator.holds(Some(Ordering::Equal)),
        (OttlValue::Bool(left), OttlValue::Bool(right)) => operator.holds(Some(left.cmp(right))),
        (OttlValue::Int(left), OttlValue::Int(right)) => operator.holds(Some(left.cmp(right))),
        (OttlValue::Int(left), OttlValue::Double(right)) => operator.holds((*left as f64).partial_cmp(right)),
        (OttlValue::Double(left), OttlValue::Int(right)) => operator.holds(left.partial_cmp(&(*right as f64))),
        (OttlValue::Double(left), OttlValue::Double(right)) => operator.holds(left.partial_cmp(right)),
        (OttlValue::Text(left), OttlValue::Text(right)) => operator.holds(Some(left.cmp(right))),
        (OttlValue::Bytes(left), OttlValue::Bytes(right)) => operator.holds(Some(left.cmp(right))),
        (OttlValue::Time(left), OttlValue::Time(right)) | (OttlValue::Duration(left), OttlValue::Duration(right)) => {
            operator.holds(Some(left.cmp(right)))
        }
        (OttlValue::Map(left), OttlValue::Map(right)) => operator.equality(same_map(left, right)),
        (OttlValue::List(left), OttlValue::List(right)) => operator.equality(same_list(left, right)),
        (OttlValue::TraceId(left), OttlValue::TraceId(right)) => operator.equality(left == right),
        (OttlValue::SpanId(left), OttlValue::SpanId(right)) => operator.equality(left == right),
        _ => operator.equality(false),
    }
}

/// Empty bytes count as nil, as in the Collector.
fn absent<'v, 'a>(value: &'v OttlValue<'a>) -> &'v OttlValue<'a> {
    match value {
        OttlValue::Bytes(bytes) if bytes.is_empty() => &OttlValue::Nil,
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
