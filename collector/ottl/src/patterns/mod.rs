//! Patterns: Go's regular expressions and replacements on the `regex` crate, and globs.

mod glob;
mod go;
mod replacement;

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::expression::Expression;
use crate::value::OttlValue;
use crate::{EvalError, View};

pub(crate) use replacement::{Expansion, Replacement};

/// The largest compiled pattern, in bytes; patterns may come from data.
const LARGEST: usize = 1 << 20;

/// How a pattern is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// A regular expression that may match anywhere in a text.
    Regex,
    /// A glob that matches a whole text.
    Glob,
}

/// A pattern that is compiled once, or one that is computed for each view.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Compiled(Regex),
    Computed(Syntax, Box<Expression>),
}

impl Pattern {
    pub(crate) fn get(&self, view: View<'_>) -> Result<Cow<'_, Regex>, EvalError> {
        match self {
            Pattern::Compiled(regex) => Ok(Cow::Borrowed(regex)),
            Pattern::Computed(syntax, expression) => match expression.evaluate(view)? {
                OttlValue::Text(pattern) => compile(*syntax, &pattern)
                    .map(Cow::Owned)
                    .map_err(|_| EvalError::new("the computed pattern is invalid")),
                other => Err(other.mismatch("a string as pattern")),
            },
        }
    }
}

/// Compiles a pattern; the error is the reason.
pub(crate) fn compile(syntax: Syntax, pattern: &str) -> Result<Regex, String> {
    let translated = match syntax {
        Syntax::Regex => go::translate(pattern)?,
        Syntax::Glob => glob::translate(pattern)?,
    };
    RegexBuilder::new(&translated)
        .size_limit(LARGEST)
        .build()
        .map_err(|error| reason(&error))
}

/// The last line of the crate's message, which has the reason; the lines before it draw the pattern.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("it needs more than {LARGEST} bytes of memory"),
        other => {
            let text = other.to_string();
            let line = text.lines().last().unwrap_or_default();
            line.trim().trim_start_matches("error: ").to_owned()
        }
    }
}
