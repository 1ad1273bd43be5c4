//! An object with its own type, so that an object of another type is detected.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use super::DecodeError;
use super::names::clipped;
use super::tap::TapMap;
use crate::extract::{Found, Wanted};
use crate::model::lenient::Lax;
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
    pub(super) fn checked(self, name: impl Fn() -> String) -> Result<T, DecodeError> {
        let Other { api_version, kind } = &self.other;
        check_type::<T>(api_version.as_deref(), kind.as_deref(), &name)?;
        with_uid(self.object, name)
    }
}

/// Checks the type of an object, as far as it differs from that of `T`.
pub(super) fn check_type<T: Watched>(
    other_version: Option<&str>,
    other_kind: Option<&str>,
    name: impl Fn() -> String,
) -> Result<(), DecodeError> {
    if other_version.is_none() && other_kind.is_none() {
        return Ok(());
    }
    let TypeMeta { api_version, kind } = T::TYPE;
    let found = format!(
        "{} ({})",
        clipped(other_kind.unwrap_or(kind)),
        clipped(other_version.unwrap_or(api_version))
    );
    Err(DecodeError::OtherType {
        object: name(),
        expected: T::TYPE,
        found,
    })
}

/// Checks that an object has a UID.
pub(super) fn with_uid<T: Watched>(object: T, name: impl Fn() -> String) -> Result<T, DecodeError> {
    match object.metadata().uid.is_empty() {
        true => Err(DecodeError::NoUid(name())),
        false => Ok(object),
    }
}

/// Reads an object with its type, and the labels and annotations that are wanted of it. A value that is not an object gives
/// the default.
pub(super) struct TypedSeed<'w, T> {
    pub(super) wanted: Option<&'w Wanted>,
    pub(super) object: PhantomData<T>,
}

impl<'de, T: Watched> DeserializeSeed<'de> for TypedSeed<'_, T> {
    type Value = Typed<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Typed<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Watched> Visitor<'de> for TypedSeed<'_, T> {
    type Value = Typed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Typed<T>, A::Error> {
        let mut other = Other::default();
        let checked = TypeCheck {
            map,
            expected: T::TYPE,
            other: &mut other,
        };
        let object = read_object(checked, self.wanted)?;
        Ok(Typed { object, other })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Typed<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Typed::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Typed<T>, E> {
        Ok(Typed::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Typed<T>, E> {
        Ok(Typed::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Typed<T>, E> {
        Ok(Typed::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Typed<T>, E> {
        Ok(Typed::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Typed<T>, E> {
        Ok(Typed::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Typed<T>, E> {
        Ok(Typed::default())
    }
}

/// Reads an object, with the labels and annotations that are wanted of it.
pub(super) fn read_object<'de, T: Watched, A: MapAccess<'de>>(
    fields: A,
    wanted: Option<&Wanted>,
) -> Result<T, A::Error> {
    let Some(wanted) = wanted else {
        return T::deserialize(MapAccessDeserializer::new(fields));
    };
    let mut found = Found::new(wanted);
    let tapped = TapMap::of_object(fields, &mut found);
    let mut object = T::deserialize(MapAccessDeserializer::new(tapped))?;
    object.metadata_mut().extracted = found.into_extracted();
    Ok(object)
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
