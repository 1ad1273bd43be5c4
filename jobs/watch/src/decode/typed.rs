//! An object with its own type, so that an object of another type is detected.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

use super::DecodeError;
use super::names::clipped;
use crate::model::lenient::{Lax, Lenient};
use crate::model::{TypeMeta, Watched};

/// An object and its `apiVersion` and `kind`, where they differ from those of `T`. The items of a list omit them; the
/// list has them for all.
#[derive(Default)]
pub(super) struct Typed<T> {
    object: T,
    other: Other,
}

#[derive(Default)]
struct Other {
    api_version: Option<Box<str>>,
    kind: Option<Box<str>>,
}

impl<T: Watched> Typed<T> {
    /// The object; `name` describes it in an error.
    ///
    /// # Errors
    /// If it is of another type, or has no UID.
    pub(super) fn checked(self, name: impl FnOnce() -> String) -> Result<T, DecodeError> {
        let TypeMeta { api_version, kind } = T::TYPE;
        let Other {
            api_version: other_version,
            kind: other_kind,
        } = self.other;
        if other_version.is_some() || other_kind.is_some() {
            let found = format!(
                "{} ({})",
                clipped(other_kind.as_deref().unwrap_or(kind)),
                clipped(other_version.as_deref().unwrap_or(api_version))
            );
            return Err(DecodeError::OtherType {
                object: name(),
                expected: T::TYPE,
                found,
            });
        }
        match self.object.metadata().uid.is_empty() {
            true => Err(DecodeError::NoUid(name())),
            false => Ok(self.object),
        }
    }
}

impl<T: Watched> Lenient for Typed<T> {
    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        let mut other = Other::default();
        let checked = TypeCheck {
            map,
            expected: T::TYPE,
            other: &mut other,
        };
        let object = T::deserialize(MapAccessDeserializer::new(checked))?;
        Ok(Some(Typed { object, other }))
    }
}

/// A map without the keys of its type, which are compared.
struct TypeCheck<'a, A> {
    map: A,
    expected: TypeMeta,
    other: &'a mut Other,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TypeCheck<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(Key(key)) = self.map.next_key()? {
            let (expected, other) = match &*key {
                "apiVersion" => (self.expected.api_version, &mut self.other.api_version),
                "kind" => (self.expected.kind, &mut self.other.kind),
                _ => return seed.deserialize(key.into_deserializer()).map(Some),
            };
            let Lax(found) = self.map.next_value::<Lax<Box<str>>>()?;
            *other = (!found.is_empty() && &*found != expected).then_some(found);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A key of a JSON object, borrowed if it has no escapes.
pub(super) struct Key<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
