//! Access to the content of mappings, lists and enum variants, for [`de`](super::de).

use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::de::{Notes, Path, Place};
use super::de_error::Error;
use super::node::{Entry, Node, Value};
use super::suggest;

/// The entries of a mapping that are not hidden.
pub(crate) struct Entries<'de, 'p> {
    pub place: Place<'de, 'p>,
    pub rest: std::slice::Iter<'de, Entry>,
    pub current: Option<&'de Entry>,
    /// True if a key without a value counts as absent.
    pub null_is_absent: bool,
}

impl Entries<'_, '_> {
    fn is_absent(&self, node: &Node) -> bool {
        // An empty variable is an empty text where a text is expected.
        let plain = matches!(&node.value, Value::Scalar(scalar) if scalar.template.is_none());
        self.place.notes.is_hidden(node) || (self.null_is_absent && plain && node.is_null())
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let mut rest = self.rest.clone();
        self.current = rest.find(|e| !self.is_absent(&e.node));
        self.rest = rest;
        let Some(entry) = self.current else { return Ok(None) };
        seed.deserialize(entry.key.as_str().into_deserializer())
            .map(Some)
            .map_err(|error: Error| {
                // The key is invalid, so its position is recorded.
                if self.place.notes.hide(&entry.node) {
                    let (message, help) = match error {
                        Error::UnknownField(fields) => (
                            format!("unknown key `{}`", entry.key),
                            suggest::help(&entry.key, fields),
                        ),
                        error => (format!("in the key `{}`: {error}", entry.key), None),
                    };
                    let path = Path::Key(self.place.path, &entry.key).to_string();
                    self.place.push(entry.key_position.clone(), path, message, help);
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
pub(crate) struct Items<'de, 'p> {
    pub place: Place<'de, 'p>,
    pub rest: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
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
pub(crate) struct Variant<'de, 'p> {
    pub place: Place<'de, 'p>,
    pub entry: &'de Entry,
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
        self.content(VariantContent(visitor, None))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content(VariantContent(visitor, Some(fields)))
    }
}

/// Reads the content of a variant: a struct with these fields, else a list.
struct VariantContent<V>(V, Option<&'static [&'static str]>);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for VariantContent<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        match self.1 {
            Some(fields) => deserializer.deserialize_struct("", fields, self.0),
            None => deserializer.deserialize_seq(self.0),
        }
    }
}
