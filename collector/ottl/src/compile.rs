//! The tree of the syntax to what is evaluated: paths and functions are resolved, patterns are compiled, literals are folded.

use crate::condition::Test;
use crate::enumerations::value_of;
use crate::expression::Expression;
use crate::paths::{self, FieldPath, PathKey};
use crate::syntax::{self, ConditionNode, ExpressionKind};
use crate::value::OttlValue;
use crate::{Context, ParseError, View, compare, functions};

/// Compiles for one context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compiler {
    pub(crate) context: Context,
}

impl Compiler {
    pub(crate) fn condition(self, condition: &ConditionNode) -> Result<Test, ParseError> {
        match condition {
            ConditionNode::Constant(value) => Ok(Test::Constant(*value)),
            ConditionNode::Compare(left, operator, right) => {
                let (left, right) = (self.expression(left)?, self.expression(right)?);
                Ok(match (left.constant(), right.constant()) {
                    (Some(left), Some(right)) => Test::Constant(compare::compare(left, *operator, right)),
                    _ => Test::Compare(left, *operator, right),
                })
            }
            ConditionNode::Call(call) => {
                let (expression, is_bool) = self.call(call)?;
                if !is_bool {
                    let message = format!("a condition needs a comparison: `{}` does not give a bool", call.name);
                    return Err(ParseError::new(call.range.clone(), message));
                }
                Ok(Test::Value(expression))
            }
            ConditionNode::Not(inner) => Ok(match self.condition(inner)? {
                Test::Constant(value) => Test::Constant(!value),
                test => Test::Not(Box::new(test)),
            }),
            ConditionNode::All(tests) => self.folded(tests, true),
            ConditionNode::Any(tests) => self.folded(tests, false),
        }
    }

    /// `and` (`neutral` is true) or `or`: a constant that is not neutral decides, neutral ones are left out.
    fn folded(self, conditions: &[ConditionNode], neutral: bool) -> Result<Test, ParseError> {
        let mut tests = Vec::with_capacity(conditions.len());
        let mut decided = false;
        for condition in conditions {
            match self.condition(condition)? {
                Test::Constant(value) => decided |= value != neutral,
                test => tests.push(test),
            }
        }
        if decided {
            return Ok(Test::Constant(!neutral));
        }
        Ok(match tests.len() {
            0 => Test::Constant(neutral),
            1 => tests.swap_remove(0),
            _ if neutral => Test::All(tests),
            _ => Test::Any(tests),
        })
    }

    pub(crate) fn expression(self, expression: &syntax::ExpressionNode) -> Result<Expression, ParseError> {
        Ok(match &expression.kind {
            ExpressionKind::Nil => Expression::Constant(OttlValue::Nil),
            ExpressionKind::Bool(value) => Expression::Constant(OttlValue::Bool(*value)),
            ExpressionKind::Int(value) => Expression::Constant(OttlValue::Int(*value)),
            ExpressionKind::Float(value) => Expression::Constant(OttlValue::Double(*value)),
            ExpressionKind::Text(text) => Expression::Constant(OttlValue::Text(text.clone().into())),
            ExpressionKind::Bytes(bytes) => Expression::Constant(OttlValue::Bytes(bytes.clone().into())),
            ExpressionKind::Symbol(name) => {
                Expression::Constant(OttlValue::Int(value_of(name, self.context, expression.range.clone())?))
            }
            ExpressionKind::Path(path) => Expression::Path(self.path(path)?),
            ExpressionKind::Call(call) => self.call(call)?.0,
            ExpressionKind::Negate(inner) => Expression::Negate(Box::new(self.expression(inner)?)),
            ExpressionKind::Math(first, rest) => {
                let rest = rest
                    .iter()
                    .map(|(operator, operand)| Ok((*operator, self.expression(operand)?)));
                Expression::Math(Box::new(self.expression(first)?), rest.collect::<Result<_, _>>()?)
            }
            ExpressionKind::List(elements) => {
                let elements = elements.iter().map(|element| self.expression(element));
                literal(Expression::List(elements.collect::<Result<_, _>>()?))
            }
            ExpressionKind::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.expression(value)?)));
                literal(Expression::Map(entries.collect::<Result<_, _>>()?))
            }
        })
    }

    pub(crate) fn path(self, path: &syntax::PathNode) -> Result<FieldPath, ParseError> {
        paths::resolve(path, self.context, |key| self.key(key))
    }

    fn key(self, key: &syntax::KeyNode) -> Result<PathKey, ParseError> {
        Ok(match key {
            syntax::KeyNode::Text(text) => PathKey::Text(text.clone()),
            syntax::KeyNode::Index(index) => PathKey::Index(*index),
            syntax::KeyNode::Expression(expression) => {
                let compiled = self.expression(expression)?;
                if compiled.constant().is_some() {
                    let message = "a key is a string, an int, or a path or converter that gives one";
                    return Err(ParseError::new(expression.range.clone(), message));
                }
                PathKey::Computed(Box::new(compiled))
            }
        })
    }

    /// The call of a converter, with keys into its result; and whether that is a bool.
    fn call(self, call: &syntax::CallNode) -> Result<(Expression, bool), ParseError> {
        let (converter, is_bool) = functions::converter(call, self)?;
        let mut expression = Expression::Convert(Box::new(converter));
        for key in &call.keys {
            expression = Expression::Index(Box::new(expression), self.key(key)?);
        }
        // An element of a result may have any type.
        Ok((expression, is_bool || !call.keys.is_empty()))
    }
}

/// A list or a map of literals is a literal.
fn literal(expression: Expression) -> Expression {
    let is_literal = match &expression {
        Expression::List(elements) => elements.iter().all(|element| element.constant().is_some()),
        Expression::Map(entries) => entries.iter().all(|(_, value)| value.constant().is_some()),
        _ => false,
    };
    if !is_literal {
        return expression;
    }
    let value = expression.evaluate(View::resource(None, "")).map(OttlValue::into_owned);
    match value {
        Ok(value) => Expression::Constant(value),
        Err(_) => expression,
    }
}
