//! Editors: functions that change an item.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use regex::Regex;

use super::arguments::Arguments;
use super::converters::text;
use crate::expression::Expression;
use crate::paths::FieldPath;
use crate::patterns::{Expansion, Pattern, Replacement, Syntax};
use crate::value::{OttlValue, get, get_or_insert, put};
use crate::{EvalError, Item, ParseError};

#[derive(Clone, Debug)]
pub(crate) enum Editor {
    Set(FieldPath, Expression),
    DeleteKey(FieldPath, Expression),
    DeleteMatchingKeys(FieldPath, Pattern),
    KeepKeys(FieldPath, Vec<Expression>),
    KeepMatchingKeys(FieldPath, Pattern),
    ReplacePattern(FieldPath, Pattern, Replacement),
    ReplaceAllPatterns(FieldPath, Mode, Pattern, Replacement),
    ReplaceMatch(FieldPath, Pattern, Replacement),
    ReplaceAllMatches(FieldPath, Pattern, Replacement),
    TruncateAll {
        target: FieldPath,
        limit: usize,
        marker: String,
    },
    Limit {
        target: FieldPath,
        limit: usize,
        priority: Vec<String>,
    },
    MergeMaps {
        target: FieldPath,
        source: Expression,
        strategy: Strategy,
    },
}

/// The part of a map that `replace_all_patterns` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Keys,
    Values,
}

/// The keys that `merge_maps` copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    Insert,
    Update,
    Upsert,
}

/// Builds an editor from its arguments, which are in the order of its signature.
pub(super) fn build(name: &str, mut arguments: Arguments) -> Result<Editor, ParseError> {
    let arguments = &mut arguments;
    let target = arguments.path()?;
    Ok(match name {
        "delete_key" => Editor::DeleteKey(target, arguments.expression()?),
        "delete_matching_keys" => Editor::DeleteMatchingKeys(target, arguments.pattern(Syntax::Regex)?),
        "keep_keys" => Editor::KeepKeys(target, arguments.expressions()?),
        "keep_matching_keys" => Editor::KeepMatchingKeys(target, arguments.pattern(Syntax::Regex)?),
        "replace_pattern" => {
            Editor::ReplacePattern(target, arguments.pattern(Syntax::Regex)?, arguments.replacement()?)
        }
        "replace_all_patterns" => {
            let mode = word(arguments, &[("key", Mode::Keys), ("value", Mode::Values)])?;
            Editor::ReplaceAllPatterns(
                target,
                mode,
                arguments.pattern(Syntax::Regex)?,
                arguments.replacement()?,
            )
        }
        "replace_match" => Editor::ReplaceMatch(target, arguments.pattern(Syntax::Glob)?, arguments.replacement()?),
        "replace_all_matches" => {
            Editor::ReplaceAllMatches(target, arguments.pattern(Syntax::Glob)?, arguments.replacement()?)
        }
        "truncate_all" => {
            let (limit, _) = arguments.count()?;
            arguments.skip();
            let marker = match arguments.optional_text() {
                Some((marker, range)) if marker.len() > limit => {
                    let message = format!("the marker has {} bytes, more than the limit of {limit}", marker.len());
                    return Err(ParseError::new(range, message));
                }
                Some((marker, _)) => marker,
                None => String::new(),
            };
            Editor::TruncateAll { target, limit, marker }
        }
        "limit" => {
            let (limit, range) = arguments.count()?;
            let priority = arguments.texts()?;
            if limit < priority.len() {
                let message = format!(
                    "the limit of {limit} is less than the number of priority keys, {}",
                    priority.len()
                );
                return Err(ParseError::new(range, message));
            }
            Editor::Limit {
                target,
                limit,
                priority,
            }
        }
        "merge_maps" => {
            let source = arguments.expression()?;
            let strategies = [
                ("insert", Strategy::Insert),
                ("update", Strategy::Update),
                ("upsert", Strategy::Upsert),
            ];
            Editor::MergeMaps {
                target,
                source,
                strategy: word(arguments, &strategies)?,
            }
        }
        _ => {
            let value = arguments.expression()?;
            if target.is_read_only() && !matches!(value.constant(), Some(OttlValue::Nil)) {
                return Err(arguments.error("this path can only be read"));
            }
            Editor::Set(target, value)
        }
    })
}

/// One of a few words.
fn word<T: Copy>(arguments: &mut Arguments, words: &[(&str, T)]) -> Result<T, ParseError> {
    let (text, range) = arguments.text()?;
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| {
            let words = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>();
            ParseError::new(
                range,
                format!(
                    "expected one of {}, found \"{}\"",
                    words.join(", "),
                    text.escape_debug()
                ),
            )
        })
}

impl Editor {
    /// Changes the item.
    pub(crate) fn edit(&self, item: &mut Item<'_>) -> Result<(), EvalError> {
        match self {
            Editor::Set(target, value) => {
                let value = value.evaluate(item.view())?.into_owned();
                target.set(item, value)
            }
            Editor::ReplacePattern(target, pattern, replacement) => {
                let view = item.view();
                let original = target.read(view)?;
                if matches!(original, OttlValue::Nil) {
                    return Ok(());
                }
                let replacement = replacement.get(view)?;
                let OttlValue::Text(original) = original else {
                    return Ok(());
                };
                let regex = pattern.get(view)?;
                if !regex.is_match(&original) {
                    return Ok(());
                }
                let changed = replacement.replace_all(&regex, &original);
                target.set(item, OttlValue::Text(changed.into()))
            }
            Editor::ReplaceMatch(target, pattern, replacement) => {
                let view = item.view();
                let (regex, replacement) = (pattern.get(view)?, replacement.get(view)?);
                match target.read(view)? {
                    OttlValue::Text(original) if regex.is_match(&original) => {}
                    _ => return Ok(()),
                }
                target.set(item, OttlValue::text(replacement.written()))
            }
            Editor::DeleteKey(target, _)
            | Editor::DeleteMatchingKeys(target, _)
            | Editor::KeepKeys(target, _)
            | Editor::KeepMatchingKeys(target, _)
            | Editor::ReplaceAllPatterns(target, ..)
            | Editor::ReplaceAllMatches(target, ..)
            | Editor::TruncateAll { target, .. }
            | Editor::Limit { target, .. }
            | Editor::MergeMaps { target, .. } => {
                // A target that is no map is reported before the other arguments are evaluated.
                target.map(item)?;
                self.edit_map(target, item)
            }
        }
    }

    fn edit_map(&self, target: &FieldPath, item: &mut Item<'_>) -> Result<(), EvalError> {
        match self {
            Editor::Set(..) | Editor::ReplacePattern(..) | Editor::ReplaceMatch(..) => {}
            Editor::DeleteKey(_, key) => {
                let key = text(key, item.view())?.into_owned();
                let map = target.map(item)?;
                // The last entry takes its place, as in the Collector.
                if let Some(at) = map.iter().position(|entry| entry.key == key) {
                    map.swap_remove(at);
                }
            }
            Editor::DeleteMatchingKeys(_, pattern) => {
                let regex = pattern.get(item.view())?;
                target.map(item)?.retain(|entry| !regex.is_match(&entry.key));
            }
            Editor::KeepKeys(_, keys) => keep_keys(target, keys, item)?,
            Editor::KeepMatchingKeys(_, pattern) => {
                let regex = pattern.get(item.view())?;
                target.map(item)?.retain(|entry| regex.is_match(&entry.key));
            }
            Editor::ReplaceAllPatterns(_, mode, pattern, replacement) => {
                let (replacement, regex) = (replacement.get(item.view())?, pattern.get(item.view())?);
                let map = target.map(item)?;
                match mode {
                    Mode::Values => replace_values(map, &regex, &replacement),
                    Mode::Keys => replace_keys(map, &regex, &replacement),
                }
            }
            Editor::ReplaceAllMatches(_, pattern, replacement) => {
                let (regex, replacement) = (pattern.get(item.view())?, replacement.get(item.view())?);
                for text in target.map(item)?.iter_mut().filter_map(text_of) {
                    if regex.is_match(text) {
                        replacement.written().clone_into(text);
                    }
                }
            }
            Editor::TruncateAll { limit, marker, .. } => {
                for text in target.map(item)?.iter_mut().filter_map(text_of) {
                    truncate(text, *limit, marker);
                }
            }
            Editor::Limit { limit, priority, .. } => limit_entries(target.map(item)?, *limit, priority),
            Editor::MergeMaps { source, strategy, .. } => {
                let source = match source.evaluate(item.view())? {
                    OttlValue::Map(map) => map.into_owned(),
                    other => return Err(other.mismatch("a map")),
                };
                merge(target.map(item)?, source, *strategy);
            }
        }
        Ok(())
    }
}

/// The string of an entry, if it is one.
fn text_of(entry: &mut KeyValue) -> Option<&mut String> {
    match entry.value.as_mut()?.value.as_mut()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

fn keep_keys(target: &FieldPath, keys: &[Expression], item: &mut Item<'_>) -> Result<(), EvalError> {
    // The usual keys are literals: nothing is allocated for them.
    if keys.iter().all(|key| key.constant().is_some()) {
        let is_kept = |entry: &KeyValue| {
            keys.iter()
                .any(|key| matches!(key.constant(), Some(OttlValue::Text(key)) if *key == entry.key))
        };
        target.map(item)?.retain(is_kept);
        return Ok(());
    }
    target.map(item)?;
    let keys = keys
        .iter()
        .map(|key| text(key, item.view()).map(|key| key.into_owned()));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    target.map(item)?.retain(|entry| keys.contains(&entry.key));
    Ok(())
}

fn replace_values(map: &mut [KeyValue], regex: &Regex, replacement: &Expansion) {
    for text in map.iter_mut().filter_map(text_of) {
        if regex.is_match(text) {
            *text = replacement.replace_all(regex, text);
        }
    }
}

/// Keys that become equal keep the place of the first and the value of the last.
fn replace_keys(map: &mut Vec<KeyValue>, regex: &Regex, replacement: &Expansion) {
    if !map.iter().any(|entry| regex.is_match(&entry.key)) {
        return;
    }
    let mut changed = Vec::with_capacity(map.len());
    for entry in std::mem::take(map) {
        let value = entry.value.unwrap_or_default();
        if regex.is_match(&entry.key) {
            put(&mut changed, &replacement.replace_all(regex, &entry.key), value);
        } else {
            put(&mut changed, &entry.key, value);
        }
    }
    *map = changed;
}

/// Cuts a text so that it has at most `limit` bytes with the marker. OTLP strings are UTF-8: a cut inside of a character moves
/// to its start, whatever `utf8_safe` says.
fn truncate(text: &mut String, limit: usize, marker: &str) {
    if text.len() <= limit {
        return;
    }
    let mut at = limit - marker.len();
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.truncate(at);
    text.push_str(marker);
}

/// Keeps the priority keys and as many of the first other ones as fit.
fn limit_entries(map: &mut Vec<KeyValue>, limit: usize, priority: &[String]) {
    if map.len() <= limit {
        return;
    }
    let mut count = priority.iter().filter(|key| get(map, key).is_some()).count();
    map.retain(|entry| {
        if priority.contains(&entry.key) {
            return true;
        }
        count += 1;
        count <= limit
    });
}

fn merge(target: &mut Vec<KeyValue>, source: Vec<KeyValue>, strategy: Strategy) {
    for KeyValue { key, value, .. } in source {
        let value: AnyValue = value.unwrap_or_default();
        let exists = get(target, &key).is_some();
        let applies = match strategy {
            Strategy::Insert => !exists,
            Strategy::Update => exists,
            Strategy::Upsert => true,
        };
        if applies {
            *get_or_insert(target, &key) = value;
        }
    }
}
