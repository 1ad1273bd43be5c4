//! A deserializer over a borrowed `AnyValue`.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::AnyValueError;

/// A value; `None` is an attribute without one.
#[derive(Clone, Copy)]
pub(super) struct ValueDeserializer<'a>(pub(super) Option<&'a AnyValue>);

impl<'a> ValueDeserializer<'a> {
    fn value(self) -> Option<&'a Value> {
        self.0?.value.as_ref()
    }
}

impl<'a> IntoDeserializer<'a, AnyValueError> for ValueDeserializer<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn pair(pair: &KeyValue) -> (BorrowedStrDeserializer<'_, AnyValueError>, ValueDeserializer<'_>) {
    (
        BorrowedStrDeserializer::new(&pair.key),
        ValueDeserializer(pair.value.as_ref()),
    )
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = AnyValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AnyValueError> {
        match self.value() {
            Some(Value::StringValue(text)) => visitor.visit_borrowed_str(text),
            Some(Value::BoolValue(value)) => visitor.visit_bool(*value),
            Some(Value::IntValue(value)) => visitor.visit_i64(*value),
            Some(Value::DoubleValue(value)) => visitor.visit_f64(*value),
            Some(Value::ArrayValue(array)) => {
                let mut values = SeqDeserializer::new(array.values.iter().map(|value| ValueDeserializer(Some(value))));
                let read = visitor.visit_seq(&mut values)?;
                values.end().map(|()| read)
            }
            Some(Value::KvlistValue(list)) => {
                let mut pairs = MapDeserializer::new(list.values.iter().map(pair));
                let read = visitor.visit_map(&mut pairs)?;
                pairs.end().map(|()| read)
            }
            Some(Value::BytesValue(_) | Value::StringValueStrindex(_)) | None => visitor.visit_unit(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AnyValueError> {
        match self.value() {
            Some(Value::BytesValue(_) | Value::StringValueStrindex(_)) | None => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, AnyValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, AnyValueError> {
        match self.value() {
            Some(Value::StringValue(name)) => visitor.visit_enum(BorrowedStrDeserializer::new(name)),
            Some(Value::KvlistValue(list)) => {
                let pairs = MapDeserializer::new(list.values.iter().map(pair));
                visitor.visit_enum(MapAccessDeserializer::new(pairs))
            }
            _ => Err(Error::custom("expected the name of a variant, or a map with one key")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
