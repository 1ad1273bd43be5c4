//! Reads a type from a tree, with the position of every error, and all errors at once.
//!
//! A deserializer stops at its first error. So the invalid value is recorded and hidden, and the tree is read again
//! until no new error is found. An error that only follows from a hidden value (its field is now missing) is not
//! reported.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

use super::de_access::{Entries, Items, Variant};
use super::de_error::Error;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::{Node, Value};
use super::scalar::{Scalar, ScalarKind};
use super::{redact, suggest};

/// How many errors are looked for in one component.
const MAX_ERRORS: usize = 100;

/// Reads a `T` from `root`, the value at `path`.
///
/// # Errors
/// All errors; an empty list if the tree has only errors that were reported before.
pub(crate) fn read<T: DeserializeOwned>(root: &Node, path: &str) -> Result<T, Diagnostics> {
    let notes = Notes::default();
    loop {
        let place = Place {
            node: root,
            path: &Path::Root(path),
            notes: &notes,
        };
        let before = notes.hidden.borrow().len();
        let result = T::deserialize(place).map_err(|error| place.note(error));
        let errors = notes.errors.borrow();
        match result {
            Ok(value) if errors.is_empty() && !root.has_error() => return Ok(value),
            Err(_) if !notes.is_hidden(root) && errors.0.len() < MAX_ERRORS && notes.hidden.borrow().len() > before => {
            }
            _ => return Err(errors.clone().sorted()),
        }
    }
}

/// The findings of all attempts to read a tree.
#[derive(Default)]
pub(crate) struct Notes {
    errors: RefCell<Diagnostics>,
    /// The addresses of the nodes that are treated as absent.
    hidden: RefCell<HashSet<*const Node>>,
}

impl Notes {
    pub(crate) fn is_hidden(&self, node: &Node) -> bool {
        matches!(node.value, Value::Invalid) || self.hidden.borrow().contains(&std::ptr::from_ref(node))
    }

    pub(crate) fn hide(&self, node: &Node) -> bool {
        self.hidden.borrow_mut().insert(std::ptr::from_ref(node))
    }
}

/// The path from the root to a node, a linked list on the stack.
pub(crate) enum Path<'p> {
    Root(&'p str),
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// True if a key on the path names a secret.
    fn names_secret(&self) -> bool {
        match self {
            Path::Root(_) => false,
            Path::Key(parent, key) => redact::names_secret(key) || parent.names_secret(),
            Path::Index(parent, _) => parent.names_secret(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(path) => f.write_str(path),
            Path::Key(Path::Root(""), key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}::{key}"),
            Path::Index(parent, index) => write!(f, "{parent}::{index}"),
        }
    }
}

/// A node to read from.
#[derive(Clone, Copy)]
pub(crate) struct Place<'de, 'p> {
    pub node: &'de Node,
    pub path: &'p Path<'p>,
    pub notes: &'p Notes,
}

impl<'de> Place<'de, '_> {
    /// Records an error of this node and hides the node, unless the error is already recorded for a node inside it.
    pub(crate) fn note(&self, error: Error) -> Error {
        let follows = match &error {
            Error::Noted => return error,
            Error::MissingField(field) => {
                let entry = self.node.entries().iter().find(|e| e.key == *field);
                if let Some(empty) = entry.filter(|e| e.node.is_null() && self.notes.hide(&e.node)) {
                    let path = Path::Key(self.path, &empty.key).to_string();
                    let message = "found nothing (null), expected a value".to_owned();
                    self.push(empty.node.position.clone(), path, message, None);
                }
                entry.is_some_and(|e| self.notes.is_hidden(&e.node))
            }
            _ => false,
        };
        if self.notes.hide(self.node) && !follows {
            let (message, help) = error.describe(self.node, self.path.names_secret());
            self.push(self.node.position.clone(), self.path.to_string(), message, help);
        }
        Error::Noted
    }

    pub(crate) fn push(&self, position: super::Position, path: String, message: String, help: Option<String>) {
        self.notes.errors.borrow_mut().push(Diagnostic {
            position: Some(position),
            path,
            message,
            help,
        });
    }

    fn scalar(&self) -> Option<&'de Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    fn kind(&self) -> Option<ScalarKind> {
        self.scalar().map(Scalar::kind)
    }

    fn unexpected(&self, visitor: &dyn de::Expected) -> Error {
        Error::Expected(visitor.to_string())
    }

    /// Records and hides every key that is not among `fields`.
    fn check_keys(&self, fields: &[&str]) {
        for entry in self.node.entries() {
            if !fields.contains(&entry.key.as_str()) && self.notes.hide(&entry.node) {
                self.push(
                    entry.key_position.clone(),
                    Path::Key(self.path, &entry.key).to_string(),
                    format!("unknown key `{}`", entry.key),
                    suggest::help(&entry.key, fields),
                );
            }
        }
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind() {
            Some(ScalarKind::Integer(n)) => match (u64::try_from(n), i64::try_from(n)) {
                (Ok(n), _) => visitor.visit_u64(n),
                (_, Ok(n)) => visitor.visit_i64(n),
                _ => visitor.visit_i128(n),
            },
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.scalar() {
            // A plain null is a missing value; one from a variable is a text if a text is wanted.
            Some(s) if s.kind() != ScalarKind::Null || s.template.is_some() => visitor.visit_str(&s.text),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    /// `null_is_absent`: a key with nothing after it leaves its default as it is.
    fn mapping<V: Visitor<'de>>(self, visitor: V, null_is_absent: bool) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Mapping(entries) => visitor.visit_map(Entries {
                place: self,
                rest: entries.iter(),
                current: None,
                null_is_absent,
            }),
            _ if self.node.is_null() => visitor.visit_map(Entries {
                place: self,
                rest: [].iter(),
                current: None,
                null_is_absent,
            }),
            _ => Err(Error::Expected("a mapping".to_owned())),
        }
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Sequence(items) => visitor.visit_seq(Items {
                place: self,
                rest: items.iter().enumerate(),
            }),
            _ if self.node.is_null() => visitor.visit_seq(Items {
                place: self,
                rest: [].iter().enumerate(),
            }),
            _ => Err(Error::Expected("a list".to_owned())),
        }
    }
}

impl<'de> Deserializer<'de> for Place<'de, '_> {
    type Error = Error;

    serde::forward_to_deserialize_any! { i8 i16 i32 i64 u8 u16 u32 u64 bytes byte_buf }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Mapping(_) => self.mapping(visitor, true),
            Value::Sequence(_) => self.list(visitor),
            Value::Invalid => Err(Error::Noted),
            Value::Scalar(scalar) => match scalar.kind() {
                ScalarKind::Null => visitor.visit_unit(),
                ScalarKind::Bool(value) => visitor.visit_bool(value),
                ScalarKind::Integer(_) => self.integer(visitor),
                ScalarKind::Float(value) => visitor.visit_f64(value),
                ScalarKind::Text => visitor.visit_str(&scalar.text),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind() {
            Some(ScalarKind::Bool(value)) => visitor.visit_bool(value),
            _ => Err(Error::Expected("`true` or `false`".to_owned())),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind() {
            Some(ScalarKind::Float(value)) => visitor.visit_f64(value),
            // Precision beyond 53 bits is lost, as for every number with a fraction.
            Some(ScalarKind::Integer(value)) => visitor.visit_f64(value as f64),
            _ => Err(Error::Expected("a number".to_owned())),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() {
            visitor.visit_unit()
        } else {
            Err(self.unexpected(&visitor))
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.mapping(visitor, false)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.check_keys(fields);
        self.mapping(visitor, true)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (&self.node.value, self.scalar()) {
            (_, Some(s)) if s.kind() != ScalarKind::Null => visitor.visit_enum(s.text.as_str().into_deserializer()),
            (Value::Mapping(entries), _) if entries.len() == 1 => visitor.visit_enum(Variant {
                place: self,
                entry: &entries[0],
            }),
            _ => Err(Error::Expected(super::de_error::one_of(variants))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}
