//! A YAML document as a tree in which every key and value has its position.

use super::diagnostics::Position;
use super::scalar::{Scalar, ScalarKind};

/// How deep a tree may be, so that walking it never exhausts the stack.
pub(crate) const MAX_DEPTH: usize = 64;

/// A value with its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The start of a scalar or flow collection. A block collection and a missing value have the position of their key, an
    /// alias its own (its content: the position where it was written).
    pub position: Position,
    /// The content.
    pub value: Value,
}

/// The content of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A single value; null is one, too.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order in which it was written.
    Mapping(Vec<Entry>),
    /// A value with a reported error; treated as absent, without follow-up errors.
    Invalid,
}

/// A key of a mapping, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key's text.
    pub key: String,
    /// The position of the key.
    pub key_position: Position,
    /// The value.
    pub node: Node,
}

impl Node {
    /// True for nothing, `~` and `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(s) if s.kind() == ScalarKind::Null)
    }

    /// The entries of a mapping; of anything else, none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a mapping, or the element of a list at the index that `key` is.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.node),
            Value::Sequence(items) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
            Value::Scalar(_) | Value::Invalid => None,
        }
    }

    /// The value for a message: the text of a scalar, else the kind of value.
    pub(crate) fn found(&self) -> String {
        match &self.value {
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Invalid => "an error".to_owned(),
            Value::Scalar(s) if s.template.is_some() => format!("`{}`", s.shown()),
            Value::Scalar(s) => match s.kind() {
                ScalarKind::Null => "nothing (null)".to_owned(),
                ScalarKind::Text if s.quoted => format!("the text \"{}\"", s.shown()),
                _ => format!("`{}`", s.shown()),
            },
        }
    }

    /// True if the tree contains a value with a reported error.
    pub(crate) fn has_error(&self) -> bool {
        match &self.value {
            Value::Invalid => true,
            Value::Scalar(_) => false,
            Value::Sequence(items) => items.iter().any(Node::has_error),
            Value::Mapping(entries) => entries.iter().any(|e| e.node.has_error()),
        }
    }

    /// True if both trees hold the same values, whatever their positions, the order of keys, and their templates.
    pub(crate) fn has_same_values(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(other)) => {
                one.text == other.text && (one.quoted == other.quoted || one.kind() == other.kind())
            }
            (Value::Sequence(all), Value::Sequence(others)) => {
                all.len() == others.len() && all.iter().zip(others).all(|(one, other)| one.has_same_values(other))
            }
            (Value::Mapping(all), Value::Mapping(others)) => {
                let is_same = |entry: &Entry| {
                    let node = other.get(&entry.key);
                    node.is_some_and(|node| entry.node.has_same_values(node))
                };
                all.len() == others.len() && all.iter().all(is_same)
            }
            _ => false,
        }
    }

    /// How deep the tree is: 1 for a scalar.
    pub(crate) fn depth(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) | Value::Invalid => 0,
            Value::Sequence(items) => items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Mapping(entries) => entries.iter().map(|e| e.node.depth()).max().unwrap_or(0),
        }
    }

    /// How many values the tree holds, itself included.
    pub(crate) fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) | Value::Invalid => 0,
            Value::Sequence(items) => items.iter().map(Node::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|e| e.node.size()).sum(),
        }
    }
}
