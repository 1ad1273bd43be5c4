//! A value as text, as `pcommon.Value.AsString` of the Collector writes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// The text of a value: a string unchanged, bytes in base64, lists and maps as JSON, an empty value as an empty text.
pub(crate) fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BytesValue(bytes)) => STANDARD.encode(bytes),
        Some(Value::DoubleValue(number)) => double(*number),
        None => String::new(),
        Some(_) => json(value),
    }
}

/// JSON as Go's `encoding/json` writes it: keys sorted, `<`, `>` and `&` escaped.
fn json(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => "null".to_owned(),
        Some(Value::StringValue(text)) => quoted(text),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => double(*number),
        Some(Value::BytesValue(bytes)) => quoted(&STANDARD.encode(bytes)),
        Some(Value::ArrayValue(list)) => {
            let items: Vec<String> = list.values.iter().map(|item| json(Some(item))).collect();
            format!("[{}]", items.join(","))
        }
        Some(Value::KvlistValue(map)) => {
            let mut entries: Vec<(&str, String)> = map
                .values
                .iter()
                .map(|entry| (&*entry.key, json(entry.value.as_ref())))
                .collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{value}", quoted(key)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        // An index into a table that only profiles have.
        Some(Value::StringValueStrindex(index)) => index.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = serde_json::Value::from(text).to_string();
    for (plain, escaped) in [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ] {
        if quoted.contains(plain) {
            quoted = quoted.replace(plain, escaped);
        }
    }
    quoted
}

/// A number as in ECMAScript's JSON: with an exponent only below 1e-6 and from 1e21.
fn double(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        let name = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return format!("json: unsupported value: {name}");
    }
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        return if size < 1.0 { text } else { text.replace('e', "e+") };
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue, KeyValueList};

    use super::*;

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn scalars_are_written_as_by_the_collector() {
        for (value, expected) in [
            (Value::StringValue("a\"b".into()), "a\"b"),
            (Value::BoolValue(true), "true"),
            (Value::IntValue(-7), "-7"),
            (Value::DoubleValue(1.0), "1"),
            (Value::DoubleValue(-0.5), "-0.5"),
            (Value::DoubleValue(1e21), "1e+21"),
            (Value::DoubleValue(1.5e-7), "1.5e-7"),
            (Value::DoubleValue(f64::NAN), "json: unsupported value: NaN"),
            (Value::BytesValue(b"ab".to_vec()), "YWI="),
        ] {
            assert_eq!(text(Some(&any(value))), expected);
        }
        assert_eq!(text(None), "");
        assert_eq!(text(Some(&AnyValue { value: None })), "");
    }

    #[test]
    fn lists_and_maps_are_json_with_sorted_keys() {
        let entry = |key: &str, value| KeyValue {
            key: key.into(),
            value: Some(any(value)),
            ..Default::default()
        };
        let list = Value::ArrayValue(ArrayValue {
            values: vec![any(Value::StringValue("<x>".into())), AnyValue { value: None }],
        });
        let map = Value::KvlistValue(KeyValueList {
            values: vec![entry("b", list), entry("a", Value::DoubleValue(2.0))],
        });
        assert_eq!(text(Some(&any(map))), r#"{"a":2,"b":["\u003cx\u003e",null]}"#);
    }
}
