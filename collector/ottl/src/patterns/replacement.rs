//! Replacements: `$1`, `${1}`, `$name` and `$$`, by the rules of `Regexp.Expand` of Go.

use std::borrow::Cow;

use regex::{Captures, Regex};

use crate::expression::Expression;
use crate::value::OttlValue;
use crate::{EvalError, View};

/// A replacement that is read once, or one that is computed for each view.
#[derive(Clone, Debug)]
pub(crate) enum Replacement {
    Literal(Expansion),
    Computed(Box<Expression>),
}

impl Replacement {
    pub(crate) fn get(&self, view: View<'_>) -> Result<Cow<'_, Expansion>, EvalError> {
        match self {
            Replacement::Literal(template) => Ok(Cow::Borrowed(template)),
            Replacement::Computed(expression) => match expression.evaluate(view)? {
                OttlValue::Text(text) => Ok(Cow::Owned(Expansion::new(&text))),
                other => Err(other.mismatch("a string as replacement")),
            },
        }
    }
}

/// A replacement: literal text and groups of the match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expansion {
    parts: Vec<ExpansionPart>,
    written: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ExpansionPart {
    Literal(String),
    Group(usize),
    Named(String),
}

impl Expansion {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            if let Some(behind) = behind.strip_prefix('$') {
                literal.push('$');
                rest = behind;
            } else if let Some((name, behind)) = name(behind) {
                if !literal.is_empty() {
                    parts.push(ExpansionPart::Literal(std::mem::take(&mut literal)));
                }
                parts.push(group(name));
                rest = behind;
            } else {
                // A dollar that names nothing stays.
                literal.push('$');
                rest = behind;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(ExpansionPart::Literal(literal));
        }
        Expansion {
            parts,
            written: text.to_owned(),
        }
    }

    /// The replacement as it was written, for functions that do not expand it.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    /// Replaces every match.
    pub(crate) fn replace_all(&self, regex: &Regex, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut last = 0;
        for captures in regex.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            out.push_str(&text[last..whole.start()]);
            self.expand(&captures, &mut out);
            last = whole.end();
        }
        out.push_str(&text[last..]);
        out
    }

    fn expand(&self, captures: &Captures<'_>, out: &mut String) {
        for part in &self.parts {
            let group = match part {
                ExpansionPart::Literal(text) => {
                    out.push_str(text);
                    continue;
                }
                ExpansionPart::Group(number) => captures.get(*number),
                ExpansionPart::Named(name) => captures.name(name),
            };
            out.push_str(group.map_or("", |group| group.as_str()));
        }
    }
}

/// The name behind a dollar, in braces or as long as possible, and what follows it.
fn name(behind: &str) -> Option<(&str, &str)> {
    let (inside, braces) = match behind.strip_prefix('{') {
        Some(inside) => (inside, true),
        None => (behind, false),
    };
    let end = inside
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braces {
        rest.strip_prefix('}').map(|rest| (name, rest))
    } else {
        Some((name, rest))
    }
}

/// Digits without a leading zero are a number; everything else is a name.
fn group(name: &str) -> ExpansionPart {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    match name.parse() {
        Ok(number) if is_number => ExpansionPart::Group(number),
        _ => ExpansionPart::Named(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_by_the_rules_of_go() {
        let Ok(regex) = Regex::new("(?P<first>[a-z])([0-9])?") else {
            panic!("the pattern of the test")
        };
        for (template, expected) in [
            ("$1", "a"),
            ("${1}x", "ax"),
            // The longest name counts: there is no group `1x`.
            ("$1x", ""),
            ("$first!", "a!"),
            ("${first}", "a"),
            ("$2$0", "1a1"),
            ("$01", ""),
            ("$9", ""),
            ("$$1", "$1"),
            ("$ 1 ${ ${1", "$ 1 ${ ${1"),
            ("100$", "100$"),
            ("$1é", ""),
            ("", ""),
        ] {
            assert_eq!(
                Expansion::new(template).replace_all(&regex, "a1"),
                expected,
                "{template}"
            );
        }
        assert_eq!(Expansion::new("[$2]").replace_all(&regex, "a1-b"), "[1]-[]");
    }

    #[test]
    fn empty_matches_behind_a_match_are_skipped() {
        let Ok(regex) = Regex::new("a*") else {
            panic!("the pattern of the test")
        };
        assert_eq!(Expansion::new("x").replace_all(&regex, "baac"), "xbxcx");
    }
}
