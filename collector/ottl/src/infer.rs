//! The context of a flat list of statements and conditions, inferred from the prefixes of their paths.
//!
//! The rules are those of `context_inferrer.go` of the Collector's `pkg/ottl`: the innermost context that a path names, or an
//! inner one of it if only that knows every function and enumeration.

use std::ops::Range;

use crate::syntax::{self, CallNode, ConditionNode, ExpressionKind, ExpressionNode, KeyNode, PathNode};
use crate::{Context, ParseError, enumerations, functions, paths};

/// An error in one text of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextError {
    /// The text: its position among the statements, followed by the conditions. `None` if no path of any text names a context.
    pub index: Option<usize>,
    /// The error in it.
    pub error: ParseError,
}

/// The context of statements and conditions that are written without one: the one whose items reach every path.
///
/// `candidates` are the contexts of the signal. Every path must start with the name of a context.
pub fn infer_context(
    candidates: &[Context],
    statements: &[&str],
    conditions: &[&str],
) -> Result<Context, ContextError> {
    let mut hints = Hints {
        index: 0,
        candidates,
        paths: Vec::new(),
        names: Vec::new(),
        error: None,
    };
    for text in statements {
        let statement = syntax::statement(text).map_err(|error| ContextError {
            index: Some(hints.index),
            error,
        })?;
        hints.call(&statement.editor);
        if let Some(condition) = &statement.condition {
            hints.condition(condition);
        }
        hints.index += 1;
    }
    for text in conditions {
        let condition = syntax::condition(text).map_err(|error| ContextError {
            index: Some(hints.index),
            error,
        })?;
        hints.condition(&condition);
        hints.index += 1;
    }
    if let Some(error) = hints.error {
        return Err(error);
    }
    // Contexts are ordered from the outermost to the innermost.
    let Some(innermost) = hints.paths.iter().map(|(context, ..)| *context).max() else {
        let message = "the context cannot be inferred: no path names one";
        let error = ParseError::new(0..0, message).help(format!("a path starts with {}", listed(candidates)));
        return Err(ContextError { index: None, error });
    };
    let fits = |context: &Context| {
        context.reachable().contains(&innermost) && hints.names.iter().all(|name| name.exists_in(*context))
    };
    let context = [innermost]
        .into_iter()
        .chain(candidates.iter().rev().copied())
        .find(fits)
        .unwrap_or(innermost);
    // A path that this context does not reach belongs to another list.
    match hints
        .paths
        .iter()
        .find(|(owner, ..)| !context.reachable().contains(owner))
    {
        Some((owner, index, range)) => {
            let message = format!("paths of `{owner}` do not exist in the context `{context}`, which other paths need");
            Err(ContextError {
                index: Some(*index),
                error: ParseError::new(range.clone(), message),
            })
        }
        None => Ok(context),
    }
}

/// The paths and names that the texts use.
struct Hints<'c> {
    /// The text that is read now.
    index: usize,
    candidates: &'c [Context],
    /// The context of each path, its text and its bytes in there.
    paths: Vec<(Context, usize, Range<usize>)>,
    names: Vec<Name>,
    /// The first error.
    error: Option<ContextError>,
}

/// A name that not every context has.
enum Name {
    Function(String),
    Enumeration(String),
}

impl Name {
    fn exists_in(&self, context: Context) -> bool {
        match self {
            Name::Function(name) => functions::exists(name, context),
            Name::Enumeration(name) => enumerations::of(context).iter().any(|(known, _)| known == name),
        }
    }
}

impl Hints<'_> {
    fn condition(&mut self, condition: &ConditionNode) {
        match condition {
            ConditionNode::Constant(_) => {}
            ConditionNode::Compare(left, _, right) => {
                self.expression(left);
                self.expression(right);
            }
            ConditionNode::Call(call) => self.call(call),
            ConditionNode::Not(inner) => self.condition(inner),
            ConditionNode::All(conditions) | ConditionNode::Any(conditions) => {
                conditions.iter().for_each(|condition| self.condition(condition));
            }
        }
    }

    fn expression(&mut self, expression: &ExpressionNode) {
        match &expression.kind {
            ExpressionKind::Symbol(name) => self.names.push(Name::Enumeration(name.clone())),
            ExpressionKind::Path(path) => self.path(path),
            ExpressionKind::Call(call) => self.call(call),
            ExpressionKind::Negate(inner) => self.expression(inner),
            ExpressionKind::Math(first, rest) => {
                self.expression(first);
                rest.iter().for_each(|(_, operand)| self.expression(operand));
            }
            ExpressionKind::List(elements) => elements.iter().for_each(|element| self.expression(element)),
            ExpressionKind::Map(entries) => entries.iter().for_each(|(_, value)| self.expression(value)),
            ExpressionKind::Nil
            | ExpressionKind::Bool(_)
            | ExpressionKind::Int(_)
            | ExpressionKind::Float(_)
            | ExpressionKind::Text(_)
            | ExpressionKind::Bytes(_) => {}
        }
    }

    fn call(&mut self, call: &CallNode) {
        self.names.push(Name::Function(call.name.clone()));
        call.arguments
            .iter()
            .for_each(|argument| self.expression(&argument.value));
        self.keys(&call.keys);
    }

    fn keys(&mut self, keys: &[KeyNode]) {
        for key in keys {
            if let KeyNode::Expression(expression) = key {
                self.expression(expression);
            }
        }
    }

    fn path(&mut self, path: &PathNode) {
        path.segments.iter().for_each(|segment| self.keys(&segment.keys));
        let first = path.segments.first().map_or("", |segment| segment.name.as_str());
        match paths::prefix(path) {
            // The Collector knows the old name only where the context is given.
            Some(_) if first == "instrumentation_scope" => {
                self.fail(
                    path,
                    "`instrumentation_scope` is named `scope` where the context is inferred".to_owned(),
                );
            }
            Some(context) if self.candidates.contains(&context) => {
                self.paths.push((context, self.index, path.range.clone()));
            }
            Some(context) => {
                let message = format!("paths of `{context}` do not belong to this signal");
                self.fail(path, message);
            }
            None if paths::is_other_context(first) => {
                self.fail(path, format!("the context `{first}` is not supported"));
            }
            None => {
                let message = "the path needs the name of its context in front";
                self.fail(path, message.to_owned());
            }
        }
    }

    fn fail(&mut self, path: &PathNode, message: String) {
        let first = path
            .segments
            .first()
            .map_or(path.range.clone(), |segment| segment.range.clone());
        let error = ParseError::new(first, message).help(format!("a path starts with {}", listed(self.candidates)));
        self.error.get_or_insert(ContextError {
            index: Some(self.index),
            error,
        });
    }
}

fn listed(contexts: &[Context]) -> String {
    contexts
        .iter()
        .map(|context| format!("`{context}.`"))
        .collect::<Vec<_>>()
        .join(", ")
}
