//! Parsed conditions and statements.

use crate::compile::Compiler;
use crate::condition::Test;
use crate::functions::Editor;
use crate::{Context, EvalError, Item, ParseError, View, functions, syntax};

/// A parsed condition: `attributes["k8s.job.outcome"] == "failed" and severity_number >= SEVERITY_NUMBER_WARN`.
#[derive(Clone, Debug)]
pub struct OttlCondition {
    text: String,
    test: Test,
}

impl OttlCondition {
    /// Parses and checks a condition about items of `context`. Paths may start with the name of a context
    /// (`resource.attributes`); those that do not belong to `context`.
    pub fn parse(text: &str, context: Context) -> Result<Self, ParseError> {
        let test = Compiler { context }.condition(&syntax::condition(text)?)?;
        Ok(OttlCondition {
            text: text.to_owned(),
            test,
        })
    }

    /// Evaluates the condition. The item must be of the context that the condition was parsed for.
    pub fn matches(&self, view: &View<'_>) -> Result<bool, EvalError> {
        self.test.evaluate(*view)
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
    editor: Editor,
    test: Test,
}

impl Statement {
    /// Parses and checks a statement about items of `context`. Paths may start with the name of a context
    /// (`resource.attributes`); those that do not belong to `context`.
    pub fn parse(text: &str, context: Context) -> Result<Self, ParseError> {
        let compiler = Compiler { context };
        let statement = syntax::statement(text)?;
        let editor = functions::editor(&statement.editor, compiler)?;
        let test = match &statement.condition {
            Some(condition) => compiler.condition(condition)?,
            None => Test::Constant(true),
        };
        Ok(Statement {
            text: text.to_owned(),
            editor,
            test,
        })
    }

    /// Runs the editor on the item if its `where` clause is true, and says whether it was. The item must be of the context
    /// that the statement was parsed for. An error leaves changes that were made before it.
    pub fn execute(&self, item: &mut Item<'_>) -> Result<bool, EvalError> {
        if !self.test.evaluate(item.view())? {
            return Ok(false);
        }
        self.editor.edit(item)?;
        Ok(true)
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}
