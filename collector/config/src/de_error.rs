//! Errors of a value, without its position.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::node::{Node, Value};
use super::redact;
use super::scalar::{Scalar, ScalarKind};
use super::suggest;

/// An error without its position. The caller adds the value found from the node, which knows which parts may be shown.
#[derive(Debug)]
pub(crate) enum Error {
    /// The error is already recorded with its position.
    Noted,
    /// Something else was expected.
    Expected(String),
    /// A text is none of the variants.
    UnknownVariant(&'static [&'static str]),
    /// A key is none of the fields.
    UnknownField(&'static [&'static str]),
    /// A required field is missing.
    MissingField(&'static str),
    /// A component's own check failed.
    Custom(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Noted => f.write_str("already reported"),
            Error::Expected(expected) => write!(f, "expected {expected}"),
            Error::UnknownVariant(variants) => write!(f, "expected {}", one_of(variants)),
            Error::UnknownField(_) => f.write_str("unknown key"),
            Error::MissingField(field) => write!(f, "`{field}` is missing"),
            Error::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::Custom(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::Expected(plain_words(expected))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::Expected(plain_words(expected))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Error::Custom(format!("found {length} items, expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Error::UnknownVariant(expected)
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Error::UnknownField(expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Error::MissingField(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Error::Custom(format!("`{field}` is given twice, under two of its names"))
    }
}

impl Error {
    /// The message and the help for this error at `node`, which is a `secret` to judge by its key.
    pub(crate) fn describe(&self, node: &Node, secret: bool) -> (String, Option<String>) {
        let found = match &node.value {
            Value::Scalar(s) if secret && !node.is_null() && !s.holds_variable() => {
                "a value that is not shown".to_owned()
            }
            _ => node.found(),
        };
        match self {
            Error::Expected(expected) => {
                let expected = plain_words(expected);
                let help = help_for(node, &expected);
                (format!("found {found}, expected {expected}"), help.filter(|_| !secret))
            }
            Error::UnknownVariant(variants) => {
                let message = format!("found {found}, expected {}", one_of(variants));
                let nearest = match &node.value {
                    // The nearest variant would reveal a value from the environment.
                    Value::Scalar(s) if !s.holds_variable() && !secret => {
                        suggest::nearest(&s.text, variants.iter().copied())
                    }
                    _ => None,
                };
                (message, nearest.map(|v| format!("did you mean `{v}`?")))
            }
            Error::Custom(message) => (redact::scrub(node, secret, message), None),
            Error::Noted | Error::MissingField(_) | Error::UnknownField(_) => (self.to_string(), None),
        }
    }
}

/// "`a`, `b` or `c`"
pub(crate) fn one_of(variants: &[&str]) -> String {
    match variants {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|v| format!("`{v}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// serde names Rust types; people who write YAML do not know them.
fn plain_words(expected: impl fmt::Display) -> String {
    let expected = expected.to_string();
    let words = match expected.as_str() {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "a character" | "a borrowed string" => "a text",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "unit" => "nothing (null)",
        text if text.starts_with("a nonzero ") => "a whole number other than 0",
        text if text.starts_with("struct ") => "a mapping",
        _ => return expected,
    };
    words.to_owned()
}

/// A fix for a value that is nearly right.
fn help_for(node: &Node, expected: &str) -> Option<String> {
    let Value::Scalar(scalar) = &node.value else {
        return None;
    };
    if scalar.holds_variable() {
        let collection = expected == "a list" || expected == "a mapping";
        return collection.then(|| "a variable holds one value only, write the list or mapping in the file".to_owned());
    }
    let number = expected.contains("number");
    let without_quotes = Scalar {
        quoted: false,
        ..scalar.clone()
    };
    match without_quotes.kind() {
        ScalarKind::Integer(_) | ScalarKind::Float(_) if number && scalar.quoted => {
            Some("leave out the quotes".to_owned())
        }
        ScalarKind::Bool(_) if expected.contains("`true`") && scalar.quoted => Some("leave out the quotes".to_owned()),
        ScalarKind::Text if number => {
            let digits = scalar.text.trim_start_matches('0');
            let zeros = scalar.text.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            (zeros && scalar.text.len() < 20).then(|| {
                let digits = if digits.is_empty() { "0" } else { digits };
                format!("YAML versions differ on leading zeros: write `{digits}`, or `0o{digits}` if it is octal")
            })
        }
        ScalarKind::Text if expected.contains("`true`") => match scalar.text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => Some("write `true`".to_owned()),
            "no" | "off" | "n" => Some("write `false`".to_owned()),
            _ => None,
        },
        _ => None,
    }
}
