//! Parsed conditions and statements.

use crate::{Context, EvalError, Item, ParseError};

/// A parsed condition: `attributes["k8s.job.outcome"] == "failed" and severity_number >= SEVERITY_NUMBER_WARN`.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
}

impl Condition {
    /// Parses and checks a condition about items of `context`. Paths may start with the name of a context
    /// (`resource.attributes`); those that do not belong to `context`.
    pub fn parse(text: &str, context: Context) -> Result<Self, ParseError> {
        let _ = context;
        Ok(Condition { text: text.to_owned() })
    }

    /// Evaluates the condition. The item must be of the context that the condition was parsed for.
    pub fn matches(&self, item: &Item<'_>) -> Result<bool, EvalError> {
        let _ = item;
        Ok(false)
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A parsed statement: `set(attributes["env"], "prod") where resource.attributes["env"] == nil`.
#[derive(Clone, Debug)]
pub struct Statement {
    text: String,
}

impl Statement {
    /// Parses and checks a statement about items of `context`. Paths may start with the name of a context
    /// (`resource.attributes`); those that do not belong to `context`.
    pub fn parse(text: &str, context: Context) -> Result<Self, ParseError> {
        let _ = context;
        Ok(Statement { text: text.to_owned() })
    }

    /// Runs the editor on the item if its `where` clause is true, and says whether it was. The item must be of the context
    /// that the statement was parsed for. An error leaves changes that were made before it.
    pub fn execute(&self, item: &mut Item<'_>) -> Result<bool, EvalError> {
        let _ = item;
        Ok(false)
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}
