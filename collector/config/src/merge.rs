//! Several sources to one tree.

use std::collections::HashMap;
use std::sync::Arc;

use super::diagnostics::{Diagnostic, Diagnostics, Position};
use super::node::{Entry, MAX_DEPTH, Node, Value};
use super::parse;

/// `later` over `earlier`, as the collector merges sources: mappings key by key; everything else, lists and null
/// among them, is replaced.
pub(crate) fn merge(earlier: Node, later: Node) -> Node {
    match (earlier.value, later.value) {
        (Value::Mapping(mut entries), Value::Mapping(more)) => {
            let mut places: HashMap<String, usize> =
                entries.iter().enumerate().map(|(i, e)| (e.key.clone(), i)).collect();
            for entry in more {
                match places.get(&entry.key).copied().and_then(|place| entries.get_mut(place)) {
                    Some(old) => {
                        let node = std::mem::replace(&mut old.node, missing(entry.key_position.clone()));
                        let both = matches!((&node.value, &entry.node.value), (Value::Mapping(_), Value::Mapping(_)));
                        if !both {
                            // Replaced as a whole: errors about what is missing belong here.
                            old.key_position = entry.key_position;
                        }
                        old.node = merge(node, entry.node);
                    }
                    None => {
                        places.insert(entry.key.clone(), entries.len());
                        entries.push(entry);
                    }
                }
            }
            Node {
                position: earlier.position,
                value: Value::Mapping(entries),
            }
        }
        (_, value) => Node {
            position: later.position,
            value,
        },
    }
}

/// `earlier` with what only `more` has: keys that are missing or null, and entries of lists. Nothing is overridden.
pub(crate) fn add(earlier: Node, more: Node) -> Node {
    if earlier.is_null() {
        return more;
    }
    let Node { position, value } = earlier;
    let value = match (value, more.value) {
        (Value::Mapping(mut entries), Value::Mapping(more)) => {
            for entry in more {
                match entries.iter_mut().find(|old| old.key == entry.key) {
                    Some(old) => {
                        let node = std::mem::replace(&mut old.node, missing(entry.key_position));
                        old.node = add(node, entry.node);
                    }
                    None => entries.push(entry),
                }
            }
            Value::Mapping(entries)
        }
        (Value::Sequence(mut items), Value::Sequence(more)) => {
            for item in more {
                if !items.iter().any(|old| old.has_same_values(&item)) {
                    items.push(item);
                }
            }
            Value::Sequence(items)
        }
        (value, _) => value,
    };
    Node { position, value }
}

fn missing(position: Position) -> Node {
    Node {
        position,
        value: Value::Invalid,
    }
}

/// The tree of one `--set`: `a.b.c=value`, or `a::b::c=value` where a part itself has a dot in it.
///
/// The source is called `--set a.b.c`: the value may be a secret. Columns count from the begin of the argument.
pub(crate) fn parse_set(argument: &str, errors: &mut Diagnostics) -> Option<Node> {
    let (path, value) = argument.split_once('=').unwrap_or((argument, ""));
    let source: Arc<str> = Arc::from(format!("--set {path}"));
    let position = |column: usize| Position {
        source: source.clone(),
        line: 1,
        column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
    };
    let separator = if path.contains("::") { "::" } else { "." };
    let mut parts = Vec::new();
    let mut column = 0;
    for part in path.split(separator) {
        parts.push((part.trim(), position(column)));
        column += part.chars().count() + separator.len();
    }
    if argument.len() == path.len() || parts.iter().any(|(part, _)| part.is_empty()) {
        let message = "expected a path and a value";
        errors
            .push(Diagnostic::new(position(0), "", message).with_help("write `--set exporters.debug.verbosity=basic`"));
        return None;
    }
    // Spaces in front shift the columns; they are significant only in a value of several lines.
    let indent = if value.contains(['\n', '\r']) {
        0
    } else {
        path.chars().count() + 1
    };
    let mut node = parse::parse(&source, &format!("{}{value}", " ".repeat(indent)), errors)?;
    if parts.len() + node.depth() > MAX_DEPTH {
        errors.push(Diagnostic::new(
            position(0),
            "",
            format!("nested deeper than {MAX_DEPTH} levels"),
        ));
        return None;
    }
    for (key, key_position) in parts.into_iter().rev() {
        node = Node {
            position: key_position.clone(),
            value: Value::Mapping(vec![Entry {
                key: key.to_owned(),
                key_position,
                node,
            }]),
        };
    }
    Some(node)
}
