//! Expressions, compiled: what they are evaluated to.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::functions::Converter;
use crate::paths::{FieldPath, PathKey, index_value};
use crate::syntax::MathOperator;
use crate::value::{OttlValue, put};
use crate::{EvalError, View};

#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Constant(OttlValue<'static>),
    Path(FieldPath),
    Convert(Box<Converter>),
    /// A key into the result of a converter.
    Index(Box<Expression>, PathKey),
    Negate(Box<Expression>),
    /// A value, and what is computed with it, from left to right.
    Math(Box<Expression>, Vec<(MathOperator, Expression)>),
    List(Vec<Expression>),
    Map(Vec<(String, Expression)>),
}

impl Expression {
    pub(crate) fn constant(&self) -> Option<&OttlValue<'static>> {
        match self {
            Expression::Constant(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn evaluate<'a>(&'a self, view: View<'a>) -> Result<OttlValue<'a>, EvalError> {
        match self {
            Expression::Constant(value) => Ok(value.borrowed()),
            Expression::Path(path) => path.read(view),
            Expression::Convert(converter) => converter.convert(view),
            Expression::Index(inner, key) => index_value(inner.evaluate(view)?, key, view),
            Expression::Negate(inner) => match inner.evaluate(view)? {
                OttlValue::Int(value) => Ok(OttlValue::Int(value.wrapping_neg())),
                OttlValue::Double(value) => Ok(OttlValue::Double(-value)),
                other => Err(other.mismatch("a number behind `-`")),
            },
            Expression::Math(first, rest) => {
                let mut value = first.evaluate(view)?;
                for (operator, operand) in rest {
                    value = compute(&value, *operator, &operand.evaluate(view)?)?;
                }
                Ok(value)
            }
            Expression::List(elements) => {
                let elements = elements.iter().map(|element| element.evaluate(view)?.into_any());
                Ok(OttlValue::List(Cow::Owned(elements.collect::<Result<_, _>>()?)))
            }
            Expression::Map(entries) => {
                let mut map: Vec<KeyValue> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    put(&mut map, key, value.evaluate(view)?.into_any()?);
                }
                Ok(OttlValue::Map(Cow::Owned(map)))
            }
        }
    }
}

/// The rules of `math.go` of the Collector's `pkg/ottl`: ints wrap around, and an int with a double is a double.
fn compute(
    left: &OttlValue<'_>,
    operator: MathOperator,
    right: &OttlValue<'_>,
) -> Result<OttlValue<'static>, EvalError> {
    match (left, right) {
        (OttlValue::Int(left), OttlValue::Int(right)) => compute_int(*left, operator, *right).map(OttlValue::Int),
        (OttlValue::Int(left), OttlValue::Double(right)) => {
            compute_double(*left as f64, operator, *right).map(OttlValue::Double)
        }
        (OttlValue::Double(left), OttlValue::Int(right)) => {
            compute_double(*left, operator, *right as f64).map(OttlValue::Double)
        }
        (OttlValue::Double(left), OttlValue::Double(right)) => {
            compute_double(*left, operator, *right).map(OttlValue::Double)
        }
        (OttlValue::Time(_) | OttlValue::Duration(_), _) => compute_time(left, operator, right),
        (OttlValue::Int(_) | OttlValue::Double(_), other) | (other, _) => {
            Err(other.mismatch("a number to compute with"))
        }
    }
}

fn compute_int(left: i64, operator: MathOperator, right: i64) -> Result<i64, EvalError> {
    match operator {
        MathOperator::Add => Ok(left.wrapping_add(right)),
        MathOperator::Subtract => Ok(left.wrapping_sub(right)),
        MathOperator::Multiply => Ok(left.wrapping_mul(right)),
        MathOperator::Divide if right == 0 => Err(EvalError::new("division by zero")),
        MathOperator::Divide => Ok(left.wrapping_div(right)),
    }
}

fn compute_double(left: f64, operator: MathOperator, right: f64) -> Result<f64, EvalError> {
    match operator {
        MathOperator::Add => Ok(left + right),
        MathOperator::Subtract => Ok(left - right),
        MathOperator::Multiply => Ok(left * right),
        MathOperator::Divide if right == 0.0 => Err(EvalError::new("division by zero")),
        MathOperator::Divide => Ok(left / right),
    }
}

fn compute_time(
    left: &OttlValue<'_>,
    operator: MathOperator,
    right: &OttlValue<'_>,
) -> Result<OttlValue<'static>, EvalError> {
    use MathOperator::{Add, Subtract};
    match (left, operator, right) {
        (OttlValue::Time(left), Subtract, OttlValue::Time(right)) => {
            Ok(OttlValue::Duration(left.saturating_sub(*right)))
        }
        (OttlValue::Time(left), Add, OttlValue::Duration(right)) => Ok(OttlValue::Time(left.wrapping_add(*right))),
        (OttlValue::Time(left), Subtract, OttlValue::Duration(right)) => Ok(OttlValue::Time(left.wrapping_sub(*right))),
        (OttlValue::Duration(left), Add, OttlValue::Time(right)) => Ok(OttlValue::Time(right.wrapping_add(*left))),
        (OttlValue::Duration(left), Add, OttlValue::Duration(right)) => {
            Ok(OttlValue::Duration(left.wrapping_add(*right)))
        }
        (OttlValue::Duration(left), Subtract, OttlValue::Duration(right)) => {
            Ok(OttlValue::Duration(left.wrapping_sub(*right)))
        }
        (_, _, other) => Err(other.mismatch("a time or a duration to add or subtract")),
    }
}
