//! Replaces `${…}` in every scalar of a tree.
//!
//! The value of a variable is one scalar: never YAML structure, never searched for further `${…}`. A
//! scalar that is nothing but one variable has the type that its value has as a plain scalar, as in the collector;
//! where a text is wanted, it is the value as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::{Node, Value};
use super::scalar::{Scalar, Template};
use super::template::{Part, TemplateError, parts};

/// How many bytes all replaced scalars together may have, so that a small file cannot ask for all memory.
const MAX_BYTES: usize = 16 << 20;

/// Reads a variable of the environment.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces `${…}` and `$$` in every scalar of `root`. A scalar with an error becomes [`Value::Invalid`]. With `unset`,
/// a scalar with a variable that is not set becomes that too, without an error, and the name is added to `unset`.
pub(crate) fn substitute(
    root: &mut Node,
    environment: Environment<'_>,
    unset: Option<&mut BTreeSet<String>>,
    errors: &mut Diagnostics,
) {
    let mut substitution = Substitution {
        environment,
        unset,
        incomplete: false,
        errors,
        path: Vec::new(),
        bytes: 0,
    };
    substitution.node(root);
}

struct Substitution<'a> {
    environment: Environment<'a>,
    unset: Option<&'a mut BTreeSet<String>>,
    /// True if the scalar names a variable that was added to `unset`.
    incomplete: bool,
    errors: &'a mut Diagnostics,
    path: Vec<String>,
    bytes: usize,
}

impl Substitution<'_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    self.path.push(entry.key.clone());
                    self.node(&mut entry.node);
                    self.path.pop();
                }
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push(index.to_string());
                    self.node(item);
                    self.path.pop();
                }
            }
            Value::Scalar(scalar) if scalar.text.contains('$') => {
                let before = self.errors.0.len();
                self.incomplete = false;
                if let Err(error) = self.scalar(scalar) {
                    self.errors.push(Diagnostic {
                        position: None,
                        path: self.path.join("::"),
                        message: error.message,
                        help: Some(error.help),
                    });
                }
                for error in self.errors.0.iter_mut().skip(before) {
                    error.position = Some(node.position.clone());
                }
                if self.incomplete || self.errors.0.len() > before {
                    node.value = Value::Invalid;
                }
            }
            Value::Scalar(_) | Value::Invalid => {}
        }
    }

    fn scalar(&mut self, scalar: &mut Scalar) -> Result<(), TemplateError> {
        let parts = parts(&scalar.text)?;
        if let [Part::Text(text)] = parts.as_slice()
            && *text == scalar.text
        {
            return Ok(());
        }
        let mut text = String::new();
        let mut values = Vec::new();
        self.evaluate(&parts, &mut text, &mut values);
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_BYTES {
            return Err(TemplateError {
                message: format!("all replaced values together have more than {MAX_BYTES} bytes"),
                help: "use shorter variables, or use them less often".to_owned(),
            });
        }
        let single = matches!(parts.as_slice(), [Part::Variable { .. }]);
        let template = std::mem::replace(&mut scalar.text, text);
        scalar.quoted = !single;
        scalar.template = Some(Arc::new(Template { text: template, values }));
        Ok(())
    }

    fn evaluate(&mut self, parts: &[Part], text: &mut String, values: &mut Vec<(String, String)>) {
        for part in parts {
            if self.bytes.saturating_add(text.len()) > MAX_BYTES {
                return;
            }
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Variable { name, default } => match ((self.environment)(name), default) {
                    (Some(value), _) => {
                        text.push_str(&value);
                        if !value.is_empty() {
                            values.push((value, format!("${{env:{name}}}")));
                        }
                    }
                    (None, Some(default)) => self.evaluate(default, text, values),
                    (None, None) => match &mut self.unset {
                        Some(unset) => {
                            unset.insert(name.clone());
                            self.incomplete = true;
                        }
                        None => self.errors.push(Diagnostic {
                            position: None,
                            path: self.path.join("::"),
                            message: format!("the environment variable `{name}` is not set"),
                            help: Some(format!("set it, or give a default: `${{env:{name}:-default}}`")),
                        }),
                    },
                },
            }
        }
    }
}
