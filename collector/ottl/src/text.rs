//! Values as text: as Go writes numbers, and maps and lists as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::EvalError;
use crate::convert::hex;
use crate::value::OttlValue;

/// How JSON is written: functions use goccy/go-json, `body.string` uses encoding/json.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `<`, `>` and `&` are escaped; small exponents have two digits.
    Functions,
    Body,
}

/// The text of a value where functions accept any type: `IsMatch`, `Concat`, `String`. Nil has none.
pub(crate) fn to_text<'a>(value: OttlValue<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
    let text = match value {
        OttlValue::Nil => return Ok(None),
        OttlValue::Text(text) => return Ok(Some(text)),
        OttlValue::Bytes(bytes) => hex(&bytes),
        OttlValue::Int(value) | OttlValue::Duration(value) => value.to_string(),
        OttlValue::Bool(value) => return Ok(Some(Cow::Borrowed(if value { "true" } else { "false" }))),
        OttlValue::Double(value) => json_double(value, Dialect::Functions)?,
        OttlValue::Map(map) => json(|out| write_map(out, &map, Dialect::Functions))?,
        OttlValue::List(list) => json(|out| write_list(out, &list, Dialect::Functions))?,
        OttlValue::TypedList(list) => json(|out| write_list(out, &list, Dialect::Functions))?,
        OttlValue::Time(nanoseconds) => format!("\"{}\"", rfc3339(nanoseconds)),
        OttlValue::TraceId(id) => numbers(&id),
        OttlValue::SpanId(id) => numbers(&id),
        OttlValue::Messages { .. } => return Err(EvalError::new("a list of messages has no text")),
    };
    Ok(Some(Cow::Owned(text)))
}

/// The text of an attribute or a body, as `AsString` of the Collector's pdata.
pub(crate) fn any_text(value: Option<&AnyValue>) -> Cow<'_, str> {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else {
        return Cow::Borrowed("");
    };
    Cow::Owned(match value {
        Any::StringValue(text) => return Cow::Borrowed(text),
        Any::BoolValue(value) => value.to_string(),
        Any::IntValue(value) => value.to_string(),
        Any::DoubleValue(value) if value.is_nan() => "NaN".to_owned(),
        Any::DoubleValue(value) if value.is_infinite() => {
            if *value > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        Any::DoubleValue(value) => double(*value, Dialect::Body),
        // A number that JSON does not have leaves nothing.
        Any::KvlistValue(map) => json(|out| write_map(out, &map.values, Dialect::Body)).unwrap_or_default(),
        Any::ArrayValue(list) => json(|out| write_list(out, &list.values, Dialect::Body)).unwrap_or_default(),
        Any::BytesValue(bytes) => STANDARD.encode(bytes),
        Any::StringValueStrindex(_) => String::new(),
    })
}

fn json(write: impl FnOnce(&mut String) -> Result<(), EvalError>) -> Result<String, EvalError> {
    let mut out = String::new();
    write(&mut out)?;
    Ok(out)
}

/// Keys are sorted; the last of equal ones counts.
fn write_map(out: &mut String, map: &[KeyValue], dialect: Dialect) -> Result<(), EvalError> {
    let entries: BTreeMap<_, _> = map
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.as_ref()))
        .collect();
    out.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, key, dialect);
        out.push(':');
        write_value(out, value, dialect)?;
    }
    out.push('}');
    Ok(())
}

fn write_list(out: &mut String, list: &[AnyValue], dialect: Dialect) -> Result<(), EvalError> {
    out.push('[');
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_value(out, Some(value), dialect)?;
    }
    out.push(']');
    Ok(())
}

fn write_value(out: &mut String, value: Option<&AnyValue>, dialect: Dialect) -> Result<(), EvalError> {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Any::StringValueStrindex(_)) => out.push_str("null"),
        Some(Any::StringValue(text)) => write_string(out, text, dialect),
        Some(Any::BoolValue(value)) => out.push_str(if *value { "true" } else { "false" }),
        Some(Any::IntValue(value)) => out.push_str(&value.to_string()),
        Some(Any::DoubleValue(value)) => out.push_str(&json_double(*value, dialect)?),
        Some(Any::BytesValue(bytes)) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        Some(Any::KvlistValue(map)) => write_map(out, &map.values, dialect)?,
        Some(Any::ArrayValue(list)) => write_list(out, &list.values, dialect)?,
    }
    Ok(())
}

fn write_string(out: &mut String, text: &str, dialect: Dialect) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' if dialect == Dialect::Body => out.push_str("\\b"),
            '\x0c' if dialect == Dialect::Body => out.push_str("\\f"),
            '<' | '>' | '&' if dialect == Dialect::Functions => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn json_double(value: f64, dialect: Dialect) -> Result<String, EvalError> {
    if value.is_finite() {
        Ok(double(value, dialect))
    } else {
        Err(EvalError::new("a double that is no number has no text"))
    }
}

/// The shortest digits that give the same number; with an exponent if it is very small or large.
fn double(value: f64, dialect: Dialect) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let (sign, exponent) = exponent
        .strip_prefix('-')
        .map_or(("+", exponent), |exponent| ("-", exponent));
    if exponent.len() == 1 && dialect == Dialect::Functions {
        format!("{digits}e{sign}0{exponent}")
    } else {
        format!("{digits}e{sign}{exponent}")
    }
}

/// An identifier as Go's JSON writes an array of bytes.
fn numbers(id: &[u8]) -> String {
    let numbers = id.iter().map(u8::to_string).collect::<Vec<_>>();
    format!("[{}]", numbers.join(","))
}

/// A time in UTC, with as many digits of the fraction as are needed.
fn rfc3339(nanoseconds: i64) -> String {
    let (seconds, fraction) = (
        nanoseconds.div_euclid(1_000_000_000),
        nanoseconds.rem_euclid(1_000_000_000),
    );
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1970 to a date: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{fraction:09}").trim_end_matches('0').to_owned()
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::KeyValueList;

    use super::*;

    fn entry(key: &str, value: Any) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        }
    }

    #[test]
    fn doubles_as_go_writes_them() {
        for (value, functions, body) in [
            (1.0, "1", "1"),
            (-0.5, "-0.5", "-0.5"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
            (1.5e-7, "1.5e-07", "1.5e-7"),
            (1e-10, "1e-10", "1e-10"),
            (0.1, "0.1", "0.1"),
        ] {
            assert_eq!(to_text(OttlValue::Double(value)), Ok(Some(functions.into())));
            assert_eq!(
                any_text(Some(&AnyValue {
                    value: Some(Any::DoubleValue(value))
                })),
                body
            );
        }
        assert!(to_text(OttlValue::Double(f64::NAN)).is_err());
        assert_eq!(
            any_text(Some(&AnyValue {
                value: Some(Any::DoubleValue(f64::NEG_INFINITY))
            })),
            "-Infinity"
        );
    }

    #[test]
    fn maps_are_sorted_json() {
        let map = [
            entry("b", Any::StringValue("<a&\"\n\x01>".to_owned())),
            entry("a", Any::BytesValue(vec![1, 2])),
            KeyValue {
                key: "n".to_owned(),
                ..KeyValue::default()
            },
            entry("b", Any::StringValue("<>\u{8}".to_owned())),
        ];
        let text = to_text(OttlValue::Map(Cow::Borrowed(&map)));
        assert_eq!(
            text,
            Ok(Some(r#"{"a":"AQI=","b":"\u003c\u003e\u0008","n":null}"#.into()))
        );
        let body = AnyValue {
            value: Some(Any::KvlistValue(KeyValueList { values: map.to_vec() })),
        };
        assert_eq!(any_text(Some(&body)), r#"{"a":"AQI=","b":"<>\b","n":null}"#);
    }

    #[test]
    fn times_are_rfc_3339_in_quotes() {
        for (nanoseconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_000_123_000_000, "2023-11-14T22:13:20.123Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(
                to_text(OttlValue::Time(nanoseconds)),
                Ok(Some(format!("\"{expected}\"").into()))
            );
        }
    }
}
