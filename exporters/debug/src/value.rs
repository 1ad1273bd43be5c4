//! OTLP values as text that fits on a line.

use collector_data::points;
use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

/// The deepest nesting that is shown; deeper values are cut.
pub(crate) const MAX_DEPTH: usize = 32;

/// A name as it is, if it is a plain one, else in quotes with everything unusual escaped.
pub(crate) fn name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// The key of an attribute.
pub(crate) fn key(attribute: &KeyValue) -> String {
    match (attribute.key.as_str(), attribute.key_strindex) {
        ("", index) if index != 0 => format!("<string {index}>"),
        (key, _) => name(key),
    }
}

/// A value: texts in quotes, bytes in hexadecimal, arrays in `[]`, maps in `{}`; `null` for none.
pub(crate) fn inline(value: Option<&AnyValue>) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

fn write_value(out: &mut String, value: Option<&AnyValue>, depth: usize) {
    match value.and_then(|value| value.value.as_ref()) {
        None => out.push_str("null"),
        Some(Value::StringValue(text)) => out.push_str(&format!("{text:?}")),
        Some(Value::BoolValue(b)) => out.push_str(&b.to_string()),
        Some(Value::IntValue(i)) => out.push_str(&i.to_string()),
        Some(Value::DoubleValue(d)) => out.push_str(&double(*d)),
        Some(Value::BytesValue(bytes)) => out.push_str(&format!("0x{}", hex(bytes))),
        Some(Value::StringValueStrindex(index)) => out.push_str(&format!("<string {index}>")),
        Some(Value::ArrayValue(_) | Value::KvlistValue(_)) if depth >= MAX_DEPTH => out.push('…'),
        Some(Value::ArrayValue(array)) => {
            out.push('[');
            for (index, value) in array.values.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_value(out, Some(value), depth + 1);
            }
            out.push(']');
        }
        Some(Value::KvlistValue(list)) => {
            out.push('{');
            for (index, attribute) in list.values.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&key(attribute));
                out.push_str(": ");
                write_value(out, attribute.value.as_ref(), depth + 1);
            }
            out.push('}');
        }
    }
}

/// A number, always recognizable as one with a fraction, and never hundreds of digits long.
pub(crate) fn double(value: f64) -> String {
    format!("{value:?}")
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time in nanoseconds since 1970 as RFC 3339; `-` for 0, which means unknown in OTLP.
pub(crate) fn time(nanos: u64) -> String {
    match (nanos, Timestamp::from_nanosecond(i128::from(nanos))) {
        (0, _) => "-".into(),
        (_, Ok(time)) => time.to_string(),
        (_, Err(_)) => format!("{nanos}ns"),
    }
}

/// `delta`, `cumulative`, or the number.
fn temporality(number: i32) -> String {
    match AggregationTemporality::try_from(number) {
        Ok(AggregationTemporality::Delta) => "delta".into(),
        Ok(AggregationTemporality::Cumulative) => "cumulative".into(),
        Ok(AggregationTemporality::Unspecified) => "unspecified temporality".into(),
        Err(_) => format!("temporality {number}"),
    }
}

/// The kind of a metric.
pub(crate) struct MetricKind {
    pub(crate) name: &'static str,
    pub(crate) temporality: Option<String>,
    /// `monotonic` or `not monotonic`, for a sum.
    pub(crate) monotonic: Option<&'static str>,
}

impl MetricKind {
    pub(crate) fn of(data: &Data) -> MetricKind {
        let (name, monotonic) = match data {
            Data::Gauge(_) => ("gauge", None),
            Data::Sum(sum) if sum.is_monotonic => ("sum", Some("monotonic")),
            Data::Sum(_) => ("sum", Some("not monotonic")),
            Data::Histogram(_) => ("histogram", None),
            Data::ExponentialHistogram(_) => ("exponential histogram", None),
            Data::Summary(_) => ("summary", None),
        };
        MetricKind {
            name,
            temporality: points::temporality(data).map(temporality),
            monotonic,
        }
    }
}

/// The name of an OTLP enum's member without the prefix all members share; the bare number if it has none.
pub(crate) fn member<T: TryFrom<i32>>(number: i32, prefix: &str, as_str: fn(&T) -> &'static str) -> String {
    match T::try_from(number) {
        Ok(member) => as_str(&member).trim_start_matches(prefix).to_owned(),
        Err(_) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

    use super::*;

    fn show(value: Value) -> String {
        inline(Some(&AnyValue { value: Some(value) }))
    }

    #[test]
    fn shows_every_kind_of_value() {
        assert_eq!(inline(None), "null");
        assert_eq!(inline(Some(&AnyValue { value: None })), "null");
        assert_eq!(show(Value::StringValue(String::new())), "\"\"");
        assert_eq!(
            show(Value::StringValue("\u{1b}[31mred\n\u{202e}\0 ж".into())),
            "\"\\u{1b}[31mred\\n\\u{202e}\\0 ж\""
        );
        assert_eq!(show(Value::BoolValue(true)), "true");
        assert_eq!(show(Value::IntValue(i64::MIN)), "-9223372036854775808");
        assert_eq!(show(Value::DoubleValue(1.0)), "1.0");
        assert_eq!(show(Value::DoubleValue(f64::NAN)), "NaN");
        assert_eq!(show(Value::DoubleValue(f64::NEG_INFINITY)), "-inf");
        assert_eq!(show(Value::DoubleValue(1e300)), "1e300");
        assert_eq!(show(Value::BytesValue(vec![0, 255])), "0x00ff");
        assert_eq!(show(Value::StringValueStrindex(3)), "<string 3>");
        assert_eq!(show(Value::ArrayValue(ArrayValue::default())), "[]");
        let list = KeyValueList {
            values: vec![
                KeyValue::default(),
                KeyValue {
                    key: "a b\n".into(),
                    value: Some(AnyValue {
                        value: Some(Value::IntValue(1)),
                    }),
                    ..Default::default()
                },
            ],
        };
        assert_eq!(show(Value::KvlistValue(list)), "{\"\": null, \"a b\\n\": 1}");
    }

    #[test]
    fn cuts_deep_values() {
        let mut value = Value::IntValue(1);
        for _ in 0..1000 {
            value = Value::ArrayValue(ArrayValue {
                values: vec![AnyValue { value: Some(value) }],
            });
        }
        assert_eq!(
            show(value),
            format!("{}…{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))
        );
    }

    #[test]
    fn shows_times() {
        assert_eq!(time(0), "-");
        assert_eq!(time(1_700_000_000_500_000_000), "2023-11-14T22:13:20.5Z");
        assert_eq!(time(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }
}
