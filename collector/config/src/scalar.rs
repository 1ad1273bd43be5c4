//! A scalar: its text, and its kind in YAML's core schema.

use std::sync::Arc;

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
pub(crate) enum Kind {
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
    pub(crate) fn kind(&self) -> Kind {
        if self.quoted {
            return Kind::Text;
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

fn kind_of(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { -1 } else { 1 }, digits),
        None => (1, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Kind::Float(f64::INFINITY * f64::from(sign));
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(number) = digits.strip_prefix(prefix) {
            return match i128::from_str_radix(number, radix) {
                Ok(n) if number.chars().all(|c| c.is_digit(radix)) => Kind::Integer(n * i128::from(sign)),
                _ => Kind::Text,
            };
        }
    }
    let first_two = digits.as_bytes().get(..2);
    if first_two.is_some_and(|d| d[0] == b'0' && d[1].is_ascii_digit()) {
        return Kind::Text;
    }
    if !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(n) = digits.parse::<i128>()
    {
        return Kind::Integer(n * i128::from(sign));
    }
    let looks_like_float = digits.starts_with(|c: char| c == '.' || c.is_ascii_digit())
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    match text.parse::<f64>() {
        Ok(n) if looks_like_float => Kind::Float(n),
        _ => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_core_schema() {
        for (text, expected) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("null", Kind::Null),
            ("nULL", Kind::Text),
            ("true", Kind::Bool(true)),
            ("False", Kind::Bool(false)),
            ("yes", Kind::Text),
            ("on", Kind::Text),
            ("0", Kind::Integer(0)),
            ("-17", Kind::Integer(-17)),
            ("+3", Kind::Integer(3)),
            ("0x1F", Kind::Integer(31)),
            ("0o17", Kind::Integer(15)),
            ("0x", Kind::Text),
            ("0x+1", Kind::Text),
            ("0123", Kind::Text),
            ("-007", Kind::Text),
            ("1_000", Kind::Text),
            ("1.5", Kind::Float(1.5)),
            (".5", Kind::Float(0.5)),
            ("1e3", Kind::Float(1000.0)),
            ("-1.5E-2", Kind::Float(-0.015)),
            ("-.inf", Kind::Float(f64::NEG_INFINITY)),
            ("inf", Kind::Text),
            ("nan", Kind::Text),
            (".", Kind::Text),
            ("e3", Kind::Text),
            ("1.2.3", Kind::Text),
            ("30s", Kind::Text),
            ("8080\n", Kind::Integer(8080)),
            ("18446744073709551615", Kind::Integer(u64::MAX as i128)),
            ("-", Kind::Text),
            ("é", Kind::Text),
        ] {
            let mut scalar = Scalar {
                text: text.to_owned(),
                quoted: false,
                template: None,
            };
            assert_eq!(scalar.kind(), expected, "{text:?}");
            scalar.quoted = true;
            assert_eq!(scalar.kind(), Kind::Text, "quoted {text:?}");
        }
    }

    #[test]
    fn shown_text_is_short_without_control_characters() {
        let long = Scalar {
            text: format!("\u{1b}[31m\"{}", "ü".repeat(100)),
            quoted: true,
            template: None,
        };
        let shown = long.shown();
        assert!(shown.starts_with("\\u{1b}[31m\"ü"), "{shown}");
        assert!(shown.ends_with('…') && shown.chars().count() < 80, "{shown}");
    }
}
