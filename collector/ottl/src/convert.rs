//! Conversions between values, as the "like" getters of the Collector's `pkg/ottl` do them.

use std::borrow::Cow;

use crate::EvalError;
use crate::value::OttlValue;

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
pub(crate) fn to_int(value: &OttlValue<'_>) -> Result<Option<i64>, EvalError> {
    match value {
        OttlValue::Nil => Ok(None),
        OttlValue::Int(value) => Ok(Some(*value)),
        OttlValue::Double(value) => Ok(Some(truncated(*value))),
        OttlValue::Bool(value) => Ok(Some((*value).into())),
        OttlValue::Text(text) => {
            let number = text
                .parse()
                .map_err(|_| EvalError::new("the string is not an integer of 64 bits"))?;
            Ok(Some(number))
        }
        other => Err(other.mismatch("a number, a string or a bool")),
    }
}

/// A double without its fraction. One that does not fit becomes the smallest number, as Go has it on amd64.
fn truncated(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// `Double(…)`: nil stays nil; text must be a number.
pub(crate) fn to_double(value: &OttlValue<'_>) -> Result<Option<f64>, EvalError> {
    match value {
        OttlValue::Nil => Ok(None),
        OttlValue::Int(value) => Ok(Some(*value as f64)),
        OttlValue::Double(value) => Ok(Some(*value)),
        OttlValue::Bool(value) => Ok(Some(f64::from(u8::from(*value)))),
        OttlValue::Text(text) => parse_double(text)
            .map(Some)
            .ok_or_else(|| EvalError::new("the string is not a number")),
        other => Err(other.mismatch("a number, a string or a bool")),
    }
}

/// `strconv.ParseFloat` of Go: a number beyond the range is an error, not infinite. Underscores may separate digits.
fn parse_double(text: &str) -> Option<f64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned.starts_with(['+', '-']) {
        return None;
    }
    let digits = without_underscores(unsigned)?;
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits)?,
        None => digits.parse().ok()?,
    };
    let named = digits.starts_with(|c: char| c.is_ascii_alphabetic());
    (named || value.is_finite()).then_some(if negative { -value } else { value })
}

fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let between = |pair: &[u8]| pair.iter().all(u8::is_ascii_hexdigit);
    let separated = text.split('_').collect::<Vec<_>>();
    let valid = separated.windows(2).all(
        |parts| match (parts[0].as_bytes().last(), parts[1].as_bytes().first()) {
            (Some(last), Some(first)) => between(&[*first]) && (between(&[*last]) || *last == b'x'),
            _ => false,
        },
    );
    valid.then(|| Cow::Owned(separated.concat()))
}

/// A hexadecimal number with a binary exponent, behind `0x`.
fn hexadecimal(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = whole.chars().chain(fraction.chars());
    let value = digits
        .map(|digit| digit.to_digit(16))
        .try_fold(0.0, |value, digit| Some(value * 16.0 + f64::from(digit?)))?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    Some(value * 2_f64.powi(shift))
}

/// `Bool(…)`: nil stays nil; numbers are true unless zero; text is one of Go's words.
pub(crate) fn to_bool(value: &OttlValue<'_>) -> Result<Option<bool>, EvalError> {
    match value {
        OttlValue::Nil => Ok(None),
        OttlValue::Bool(value) => Ok(Some(*value)),
        OttlValue::Int(value) => Ok(Some(*value != 0)),
        OttlValue::Double(value) => Ok(Some(*value != 0.0)),
        OttlValue::Text(text) => match text.as_ref() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
            _ => Err(EvalError::new("the string is neither true nor false")),
        },
        other => Err(other.mismatch("a bool, a number or a string")),
    }
}

/// The bytes of a value: those of an identifier, among others.
pub(crate) fn to_bytes<'a>(value: &'a OttlValue<'_>) -> Result<Cow<'a, [u8]>, EvalError> {
    match value {
        OttlValue::Nil => Ok(Cow::Borrowed(&[])),
        OttlValue::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
        OttlValue::Text(text) => Ok(Cow::Borrowed(text.as_bytes())),
        OttlValue::Int(value) => Ok(Cow::Owned(value.to_be_bytes().to_vec())),
        OttlValue::Double(value) => Ok(Cow::Owned(value.to_be_bytes().to_vec())),
        OttlValue::Bool(value) => Ok(Cow::Owned(vec![u8::from(*value)])),
        other => Err(other.mismatch("bytes or a string")),
    }
}
