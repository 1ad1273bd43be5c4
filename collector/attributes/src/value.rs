//! A value in a configuration: its YAML type is the type of the attribute.

use std::borrow::Cow;
use std::fmt;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// A text, number, boolean, list or map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Configured(pub AnyValue);

impl<'de> Deserialize<'de> for Configured {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl JsonSchema for Configured {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

struct ValueVisitor;

fn any<E>(value: Value) -> Result<Configured, E> {
    Ok(Configured(AnyValue { value: Some(value) }))
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Configured;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number of 64 bits, `true`, `false`, a list or a mapping")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Configured, E> {
        any(Value::BoolValue(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Configured, E> {
        any(Value::IntValue(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Configured, E> {
        match i64::try_from(value) {
            Ok(value) => any(Value::IntValue(value)),
            Err(_) => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Configured, E> {
        any(Value::DoubleValue(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Configured, E> {
        any(Value::StringValue(value.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Configured, E> {
        Ok(Configured(AnyValue { value: None }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Configured, A::Error> {
        let mut values = Vec::new();
        while let Some(Configured(value)) = items.next_element()? {
            values.push(value);
        }
        any(Value::ArrayValue(ArrayValue { values }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Configured, A::Error> {
        let mut values = Vec::new();
        while let Some((key, Configured(value))) = entries.next_entry::<String, Configured>()? {
            values.push(KeyValue {
                key,
                value: Some(value),
                ..Default::default()
            });
        }
        any(Value::KvlistValue(KeyValueList { values }))
    }
}
