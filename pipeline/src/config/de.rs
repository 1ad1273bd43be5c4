//! Reads a type from a tree, with the position of every mistake, and all mistakes at once.
//!
//! A deserializer ends at its first error. So the value at fault is noted, hidden, and the whole is read again until
//! nothing new is found; what only follows from a hidden value (its field is now missing) is not reported.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::de_error::Error;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::{Entry, Node, Value};
use super::scalar::{Kind, Scalar};
use super::suggest;

/// How many mistakes are looked for in one component.
const MAX_MISTAKES: usize = 100;

/// Reads a `T` from `root`, which stands at `path`.
///
/// # Errors
/// Every mistake. None at all, but still an error, if the tree holds a mistake that has been reported already.
pub fn read<T: DeserializeOwned>(root: &Node, path: &str) -> Result<T, Diagnostics> {
    let notes = Notes::default();
    loop {
        let place = Place {
            node: root,
            path: &Path::Root(path),
            notes: &notes,
        };
        let before = notes.hidden.borrow().len();
        let result = T::deserialize(place).map_err(|error| place.note(error));
        let mistakes = notes.mistakes.borrow();
        match result {
            Ok(value) if mistakes.is_empty() && !root.holds_mistake() => return Ok(value),
            Err(_)
                if !notes.is_hidden(root)
                    && mistakes.0.len() < MAX_MISTAKES
                    && notes.hidden.borrow().len() > before => {}
            _ => return Err(mistakes.clone().sorted()),
        }
    }
}

/// What is known after some attempts to read a tree.
#[derive(Default)]
struct Notes {
    mistakes: RefCell<Diagnostics>,
    /// The addresses of the nodes that are treated as if they were not there.
    hidden: RefCell<HashSet<*const Node>>,
}

impl Notes {
    fn is_hidden(&self, node: &Node) -> bool {
        matches!(node.value, Value::Mistaken) || self.hidden.borrow().contains(&std::ptr::from_ref(node))
    }

    fn hide(&self, node: &Node) -> bool {
        self.hidden.borrow_mut().insert(std::ptr::from_ref(node))
    }
}

/// The way from the root to a node, kept on the stack.
enum Path<'p> {
    Root(&'p str),
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
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
struct Place<'de, 'p> {
    node: &'de Node,
    path: &'p Path<'p>,
    notes: &'p Notes,
}

impl<'de> Place<'de, '_> {
    /// Notes an error of this node, unless a node inside it has been noted for it, and hides the node.
    fn note(&self, error: Error) -> Error {
        let follows = match &error {
            Error::Noted => return error,
            Error::MissingField(field) => {
                let entry = self.node.entries().iter().find(|e| e.key == *field);
                entry.is_some_and(|e| self.notes.is_hidden(&e.node))
            }
            _ => false,
        };
        if self.notes.hide(self.node) && !follows {
            let (message, help) = error.describe(self.node);
            self.push(self.node.position.clone(), self.path.to_string(), message, help);
        }
        Error::Noted
    }

    fn push(&self, position: super::Position, path: String, message: String, help: Option<String>) {
        self.notes.mistakes.borrow_mut().push(Diagnostic {
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

    fn kind(&self) -> Option<Kind> {
        self.scalar().map(Scalar::kind)
    }

    fn unexpected(&self, visitor: &dyn de::Expected) -> Error {
        Error::Expected(visitor.to_string())
    }

    /// Notes and hides every key that is not among `fields`.
    fn check_keys(&self, fields: &[&str]) {
        for entry in self.node.entries() {
            if !fields.contains(&entry.key.as_str()) && self.notes.hide(&entry.node) {
                self.push(
                    entry.key_position.clone(),
                    Path::Key(self.path, &entry.key).to_string(),
                    format!("unknown key `{}`", entry.key.escape_debug()),
                    suggest::help(&entry.key, fields),
                );
            }
        }
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind() {
            Some(Kind::Integer(n)) => match (u64::try_from(n), i64::try_from(n)) {
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
            Some(s) if s.kind() != Kind::Null || s.template.is_some() => visitor.visit_str(&s.text),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn mapping<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Mapping(entries) => visitor.visit_map(Entries {
                place: self,
                rest: entries.iter(),
                current: None,
            }),
            _ if self.node.is_null() => visitor.visit_map(Entries {
                place: self,
                rest: [].iter(),
                current: None,
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

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Mapping(_) => self.mapping(visitor),
            Value::Sequence(_) => self.list(visitor),
            Value::Mistaken => Err(Error::Noted),
            Value::Scalar(scalar) => match scalar.kind() {
                Kind::Null => visitor.visit_unit(),
                Kind::Bool(value) => visitor.visit_bool(value),
                Kind::Integer(_) => self.integer(visitor),
                Kind::Float(value) => visitor.visit_f64(value),
                Kind::Text => visitor.visit_str(&scalar.text),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind() {
            Some(Kind::Bool(value)) => visitor.visit_bool(value),
            _ => Err(Error::Expected("`true` or `false`".to_owned())),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind() {
            Some(Kind::Float(value)) => visitor.visit_f64(value),
            // Precision beyond 53 bits is lost, as for every number with a fraction.
            Some(Kind::Integer(value)) => visitor.visit_f64(value as f64),
            _ => Err(Error::Expected("a number".to_owned())),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
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

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
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
        self.mapping(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.check_keys(fields);
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (&self.node.value, self.scalar()) {
            (_, Some(s)) if s.kind() != Kind::Null => visitor.visit_enum(s.text.as_str().into_deserializer()),
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

/// The entries of a mapping that are not hidden.
struct Entries<'de, 'p> {
    place: Place<'de, 'p>,
    rest: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> de::MapAccess<'de> for Entries<'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.rest.find(|e| !self.place.notes.is_hidden(&e.node));
        let Some(entry) = self.current else { return Ok(None) };
        seed.deserialize(entry.key.as_str().into_deserializer())
            .map(Some)
            .map_err(|error: Error| {
                // The key is at fault, so it is the key's place that is noted.
                if self.place.notes.hide(&entry.node) {
                    let message = format!("in the key `{}`: {error}", entry.key.escape_debug());
                    let path = Path::Key(self.place.path, &entry.key).to_string();
                    self.place.push(entry.key_position.clone(), path, message, None);
                }
                Error::Noted
            })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(entry) = self.current else {
            return Err(Error::Noted);
        };
        let path = Path::Key(self.place.path, &entry.key);
        read_inside(self.place.notes, &entry.node, &path, seed)
    }
}

/// The items of a list that are not hidden.
struct Items<'de, 'p> {
    place: Place<'de, 'p>,
    rest: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'de, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let notes = self.place.notes;
        let Some((index, node)) = self.rest.find(|(_, node)| !notes.is_hidden(node)) else {
            return Ok(None);
        };
        let path = Path::Index(self.place.path, index);
        read_inside(notes, node, &path, seed).map(Some)
    }
}

fn read_inside<'de, S: DeserializeSeed<'de>>(
    notes: &Notes,
    node: &'de Node,
    path: &Path<'_>,
    seed: S,
) -> Result<S::Value, Error> {
    let place = Place { node, path, notes };
    seed.deserialize(place).map_err(|error| place.note(error))
}

/// An enum variant with content: a mapping with the variant as its only key.
struct Variant<'de, 'p> {
    place: Place<'de, 'p>,
    entry: &'de Entry,
}

impl<'de, 'p> de::EnumAccess<'de> for Variant<'de, 'p> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let key: de::value::StrDeserializer<'_, Error> = self.entry.key.as_str().into_deserializer();
        Ok((seed.deserialize(key)?, self))
    }
}

impl<'de> Variant<'de, '_> {
    fn content<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        if self.place.notes.is_hidden(&self.entry.node) {
            return Err(Error::Noted);
        }
        let path = Path::Key(self.place.path, &self.entry.key);
        read_inside(self.place.notes, &self.entry.node, &path, seed)
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.content(std::marker::PhantomData)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.content(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.content(Content(visitor, None))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content(Content(visitor, Some(fields)))
    }
}

/// Reads the content of a variant: a struct with these fields, else a list.
struct Content<V>(V, Option<&'static [&'static str]>);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Content<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        match self.1 {
            Some(fields) => deserializer.deserialize_struct("", fields, self.0),
            None => deserializer.deserialize_seq(self.0),
        }
    }
}
