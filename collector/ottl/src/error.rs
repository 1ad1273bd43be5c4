//! Errors of texts and errors of evaluation.

use std::borrow::Cow;
use std::ops::Range;

/// An error in the text of a condition or a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The bytes of the text that are wrong; empty at the end of the text if something is missing there.
    pub range: Range<usize>,
    /// The problem: what was found and what was expected.
    pub message: String,
    /// How to fix it: the nearest known name, or those that exist.
    pub help: Option<String>,
}

impl ParseError {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        ParseError {
            range,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        ParseError {
            help: Some(help.into()),
            ..self
        }
    }
}

/// An error of one evaluation: the item has a value of another type than the text needs.
///
/// The message names types, never values, so that it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(Cow<'static, str>);

impl EvalError {
    pub(crate) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        EvalError(message.into())
    }
}
