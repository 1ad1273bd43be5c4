//! A serializer whose output is an `AnyValue`.

use std::fmt::Display;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{AnyValueError, to_any_value};

pub(super) struct ValueSerializer;

type Written = Result<AnyValue, AnyValueError>;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(value),
        ..Default::default()
    }
}

fn list(values: Vec<KeyValue>) -> AnyValue {
    any(Value::KvlistValue(KeyValueList { values }))
}

/// Values that wait for the end of their sequence, and the variant around it.
pub(super) struct Sequence {
    variant: Option<&'static str>,
    values: Vec<AnyValue>,
}

/// Pairs that wait for the end of their map, and the variant around it.
pub(super) struct Map {
    variant: Option<&'static str>,
    key: String,
    pairs: Vec<KeyValue>,
}

impl Sequence {
    fn new(variant: Option<&'static str>, length: usize) -> Sequence {
        Sequence {
            variant,
            values: Vec::with_capacity(length),
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), AnyValueError> {
        self.values.push(to_any_value(value)?);
        Ok(())
    }

    fn finish(self) -> Written {
        let array = any(Value::ArrayValue(ArrayValue { values: self.values }));
        Ok(in_variant(self.variant, array))
    }
}

impl Map {
    fn new(variant: Option<&'static str>, length: usize) -> Map {
        Map {
            variant,
            key: String::new(),
            pairs: Vec::with_capacity(length),
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, key: impl Into<String>, value: &T) -> Result<(), AnyValueError> {
        self.pairs.push(pair(key, to_any_value(value)?));
        Ok(())
    }

    /// The order does not depend on the order of fields in the source.
    fn finish(mut self) -> Written {
        self.pairs.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(in_variant(self.variant, list(self.pairs)))
    }
}

fn in_variant(variant: Option<&'static str>, value: AnyValue) -> AnyValue {
    match variant {
        Some(variant) => list(vec![pair(variant, value)]),
        None => value,
    }
}

/// Implements the methods for plain data, each of which becomes one variant of `Value`.
macro_rules! plain {
    ($($method:ident($data:ident: $type:ty) => $value:expr;)*) => {
        $(fn $method(self, $data: $type) -> Written {
            Ok(any($value))
        })*
    };
}

impl Serializer for ValueSerializer {
    type Ok = AnyValue;
    type Error = AnyValueError;
    type SerializeSeq = Sequence;
    type SerializeTuple = Sequence;
    type SerializeTupleStruct = Sequence;
    type SerializeTupleVariant = Sequence;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Map;

    plain! {
        serialize_bool(value: bool) => Value::BoolValue(value);
        serialize_i8(value: i8) => Value::IntValue(value.into());
        serialize_i16(value: i16) => Value::IntValue(value.into());
        serialize_i32(value: i32) => Value::IntValue(value.into());
        serialize_i64(value: i64) => Value::IntValue(value);
        serialize_u8(value: u8) => Value::IntValue(value.into());
        serialize_u16(value: u16) => Value::IntValue(value.into());
        serialize_u32(value: u32) => Value::IntValue(value.into());
        serialize_u64(value: u64) => match i64::try_from(value) {
            Ok(value) => Value::IntValue(value),
            Err(_) => Value::DoubleValue(value as f64),
        };
        serialize_f32(value: f32) => Value::DoubleValue(value.into());
        serialize_f64(value: f64) => Value::DoubleValue(value);
        serialize_char(value: char) => Value::StringValue(value.into());
        serialize_str(value: &str) => Value::StringValue(value.into());
        serialize_bytes(value: &[u8]) => Value::BytesValue(value.into());
    }

    /// Without the copy of the default method.
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Written {
        Ok(any(Value::StringValue(value.to_string())))
    }

    fn serialize_none(self) -> Written {
        Ok(AnyValue::default())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(AnyValue::default())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        Ok(AnyValue::default())
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        Ok(in_variant(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Sequence, AnyValueError> {
        Ok(Sequence::new(None, length.unwrap_or_default()))
    }

    fn serialize_tuple(self, length: usize) -> Result<Sequence, AnyValueError> {
        Ok(Sequence::new(None, length))
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<Sequence, AnyValueError> {
        Ok(Sequence::new(None, length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Sequence, AnyValueError> {
        Ok(Sequence::new(Some(variant), length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Map, AnyValueError> {
        Ok(Map::new(None, length.unwrap_or_default()))
    }

    fn serialize_struct(self, _name: &'static str, length: usize) -> Result<Map, AnyValueError> {
        Ok(Map::new(None, length))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Map, AnyValueError> {
        Ok(Map::new(Some(variant), length))
    }
}

/// Implements a trait of serde for sequences, all of which differ in the name of one method only.
macro_rules! sequence {
    ($($trait:ident::$method:ident)*) => {
        $(impl $trait for Sequence {
            type Ok = AnyValue;
            type Error = AnyValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), AnyValueError> {
                self.push(value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        })*
    };
}

sequence! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// The same for structs.
macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl $trait for Map {
            type Ok = AnyValue;
            type Error = AnyValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), AnyValueError> {
                self.push(key, value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        })*
    };
}

fields! {
    SerializeStruct
    SerializeStructVariant
}

impl SerializeMap for Map {
    type Ok = AnyValue;
    type Error = AnyValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), AnyValueError> {
        match to_any_value(key)?.value {
            Some(Value::StringValue(key)) => self.key = key,
            _ => return Err(Error::custom("expected a text as the key of a map")),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), AnyValueError> {
        let key = std::mem::take(&mut self.key);
        self.push(key, value)
    }

    fn end(self) -> Written {
        self.finish()
    }
}
