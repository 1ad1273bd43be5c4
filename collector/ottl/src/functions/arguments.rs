//! The arguments of a call: by position, then by name; each checked against its parameter.

use std::ops::Range;

use super::signatures::{Parameter, ParameterKind, Signature};
use crate::ParseError;
use crate::compile::Compiler;
use crate::convert::{to_bool, to_double, to_int};
use crate::expression::Expression;
use crate::paths::FieldPath;
use crate::patterns::{Expansion, Pattern, Replacement, Syntax, compile};
use crate::syntax::{self, CallNode, ExpressionKind};
use crate::value::OttlValue;

/// The arguments of a call, in the order of its parameters.
pub(super) struct Arguments {
    values: Vec<Option<(Argument, Range<usize>)>>,
    /// The next parameter to take.
    next: usize,
    /// The bytes of the call.
    range: Range<usize>,
}

enum Argument {
    Expression(Expression),
    Path(FieldPath),
    Text(String),
    Int(i64),
    /// A literal bool, which changes nothing here.
    Checked,
    Expressions(Vec<Expression>),
    Texts(Vec<String>),
}

/// Reads the arguments of a call and checks those that are literals.
pub(super) fn read(call: &CallNode, signature: &Signature, compiler: Compiler) -> Result<Arguments, ParseError> {
    let parameters = signature.parameters;
    let required = parameters.iter().filter(|parameter| !parameter.optional).count();
    let count = call.arguments.len();
    if count < required || count > parameters.len() {
        return Err(wrong_count(call, signature, required));
    }
    let mut values: Vec<Option<(Argument, Range<usize>)>> = parameters.iter().map(|_| None).collect();
    let mut named = false;
    for (position, argument) in call.arguments.iter().enumerate() {
        let at = match &argument.name {
            None if named => {
                let message = "an argument without a name stands behind one with a name";
                return Err(ParseError::new(argument.value.range.clone(), message));
            }
            None => position,
            Some((name, range)) => {
                named = true;
                position_of(name, range, call, parameters)?
            }
        };
        let parameter = &parameters[at];
        if values[at].is_some() {
            let message = format!("the argument `{}` of `{}` occurs twice", parameter.name, call.name);
            return Err(ParseError::new(argument.value.range.clone(), message));
        }
        values[at] = Some((
            read_one(&argument.value, parameter, call, compiler)?,
            argument.value.range.clone(),
        ));
    }
    let missing = parameters
        .iter()
        .zip(&values)
        .find(|(parameter, value)| !parameter.optional && value.is_none());
    if let Some((parameter, _)) = missing {
        let message = format!("`{}` needs the argument `{}`", call.name, parameter.name);
        return Err(ParseError::new(call.range.clone(), message));
    }
    Ok(Arguments {
        values,
        next: 0,
        range: call.range.clone(),
    })
}

fn wrong_count(call: &CallNode, signature: &Signature, required: usize) -> ParseError {
    let most = signature.parameters.len();
    let expected = if required == most {
        required.to_string()
    } else {
        format!("{required} to {most}")
    };
    let noun = if expected == "1" { "argument" } else { "arguments" };
    let message = format!(
        "`{}` takes {expected} {noun}, found {}",
        call.name,
        call.arguments.len()
    );
    let names = signature.parameters.iter().map(|parameter| match parameter.optional {
        true => format!("{}?", parameter.name),
        false => parameter.name.to_owned(),
    });
    let help = format!(
        "it is called as {}({})",
        call.name,
        names.collect::<Vec<_>>().join(", ")
    );
    ParseError::new(call.range.clone(), message).help(help)
}

fn position_of(
    name: &str,
    range: &Range<usize>,
    call: &CallNode,
    parameters: &[Parameter],
) -> Result<usize, ParseError> {
    // The Collector converts both to camel case.
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let position = parameters
        .iter()
        .position(|parameter| plain(parameter.name) == plain(name));
    position.ok_or_else(|| {
        let names = parameters
            .iter()
            .map(|parameter| parameter.name)
            .collect::<Vec<_>>()
            .join(", ");
        let error = ParseError::new(range.clone(), format!("`{}` has no argument `{name}`", call.name));
        error.help(format!("its arguments are {names}"))
    })
}

fn read_one(
    value: &syntax::ExpressionNode,
    parameter: &Parameter,
    call: &CallNode,
    compiler: Compiler,
) -> Result<Argument, ParseError> {
    let wrong = || {
        let message = format!(
            "`{}` of `{}` takes {}",
            parameter.name,
            call.name,
            parameter.kind.expected()
        );
        ParseError::new(value.range.clone(), message)
    };
    match (parameter.kind, &value.kind) {
        (ParameterKind::Function, _) => {
            let message = format!("the argument `{}` of `{}` is not supported", parameter.name, call.name);
            Err(ParseError::new(value.range.clone(), message))
        }
        (ParameterKind::LiteralText, ExpressionKind::Text(text)) => Ok(Argument::Text(text.clone())),
        (ParameterKind::LiteralInt, ExpressionKind::Int(int)) => Ok(Argument::Int(*int)),
        (ParameterKind::LiteralBool, ExpressionKind::Bool(_)) => Ok(Argument::Checked),
        (ParameterKind::LiteralText | ParameterKind::LiteralInt | ParameterKind::LiteralBool, _) => Err(wrong()),
        (ParameterKind::LiteralTexts, ExpressionKind::List(elements)) => {
            let texts = elements.iter().map(|element| match &element.kind {
                ExpressionKind::Text(text) => Ok(text.clone()),
                _ => Err(ParseError::new(
                    element.range.clone(),
                    "expected a string in double quotes",
                )),
            });
            Ok(Argument::Texts(texts.collect::<Result<_, _>>()?))
        }
        (ParameterKind::Texts | ParameterKind::TextLikes, ExpressionKind::List(elements)) => {
            let kind = if parameter.kind == ParameterKind::Texts {
                ParameterKind::Text
            } else {
                ParameterKind::TextLike
            };
            let expressions = elements.iter().map(|element| {
                let expression = compiler.expression(element)?;
                check(&expression, kind, element.range.clone())?;
                Ok(expression)
            });
            Ok(Argument::Expressions(expressions.collect::<Result<_, _>>()?))
        }
        (ParameterKind::LiteralTexts | ParameterKind::Texts | ParameterKind::TextLikes, _) => Err(wrong()),
        (ParameterKind::Target | ParameterKind::MapTarget, ExpressionKind::Path(path)) => {
            let path = compiler.path(path)?;
            if parameter.kind == ParameterKind::MapTarget && !path.may_be_map() {
                return Err(wrong());
            }
            Ok(Argument::Path(path))
        }
        (ParameterKind::Target | ParameterKind::MapTarget, _) => Err(wrong()),
        (kind, _) => {
            let expression = compiler.expression(value)?;
            check(&expression, kind, value.range.clone()).map_err(|error| match error.help {
                Some(_) => error,
                None => wrong(),
            })?;
            Ok(Argument::Expression(expression))
        }
    }
}

/// Checks the type of a literal; other values are checked when they are evaluated.
fn check(expression: &Expression, kind: ParameterKind, range: Range<usize>) -> Result<(), ParseError> {
    let Some(value) = expression.constant() else {
        return Ok(());
    };
    let (fits, reason) = match kind {
        ParameterKind::Text => (matches!(value, OttlValue::Text(_)), None),
        ParameterKind::Int => (matches!(value, OttlValue::Int(_)), None),
        ParameterKind::Double => (matches!(value, OttlValue::Double(_)), None),
        ParameterKind::Bool => (matches!(value, OttlValue::Bool(_)), None),
        ParameterKind::Map => (matches!(value, OttlValue::Map(_)), None),
        ParameterKind::IntLike => reason(to_int(value)),
        ParameterKind::DoubleLike => reason(to_double(value)),
        ParameterKind::BoolLike => reason(to_bool(value)),
        _ => (true, None),
    };
    if fits {
        return Ok(());
    }
    let error = ParseError::new(
        range,
        format!("expected {}, found {}", kind.expected(), value.type_name()),
    );
    Err(match reason {
        Some(reason) => error.help(reason),
        None => error,
    })
}

fn reason<T>(converted: Result<T, crate::EvalError>) -> (bool, Option<String>) {
    match converted {
        Ok(_) => (true, None),
        Err(error) => (false, Some(error.to_string())),
    }
}

impl Arguments {
    fn take(&mut self) -> Option<(Argument, Range<usize>)> {
        let argument = self.values.get_mut(self.next).and_then(Option::take);
        self.next += 1;
        argument
    }

    fn mismatch(&self) -> ParseError {
        ParseError::new(self.range.clone(), "an argument has another type than its parameter")
    }

    /// A value of any kind that is evaluated for each item.
    pub(super) fn expression(&mut self) -> Result<Expression, ParseError> {
        match self.take() {
            Some((Argument::Expression(expression), _)) => Ok(expression),
            _ => Err(self.mismatch()),
        }
    }

    pub(super) fn path(&mut self) -> Result<FieldPath, ParseError> {
        match self.take() {
            Some((Argument::Path(path), _)) => Ok(path),
            _ => Err(self.mismatch()),
        }
    }

    pub(super) fn expressions(&mut self) -> Result<Vec<Expression>, ParseError> {
        match self.take() {
            Some((Argument::Expressions(expressions), _)) => Ok(expressions),
            _ => Err(self.mismatch()),
        }
    }

    pub(super) fn texts(&mut self) -> Result<Vec<String>, ParseError> {
        match self.take() {
            Some((Argument::Texts(texts), _)) => Ok(texts),
            _ => Err(self.mismatch()),
        }
    }

    /// A literal string and its bytes in the text.
    pub(super) fn text(&mut self) -> Result<(String, Range<usize>), ParseError> {
        self.optional_text().ok_or_else(|| self.mismatch())
    }

    pub(super) fn optional_text(&mut self) -> Option<(String, Range<usize>)> {
        match self.take() {
            Some((Argument::Text(text), range)) => Some((text, range)),
            _ => None,
        }
    }

    /// A literal number that is not negative, and its bytes in the text.
    pub(super) fn count(&mut self) -> Result<(usize, Range<usize>), ParseError> {
        match self.take() {
            Some((Argument::Int(int), range)) => match usize::try_from(int) {
                Ok(count) => Ok((count, range)),
                Err(_) => Err(ParseError::new(
                    range,
                    format!("expected a number that is not negative, found {int}"),
                )),
            },
            _ => Err(self.mismatch()),
        }
    }

    /// Leaves out an argument that is only checked.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// An error about the call as a whole.
    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.range.clone(), message)
    }

    /// A pattern: a literal one is compiled now.
    pub(super) fn pattern(&mut self, syntax: Syntax) -> Result<Pattern, ParseError> {
        match self.take() {
            Some((Argument::Expression(expression), range)) => match expression.constant() {
                Some(OttlValue::Text(pattern)) => match compile(syntax, pattern) {
                    Ok(regex) => Ok(Pattern::Compiled(regex)),
                    Err(reason) => Err(ParseError::new(range, format!("the pattern is invalid: {reason}"))),
                },
                _ => Ok(Pattern::Computed(syntax, Box::new(expression))),
            },
            _ => Err(self.mismatch()),
        }
    }

    pub(super) fn replacement(&mut self) -> Result<Replacement, ParseError> {
        let expression = self.expression()?;
        Ok(match expression.constant() {
            Some(OttlValue::Text(text)) => Replacement::Literal(Expansion::new(text)),
            _ => Replacement::Computed(Box::new(expression)),
        })
    }
}
