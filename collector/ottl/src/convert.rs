//! Conversions between values, as the "like" getters of the Collector's `pkg/ottl` do them.

use std::borrow::Cow;

use crate::EvalError;
use crate::value::Value;

/// An identifier of fixed length: shorter ones are filled up with zeros, as an empty one is.
pub(crate) fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut id = [0; N];
    let length = bytes.len().min(N);
    id[..length].copy_from_slice(&bytes[..length]);
    id
}

/// Lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The bytes of hexadecimal digits in either case.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// `Int(…)`: nil stays nil; text must be a decimal number; the fraction of a double is cut off.
pub(crate) fn to_int(value: &Value<'_>) -> Result<Option<i64>, EvalError> {
    match value {
        Value::Nil => Ok(None),
        Value::Int(value) => Ok(Some(*value)),
        Value::Double(value) => Ok(Some(*value as i64)),
        Value::Bool(value) => Ok(Some((*value).into())),
        Value::Text(text) => {
            let number = text
                .parse()
                .map_err(|_| EvalError::new("the string is not an integer of 64 bits"))?;
            Ok(Some(number))
        }
        other => Err(other.mismatch("a number, a string or a bool")),
    }
}

/// `Double(…)`: nil stays nil; text must be a number.
pub(crate) fn to_double(value: &Value<'_>) -> Result<Option<f64>, EvalError> {
    match value {
        Value::Nil => Ok(None),
        Value::Int(value) => Ok(Some(*value as f64)),
        Value::Double(value) => Ok(Some(*value)),
        Value::Bool(value) => Ok(Some(f64::from(u8::from(*value)))),
        Value::Text(text) => parse_double(text)
            .map(Some)
            .ok_or_else(|| EvalError::new("the string is not a number")),
        other => Err(other.mismatch("a number, a string or a bool")),
    }
}

/// `strconv.ParseFloat` of Go, without hexadecimal numbers: a number beyond the range is an error, not infinite.
fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let value: f64 = text.parse().ok()?;
    let named = unsigned.starts_with(|c: char| c.is_ascii_alphabetic());
    (named || value.is_finite()).then_some(value)
}

/// `Bool(…)`: nil stays nil; numbers are true unless zero; text is one of Go's words.
pub(crate) fn to_bool(value: &Value<'_>) -> Result<Option<bool>, EvalError> {
    match value {
        Value::Nil => Ok(None),
        Value::Bool(value) => Ok(Some(*value)),
        Value::Int(value) => Ok(Some(*value != 0)),
        Value::Double(value) => Ok(Some(*value != 0.0)),
        Value::Text(text) => match text.as_ref() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
            _ => Err(EvalError::new("the string is neither true nor false")),
        },
        other => Err(other.mismatch("a bool, a number or a string")),
    }
}

/// The bytes of a value: those of an identifier, among others.
pub(crate) fn to_bytes<'a>(value: &'a Value<'_>) -> Result<Cow<'a, [u8]>, EvalError> {
    match value {
        Value::Nil => Ok(Cow::Borrowed(&[])),
        Value::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        Value::Text(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Value::Int(value) => Ok(Cow::Owned(value.to_be_bytes().to_vec())),
        Value::Double(value) => Ok(Cow::Owned(value.to_be_bytes().to_vec())),
        Value::Bool(value) => Ok(Cow::Owned(vec![u8::from(*value)])),
        other => Err(other.mismatch("bytes or a string")),
    }
}
