//! Reduces an object to the fields that may be shared. Pure.

use collector_config::REDACTED;
use serde_json::{Map, Value};

use super::fields::{self, Fields, Rule};

/// The annotation without a prefix of [`PREFIXES`] that stays: a verdict depends on it.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// The annotations of the Job and CronJob controllers, and the settings of one owner.
const PREFIXES: [&str; 2] = ["batch.kubernetes.io/", "k8s-job-collector/"];

/// Reduces an object of this resource (`pods`) to the fields that may be shared.
pub(super) fn redact(resource: &str, object: Value) -> Value {
    keep(fields::of(resource), object).unwrap_or_default()
}

/// Applies a rule to a value; `None` if the value does not have the form of its field.
fn keep(kept: Rule, value: Value) -> Option<Value> {
    match (kept, value) {
        (_, Value::Null) => Some(Value::Null),
        (Rule::Redacted, _) => Some(REDACTED.into()),
        (Rule::Scalar, value) => scalar(value),
        (Rule::Map, Value::Object(map)) => Some(retained(map, |_, value| scalar(value))),
        (Rule::Annotations, Value::Object(map)) => {
            let is_kept =
                |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || name == DEFAULT_CONTAINER;
            let annotations = retained(map, |name, value| scalar(value).filter(|_| is_kept(name)));
            Some(annotations).filter(|annotations| annotations.as_object().is_some_and(|map| !map.is_empty()))
        }
        (Rule::Program, Value::Array(items)) => Some(items.into_iter().enumerate().map(program).collect()),
        (Rule::Each(kept), Value::Array(items)) => {
            Some(items.into_iter().filter_map(|item| keep(*kept, item)).collect())
        }
        (Rule::Object(fields), Value::Object(map)) => {
            Some(retained(map, |name, value| keep(field(fields, name)?, value)))
        }
        _ => None,
    }
}

fn retained(map: Map<String, Value>, keep: impl Fn(&str, Value) -> Option<Value>) -> Value {
    let entries = map.into_iter();
    let entries = entries.filter_map(|(name, value)| {
        let value = keep(&name, value)?;
        Some((name, value))
    });
    Value::Object(entries.collect())
}

fn field(fields: &[Fields], name: &str) -> Option<Rule> {
    let found = fields.iter().find(|(names, _)| names.split(' ').any(|one| one == name));
    found.map(|(_, kept)| *kept)
}

fn scalar(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(without_credentials(&text).into()),
        Value::Number(_) | Value::Bool(_) => Some(value),
        _ => None,
    }
}

/// Redacts a word of a command, except the program's name. A whole command line in its place is redacted.
fn program((at, word): (usize, Value)) -> Value {
    match word {
        Value::String(word) if at == 0 && !word.contains(char::is_whitespace) => without_credentials(&word).into(),
        _ => REDACTED.into(),
    }
}

/// Removes users, queries and fragments from the URLs in a text.
fn without_credentials(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        kept.push_str(before);
        let end = url.find(ends_url).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        let (place, query) = match url.find(['?', '#']) {
            // A password may contain either sign; the host follows the last @.
            Some(at) if !url[at..].contains('@') => url.split_at(at),
            _ => (url, ""),
        };
        // A later @ belongs to the path, or to a password with a slash: it is removed in both cases.
        match place.rfind('@') {
            Some(at) if place[..at].contains(':') || !place[..at].contains('/') => {
                kept.push_str(REDACTED);
                kept.push_str(&place[at..]);
            }
            _ => kept.push_str(place),
        }
        if let Some(sign) = query.get(..1) {
            kept.push_str(sign);
            kept.push_str(REDACTED);
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// True if the character ends a URL in a sentence.
fn ends_url(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '<' | '>' | '|' | '\\' | '^')
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
