//! Conditions, compiled.

use crate::compare::{Operator, compare};
use crate::expression::Expression;
use crate::value::OttlValue;
use crate::{EvalError, View};

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Constant(bool),
    Compare(Expression, Operator, Expression),
    /// A value that must be a bool.
    Value(Expression),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
}

impl Test {
    /// Evaluates from left to right, and no further than is needed.
    pub(crate) fn evaluate(&self, view: View<'_>) -> Result<bool, EvalError> {
        match self {
            Test::Constant(value) => Ok(*value),
            Test::Compare(left, operator, right) => {
                Ok(compare(&left.evaluate(view)?, *operator, &right.evaluate(view)?))
            }
            Test::Value(value) => match value.evaluate(view)? {
                OttlValue::Bool(value) => Ok(value),
                other => Err(other.mismatch("a bool as condition")),
            },
            Test::Not(inner) => inner.evaluate(view).map(|value| !value),
            Test::All(tests) => {
                for test in tests {
                    if !test.evaluate(view)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Any(tests) => {
                for test in tests {
                    if test.evaluate(view)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}
