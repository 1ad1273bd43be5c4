//! A scalar: its text, and its kind in YAML's core schema.

use std::sync::Arc;

use super::notation::Written;
use super::redact;
use super::values::REDACTED;

/// A single value. Its original text is kept, so that `0123` is still `0123` where a text is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// The text, without quotes and escapes.
    pub text: String,
    /// Quoted, or a block: always a text, whatever it looks like.
    pub quoted: bool,
    /// The text before `${…}` and `$$` were replaced; `None` if it contained neither.
    pub template: Option<Arc<Template>>,
    /// The form in the source; `None` if it is the text itself.
    pub written: Option<Arc<Written>>,
}

/// The origin of a substituted scalar, shown instead of its value.
#[derive(Debug, PartialEq)]
pub(crate) struct Template {
    /// The scalar as written, such as `Bearer ${env:TOKEN}`.
    pub text: String,
    /// Each value taken from the environment, with the reference to show instead (`${env:TOKEN}`).
    pub values: Vec<(String, String)>,
}

/// The kind of a scalar in YAML's core schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ScalarKind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text,
}

impl Scalar {
    /// The kind. Quoted scalars are always texts.
    ///
    /// Whole numbers with a leading zero (`0123`) are texts: YAML 1.1 reads them as octal, YAML 1.2 as decimal.
    pub(crate) fn kind(&self) -> ScalarKind {
        if self.quoted {
            return ScalarKind::Text;
        }
        // A plain scalar in a file never has spaces around it; a variable often ends with a line break.
        kind_of(self.text.trim())
    }

    /// A printable form: shortened, control characters escaped, no value from the environment, no password in a URL.
    pub(crate) fn shown(&self) -> String {
        const LONGEST: usize = 60;
        let text = self.template.as_ref().map_or(&self.text, |t| &t.text);
        let text = match redact::userinfo(text) {
            Some(userinfo) => text.replace(userinfo, REDACTED),
            None => text.clone(),
        };
        let text = redact::query(&text);
        let mut shown: String = text.chars().take(LONGEST).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        visible(&shown)
    }

    /// True if a part of it came from the environment.
    pub(crate) fn holds_variable(&self) -> bool {
        self.template.as_ref().is_some_and(|t| !t.values.is_empty())
    }
}

/// The text with its control characters escaped, so that none reaches a terminal.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_debug());
        } else {
            out.push(c);
        }
    }
    out
}

/// The kind of a plain scalar.
pub(crate) fn kind_of(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return ScalarKind::Null,
        "true" | "True" | "TRUE" => return ScalarKind::Bool(true),
        "false" | "False" | "FALSE" => return ScalarKind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return ScalarKind::Float(f64::NAN),
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { -1 } else { 1 }, digits),
        None => (1, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return ScalarKind::Float(f64::INFINITY * f64::from(sign));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(number) = digits.strip_prefix(prefix) {
            return match i128::from_str_radix(number, radix) {
                Ok(n) if number.chars().all(|c| c.is_digit(radix)) => ScalarKind::Integer(n * i128::from(sign)),
                _ => ScalarKind::Text,
            };
        }
    }
    let first_two = digits.as_bytes().get(..2);
    if first_two.is_some_and(|d| d[0] == b'0' && d[1].is_ascii_digit()) {
        return ScalarKind::Text;
    }
    if !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(n) = digits.parse::<i128>()
    {
        return ScalarKind::Integer(n * i128::from(sign));
    }
    let looks_like_float = digits.starts_with(|c: char| c == '.' || c.is_ascii_digit())
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    match text.parse::<f64>() {
        Ok(n) if looks_like_float => ScalarKind::Float(n),
        _ => ScalarKind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_core_schema() {
        for (text, expected) in [
            ("", ScalarKind::Null),
            ("~", ScalarKind::Null),
            ("null", ScalarKind::Null),
            ("nULL", ScalarKind::Text),
            ("true", ScalarKind::Bool(true)),
            ("False", ScalarKind::Bool(false)),
            ("yes", ScalarKind::Text),
            ("on", ScalarKind::Text),
            ("0", ScalarKind::Integer(0)),
            ("-17", ScalarKind::Integer(-17)),
            ("+3", ScalarKind::Integer(3)),
            ("0x1F", ScalarKind::Integer(31)),
            ("0o17", ScalarKind::Integer(15)),
            ("0x", ScalarKind::Text),
            ("0x+1", ScalarKind::Text),
            ("0123", ScalarKind::Text),
            ("-007", ScalarKind::Text),
            ("1_000", ScalarKind::Text),
            ("1.5", ScalarKind::Float(1.5)),
            (".5", ScalarKind::Float(0.5)),
            ("1e3", ScalarKind::Float(1000.0)),
            ("-1.5E-2", ScalarKind::Float(-0.015)),
            ("-.inf", ScalarKind::Float(f64::NEG_INFINITY)),
            ("inf", ScalarKind::Text),
            ("nan", ScalarKind::Text),
            (".", ScalarKind::Text),
            ("e3", ScalarKind::Text),
            ("1.2.3", ScalarKind::Text),
            ("30s", ScalarKind::Text),
            ("8080\n", ScalarKind::Integer(8080)),
            ("18446744073709551615", ScalarKind::Integer(u64::MAX as i128)),
            ("-", ScalarKind::Text),
            ("é", ScalarKind::Text),
        ] {
            let mut scalar = Scalar {
                text: text.to_owned(),
                quoted: false,
                template: None,
                written: None,
            };
            assert_eq!(scalar.kind(), expected, "{text:?}");
            scalar.quoted = true;
            assert_eq!(scalar.kind(), ScalarKind::Text, "quoted {text:?}");
        }
    }

    #[test]
    fn shown_text_is_short_without_control_characters() {
        let long = Scalar {
            text: format!("\u{1b}[31m\"{}", "ü".repeat(100)),
            quoted: true,
            template: None,
            written: None,
        };
        let shown = long.shown();
        assert!(shown.starts_with("\\u{1b}[31m\"ü"), "{shown}");
        assert!(shown.ends_with('…') && shown.chars().count() < 80, "{shown}");
    }
}
