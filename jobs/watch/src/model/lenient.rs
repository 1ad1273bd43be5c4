//! Lenient JSON and protobuf: a field of the wrong type counts as absent and never loses the object.
//!
//! Every field of the types in this module is read through [`lenient`], so an object is undecodable only if it is not
//! JSON, or no message of protobuf.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use job_event::trace::Traceparent;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use smol_str::SmolStr;

/// A type read from the JSON values that fit it; `None` for all others.
pub trait Lenient: Sized {
    /// From a string.
    fn from_text(_: &str) -> Option<Self> {
        None
    }

    /// From a whole number.
    fn from_integer(_: i64) -> Option<Self> {
        None
    }

    /// From `true` or `false`.
    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    /// From a time in protobuf.
    fn from_time(_: WireTime) -> Option<Self> {
        None
    }

    /// From `null`, or a number that is not whole.
    fn from_other() -> Option<Self> {
        None
    }

    /// From an object.
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// From an array.
    fn from_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// A time as protobuf has it. A serde value has no form for it: it is an `i128`, which JSON never gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireTime {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: i32,
}

impl WireTime {
    /// Both numbers in one.
    pub(crate) fn to_packed(self) -> i128 {
        i128::from(self.seconds) << 32 | i128::from(self.nanos.cast_unsigned())
    }

    fn from_packed(packed: i128) -> Self {
        WireTime {
            seconds: (packed >> 32) as i64,
            nanos: packed as i32,
        }
    }
}

/// A struct read from a JSON object.
pub trait Object: DeserializeOwned {}

impl<T: Object> Lenient for T {
    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

impl Lenient for Box<str> {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn from_integer(number: i64) -> Option<Self> {
        Some(number.to_string().into())
    }
}

impl Lenient for SmolStr {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn from_integer(number: i64) -> Option<Self> {
        Some(number.to_string().into())
    }
}

impl Lenient for bool {
    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Lenient for i32 {
    fn from_integer(number: i64) -> Option<Self> {
        i32::try_from(number).ok()
    }
}

impl Lenient for i64 {
    fn from_integer(number: i64) -> Option<Self> {
        Some(number)
    }
}

impl Lenient for Timestamp {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_time(time: WireTime) -> Option<Self> {
        Timestamp::new(time.seconds, time.nanos).ok()
    }
}

impl Lenient for Traceparent {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl<T: Lenient> Lenient for Option<T> {
    fn from_text(text: &str) -> Option<Self> {
        Some(T::from_text(text))
    }

    fn from_integer(number: i64) -> Option<Self> {
        Some(T::from_integer(number))
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(T::from_bool(value))
    }

    fn from_time(time: WireTime) -> Option<Self> {
        Some(T::from_time(time))
    }

    fn from_other() -> Option<Self> {
        Some(T::from_other())
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        T::from_map(map).map(Some)
    }

    fn from_seq<'de, A: SeqAccess<'de>>(seq: A) -> Result<Option<Self>, A::Error> {
        T::from_seq(seq).map(Some)
    }
}

/// The most items of a list for which memory is reserved before they are read: an empty message of protobuf has 2 bytes, and the
/// item hundreds.
const AT_ONCE: usize = 16;

impl<T: Lenient> Lenient for Vec<T> {
    fn from_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut all = Vec::with_capacity(seq.size_hint().unwrap_or_default().min(AT_ONCE));
        while let Some(Element(element)) = seq.next_element()? {
            // Most lists have one item. A first push makes room for four, and four containers take more than the rest of a Pod.
            if all.capacity() == 0 {
                all.reserve_exact(1);
            }
            all.extend(element);
        }
        Ok(Some(all))
    }
}

/// Reads a field; a value of the wrong type, `null` and absence all give the default.
pub fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Lenient + Default,
{
    Ok(Element::deserialize(deserializer)?.0.unwrap_or_default())
}

/// A value read through [`lenient`].
#[derive(Debug, Default, serde::Deserialize)]
#[serde(bound(deserialize = "T: Lenient + Default"))]
pub struct Lax<T>(#[serde(deserialize_with = "lenient")] pub T);

struct Element<T>(Option<T>);

impl<'de, T: Lenient> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData)).map(Element)
    }
}

struct AnyValue<T>(PhantomData<T>);

impl<'de, T: Lenient> Visitor<'de> for AnyValue<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(T::from_integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).ok().and_then(T::from_integer))
    }

    fn visit_i128<E: Error>(self, time: i128) -> Result<Self::Value, E> {
        Ok(T::from_time(WireTime::from_packed(time)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(T::from_other())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(T::from_bool(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(T::from_other())
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(T::from_other())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::from_seq(seq)
    }
}
