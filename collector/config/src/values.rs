//! Value types that settings of several components share.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::fmt::friendly::{Spacing, SpanPrinter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::schema::{duration_pattern, no_unit};

/// A span of time as the collector writes it: Go's `time.ParseDuration` syntax (`300ms`, `1m30s`, `1.5h`, `0s`, `0`),
/// never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

impl Duration {
    /// A duration from the standard library's, for defaults.
    pub const fn new(duration: std::time::Duration) -> Self {
        Duration(duration)
    }

    /// A whole number of seconds, for defaults.
    pub const fn from_secs(seconds: u64) -> Self {
        Duration(std::time::Duration::from_secs(seconds))
    }

    /// A whole number of milliseconds, for defaults.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Duration(std::time::Duration::from_millis(milliseconds))
    }

    /// The standard library's form.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Duration(duration)
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// Why a text is not a [`Duration`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// A number without a unit.
    #[error("`{0}` has no unit, write `{0}s` for seconds")]
    NoUnit(String),
    /// A unit that Go does not know.
    #[error("`{text}` has the unknown unit `{unit}`, expected one of h, m, s, ms, us, ns{hint}")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unit in it.
        unit: String,
        /// The unit to write instead, if that is clear; else empty.
        hint: &'static str,
    },
    /// A minus sign.
    #[error("`{0}` is negative, expected a duration of 0s or more")]
    Negative(String),
    /// More than fits (about 292 years, as in Go).
    #[error("`{0}` is too long, at most 2562047h fit")]
    TooLong(String),
    /// Anything else.
    #[error("`{0}` is not a duration, expected numbers with units such as `30s`, `1m30s` or `200ms`")]
    Malformed(String),
}

const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Go holds a duration in a signed 64-bit number of nanoseconds.
const MAX_NANOSECONDS: u128 = i64::MAX as u128;

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let malformed = || DurationError::Malformed(text.to_owned());
        let too_long = || DurationError::TooLong(text.to_owned());
        let negative = text.starts_with('-');
        let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        if rest == "0" {
            return Ok(Duration::default());
        }
        if rest.is_empty() {
            return Err(malformed());
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let (whole, after) = digits(rest);
            let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
            if whole.is_empty() && fraction.is_empty() {
                return Err(malformed());
            }
            let end = after
                .find(|c: char| c == '.' || c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            if unit.is_empty() {
                return Err(DurationError::NoUnit(text.to_owned()));
            }
            let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                return Err(unknown_unit(text, unit));
            };
            total = if whole.is_empty() {
                Some(0)
            } else {
                whole.parse::<u128>().ok()
            }
            .and_then(|n| n.checked_mul(*scale))
            .and_then(|n| n.checked_add(fraction_of(fraction, *scale)))
            .and_then(|n| n.checked_add(total))
            .filter(|n| *n <= MAX_NANOSECONDS)
            .ok_or_else(too_long)?;
            rest = after;
        }
        if negative && total > 0 {
            return Err(DurationError::Negative(text.to_owned()));
        }
        let nanoseconds = u64::try_from(total).map_err(|_| too_long())?;
        Ok(Duration(std::time::Duration::from_nanos(nanoseconds)))
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `fraction` are the digits after the point; digits below a nanosecond are cut off.
fn fraction_of(fraction: &str, scale: u128) -> u128 {
    let (mut value, mut divisor) = (0, 1);
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        divisor *= 10;
    }
    value * scale / divisor
}

fn unknown_unit(text: &str, unit: &str) -> DurationError {
    let hint = match unit {
        "d" | "day" | "days" => " (a day is `24h`)",
        "w" | "week" | "weeks" => " (a week is `168h`)",
        "sec" | "secs" | "second" | "seconds" | "S" => " (write `s` for seconds)",
        "min" | "mins" | "minute" | "minutes" => " (write `m` for minutes)",
        "hr" | "hrs" | "hour" | "hours" | "H" => " (write `h` for hours)",
        _ if !unit.chars().all(char::is_alphabetic) => return DurationError::Malformed(text.to_owned()),
        _ => "",
    };
    DurationError::UnknownUnit {
        text: text.to_owned(),
        unit: unit.to_owned(),
        hint,
    }
}

impl fmt::Display for Duration {
    /// Writes what [`FromStr`] reads, without loss: `1h30m`, `1m30s`, `200ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: SpanPrinter = SpanPrinter::new().spacing(Spacing::None);
        f.write_str(&PRINTER.unsigned_duration_to_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DurationVisitor;
        impl Visitor<'_> for DurationVisitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `30s`, `1m30s` or `200ms`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.trim().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(DurationVisitor)
    }
}

/// For defaults in the schema.
impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration: numbers with the units h, m, s, ms, us and ns, such as `30s` or `1m30s`.",
            "type": ["string", "integer"],
            "if": {"type": "integer"},
            "then": no_unit(),
            "pattern": format!(r"^\s*({})\s*$", duration_pattern()),
            "patternErrorMessage": "expected a duration such as `30s`, `1m30s` or `200ms`",
        })
    }
}

/// The replacement of a secret.
pub const REDACTED: &str = "[REDACTED]";

/// A text that must never be shown: an API key, a token, a password. Its `Debug` and `Display` are `[REDACTED]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A secret: put it into an environment variable and write `${env:NAME}`. It is never written to \
                            logs, errors or `print-config`.",
            "type": "string",
            "writeOnly": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("+0", 0),
            ("-0", 0),
            ("30s", 30_000_000_000),
            ("300ms", 300_000_000),
            ("1m30s", 90_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("+5s", 5_000_000_000),
            ("1us2ns", 1_002),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("2562047h47m16.854775807s", 9_223_372_036_854_775_807),
        ] {
            let duration: Duration = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(duration.get().as_nanos(), nanoseconds, "{text}");
            assert_eq!(duration.to_string().parse(), Ok(duration), "{text} as {duration}");
        }
        assert_eq!(Duration::from_secs(5400).to_string(), "1h30m");
        assert_eq!(Duration::from_millis(90_200).to_string(), "1m30s200ms");
    }

    #[test]
    fn invalid_durations_are_explained() {
        for (text, expected) in [
            ("30", "`30` has no unit, write `30s` for seconds"),
            ("1.5", "`1.5` has no unit, write `1.5s` for seconds"),
            ("1m30", "`1m30` has no unit, write `1m30s` for seconds"),
            (
                "2d",
                "`2d` has the unknown unit `d`, expected one of h, m, s, ms, us, ns (a day is `24h`)",
            ),
            (
                "2x",
                "`2x` has the unknown unit `x`, expected one of h, m, s, ms, us, ns",
            ),
            ("-5s", "`-5s` is negative, expected a duration of 0s or more"),
            ("2562048h", "`2562048h` is too long, at most 2562047h fit"),
            ("9999999999999999999999999999999999999999999h", "at most 2562047h fit"),
            ("", "`` is not a duration"),
            ("s", "`s` is not a duration"),
            (".s", "`.s` is not a duration"),
            ("-", "`-` is not a duration"),
            ("5 s", "`5 s` is not a duration"),
            ("1s ", "`1s ` is not a duration"),
            ("--5s", "`--5s` is not a duration"),
            ("soon", "`soon` is not a duration"),
        ] {
            let error = text.parse::<Duration>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[REDACTED] [REDACTED]");
        assert_eq!(secret.expose(), "hunter2");
    }

    proptest::proptest! {
        #[test]
        fn every_duration_is_read_back(nanoseconds in 0..=i64::MAX as u64) {
            let duration = Duration::new(std::time::Duration::from_nanos(nanoseconds));
            proptest::prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.hmsun\u{b5} ]{0,40}") {
            let _ = text.parse::<Duration>();
        }
    }
}
