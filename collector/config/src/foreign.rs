//! Files that hold a configuration instead of being one: Kubernetes manifests, Helm values.

use super::diagnostics::{Diagnostic, Diagnostics, Position};
use super::document::SECTIONS;
use super::node::{Node, Value};
use super::parse::parse;

/// How deep a configuration is looked for.
const MAX_DEPTH: usize = 12;

/// The error about documents that are not a configuration but manifests, or hold a configuration somewhere inside.
pub(crate) fn error(documents: &[Node]) -> Option<Diagnostic> {
    let first = documents.first()?;
    let has_section = |node: &Node| SECTIONS.iter().any(|section| node.get(section).is_some());
    if documents.iter().any(|d| has_section(d) && !is_manifest(d)) {
        return None;
    }
    let found = documents.iter().find_map(|document| {
        let mut path = String::new();
        let position = find(document, &mut path, 0)?;
        Some((document, position, path))
    });
    let (document, help) = match &found {
        Some((document, position, path)) => {
            let help = format!(
                "the configuration inside is at `{path}`, line {}: save it as a file of its own, for example with \
                 `yq '.{path}' FILE > config.yaml`",
                position.line
            );
            (*document, help)
        }
        None if documents.iter().all(is_manifest) => (
            first,
            "give the file with the sections `receivers`, …, `service`".to_owned(),
        ),
        None => return None,
    };
    let message = match document.get("kind").map(|kind| &kind.value) {
        Some(Value::Scalar(kind)) if is_manifest(document) => {
            format!("this is a Kubernetes manifest ({}), not a configuration", kind.shown())
        }
        _ => "this file is not a configuration, but holds one (Helm values?)".to_owned(),
    };
    Some(Diagnostic::new(document.position.clone(), "", message).with_help(help))
}

/// True if it is a Kubernetes object.
pub(crate) fn is_manifest(node: &Node) -> bool {
    node.get("apiVersion").is_some() && node.get("kind").is_some()
}

/// The position and path of the first configuration inside.
fn find(node: &Node, path: &mut String, depth: usize) -> Option<Position> {
    if depth > MAX_DEPTH {
        return None;
    }
    let before = path.len();
    match &node.value {
        Value::Mapping(entries) => entries.iter().find_map(|entry| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            match entry.key.chars().all(plain) {
                true if path.is_empty() => path.push_str(&entry.key),
                true => path.push_str(&format!(".{}", entry.key)),
                false => path.push_str(&format!("[{:?}]", entry.key)),
            }
            let found = match is_configuration(&entry.node, &entry.key) {
                true => Some(entry.key_position.clone()),
                false => find(&entry.node, path, depth + 1),
            };
            if found.is_none() {
                path.truncate(before);
            }
            found
        }),
        Value::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| {
            path.push_str(&format!("[{index}]"));
            let found = find(item, path, depth + 1);
            if found.is_none() {
                path.truncate(before);
            }
            found
        }),
        Value::Scalar(_) | Value::Invalid => None,
    }
}

/// True if it is a configuration, or a text that is one.
fn is_configuration(node: &Node, key: &str) -> bool {
    let named = key == "config" || key == "relay" || key.ends_with(".yaml") || key.ends_with(".yml");
    let sections = |node: &Node| SECTIONS.iter().filter(|section| node.get(section).is_some()).count();
    let enough = if named { 1 } else { 2 };
    match &node.value {
        Value::Mapping(_) => sections(node) >= enough,
        Value::Scalar(scalar) if scalar.text.contains('\n') && scalar.text.contains("service:") => {
            let tree = parse(&node.position.source, &scalar.text, &mut Diagnostics::default());
            tree.is_some_and(|tree| sections(&tree) >= enough)
        }
        _ => false,
    }
}
