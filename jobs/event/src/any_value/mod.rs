//! Serde data as OTLP's `AnyValue` and back, without a detour through JSON.
//!
//! | Rust | `AnyValue` |
//! |---|---|
//! | `bool`; integers; floats; text, `char` | the same; an integer above `i64::MAX` becomes a double |
//! | sequence, tuple | array |
//! | struct, map with text keys | key-value list, ordered by key |
//! | `None`, `()` | an empty value |
//! | unit variant | its name |
//! | other variant | a key-value list with its name as the only key |
//!
//! Bytes, which no structure here has, are read as an empty value.

mod read;
mod write;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use serde::Serialize;
use serde::de::Deserialize;

/// Data and value do not fit each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AnyValueError(String);

impl serde::ser::Error for AnyValueError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        AnyValueError(message.to_string())
    }
}

impl serde::de::Error for AnyValueError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        AnyValueError(message.to_string())
    }
}

/// The data as a value.
///
/// # Errors
/// If a map has keys other than text, or if the data's own `Serialize` fails.
pub fn to_any_value<T: Serialize + ?Sized>(data: &T) -> Result<AnyValue, AnyValueError> {
    data.serialize(write::ValueSerializer)
}

/// The data in a value; text may be borrowed from it.
///
/// # Errors
/// If the value has another form.
pub fn from_any_value<'a, T: Deserialize<'a>>(value: &'a AnyValue) -> Result<T, AnyValueError> {
    T::deserialize(read::ValueDeserializer(Some(value)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue, KeyValueList};
    use serde::Deserialize;

    use super::*;

    fn any(value: impl Into<Option<Value>>) -> AnyValue {
        AnyValue { value: value.into() }
    }

    fn text(text: &str) -> Value {
        Value::StringValue(text.into())
    }

    fn array(values: Vec<Value>) -> Value {
        let values = values.into_iter().map(any).collect();
        Value::ArrayValue(ArrayValue { values })
    }

    fn list(pairs: Vec<(&str, Option<Value>)>) -> Value {
        let pairs = pairs.into_iter().map(|(key, value)| KeyValue {
            key: key.into(),
            value: Some(any(value)),
            ..Default::default()
        });
        Value::KvlistValue(KeyValueList {
            values: pairs.collect(),
        })
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Variants {
        Unit,
        Newtype(u8),
        Tuple(u8, bool),
        Struct { a: u8 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(i64);

    #[track_caller]
    fn both_ways<T: Serialize + for<'a> Deserialize<'a> + PartialEq + Debug>(data: T, value: impl Into<Option<Value>>) {
        let value = any(value);
        assert_eq!(to_any_value(&data), Ok(value.clone()));
        assert_eq!(from_any_value(&value), Ok(data));
    }

    #[test]
    fn writes_and_reads_every_kind_of_data() {
        both_ways(true, Value::BoolValue(true));
        both_ways(i64::MIN, Value::IntValue(i64::MIN));
        both_ways(7_u8, Value::IntValue(7));
        both_ways(1.5_f32, Value::DoubleValue(1.5));
        both_ways('ж', text("ж"));
        both_ways("a".to_owned(), text("a"));
        both_ways(None::<u8>, None);
        both_ways(Some(3), Value::IntValue(3));
        both_ways((), None);
        both_ways(Wrapped(-3), Value::IntValue(-3));
        both_ways(vec![1, 2], array(vec![Value::IntValue(1), Value::IntValue(2)]));
        both_ways((1, true), array(vec![Value::IntValue(1), Value::BoolValue(true)]));
        both_ways(Variants::Unit, text("unit"));
        both_ways(Variants::Newtype(4), list(vec![("newtype", Some(Value::IntValue(4)))]));
        let tuple = array(vec![Value::IntValue(4), Value::BoolValue(false)]);
        both_ways(Variants::Tuple(4, false), list(vec![("tuple", Some(tuple))]));
        let a = list(vec![("a", Some(Value::IntValue(1)))]);
        both_ways(Variants::Struct { a: 1 }, list(vec![("struct", Some(a))]));
        let map = BTreeMap::from([("b".to_owned(), Some(2)), ("a".to_owned(), None)]);
        both_ways(map, list(vec![("a", None), ("b", Some(Value::IntValue(2)))]));
    }

    #[test]
    fn orders_the_keys_of_a_struct() {
        #[derive(Serialize)]
        struct Unordered {
            b: u8,
            a: u8,
        }
        let expected = list(vec![("a", Some(Value::IntValue(1))), ("b", Some(Value::IntValue(2)))]);
        assert_eq!(to_any_value(&Unordered { b: 2, a: 1 }), Ok(any(expected)));
    }

    #[test]
    fn writes_integers_above_i64_as_doubles() {
        assert_eq!(
            to_any_value(&u64::MAX),
            Ok(any(Value::DoubleValue(18_446_744_073_709_551_615.0)))
        );
    }

    #[test]
    fn borrows_text_and_reads_other_bytes_as_empty() {
        let value = any(list(vec![
            ("a", Some(text("x"))),
            ("b", Some(Value::BytesValue(vec![1]))),
        ]));
        let read: BTreeMap<&str, Option<&str>> = from_any_value(&value).unwrap();
        assert_eq!(read, BTreeMap::from([("a", Some("x")), ("b", None)]));
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let error = from_any_value::<u8>(&any(text("x"))).unwrap_err().to_string();
        assert_eq!(error, "invalid type: string \"x\", expected u8");
        let error = from_any_value::<Variants>(&any(text("x"))).unwrap_err().to_string();
        assert!(
            error.starts_with("unknown variant `x`, expected one of `unit`"),
            "{error}"
        );
        let error = to_any_value(&BTreeMap::from([(vec![1], 1)])).unwrap_err().to_string();
        assert_eq!(error, "expected a text as the key of a map");
    }
}
