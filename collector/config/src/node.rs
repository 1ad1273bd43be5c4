//! A YAML document as a tree in which every key and value knows where it stands.

use super::diagnostics::Position;
use super::scalar::{Kind, Scalar};

/// How deep a tree may be, so that walking it never exhausts the stack.
pub const MAX_DEPTH: usize = 64;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where a scalar or a flow collection begins. A block collection and a missing value stand where their key
    /// stands, an alias where the alias stands (what is inside it: where it was written).
    pub position: Position,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A single value; null is one, too.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order in which it was written.
    Mapping(Vec<Entry>),
    /// A value with an error that has been reported; treated as if it were not there, and without follow-up errors.
    Invalid,
}

/// A key of a mapping, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_position: Position,
    /// The value.
    pub node: Node,
}

impl Node {
    /// Whether it is null: nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(s) if s.kind() == Kind::Null)
    }

    /// The entries of a mapping; of anything else, none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a mapping, or the element of a list at the index that `key` is.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.node),
            Value::Sequence(items) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
            Value::Scalar(_) | Value::Invalid => None,
        }
    }

    /// How a message names what was found: the value if it is a short one, else what it is.
    pub fn found(&self) -> String {
        match &self.value {
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Invalid => "an error".to_owned(),
            Value::Scalar(s) if s.template.is_some() => format!("`{}`", s.shown()),
            Value::Scalar(s) => match s.kind() {
                Kind::Null => "nothing (null)".to_owned(),
                Kind::Text if s.quoted => format!("the text \"{}\"", s.shown()),
                _ => format!("`{}`", s.shown()),
            },
        }
    }

    /// Whether the tree holds a value whose error has been reported.
    pub fn has_error(&self) -> bool {
        match &self.value {
            Value::Invalid => true,
            Value::Scalar(_) => false,
            Value::Sequence(items) => items.iter().any(Node::has_error),
            Value::Mapping(entries) => entries.iter().any(|e| e.node.has_error()),
        }
    }

    /// How deep the tree is: 1 for a scalar.
    pub fn depth(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) | Value::Invalid => 0,
            Value::Sequence(items) => items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Mapping(entries) => entries.iter().map(|e| e.node.depth()).max().unwrap_or(0),
        }
    }

    /// How many values the tree holds, itself included.
    pub fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) | Value::Invalid => 0,
            Value::Sequence(items) => items.iter().map(Node::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|e| e.node.size()).sum(),
        }
    }
}
