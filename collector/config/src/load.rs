//! From sources to a configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::diagnostics::{Diagnostic, Diagnostics, Position};
use super::document::{self, Config};
use super::dollar;
use super::foreign;
use super::merge::{add, merge, parse_set};
use super::node::{Node, Value};
use super::parse::parse;
use super::print::to_yaml;
use super::source::Source;
use super::substitute::{Environment, substitute};

/// Reads a configuration: merges `sources`, then each of `sets` (`a.b.c=value`, the arguments of `--set`), then
/// replaces each `${env:NAME}` by the value from `env`.
///
/// # Errors
/// Every error outside of the components' own settings, with its position.
pub fn load(sources: &[Source], sets: &[String], env: Environment<'_>) -> Result<Config, Diagnostics> {
    match read_all(sources, sets, env) {
        (Some(config), errors) => errors.into_result(config),
        (None, errors) => Err(errors),
    }
}

/// Like [`load`], but returns the parts that could be read in spite of errors, so that errors in components' settings
/// can be reported together with the others. There is no configuration only if a source is not YAML.
pub fn read_all(sources: &[Source], sets: &[String], env: Environment<'_>) -> (Option<Config>, Diagnostics) {
    read(sources, sets, env, None)
}

/// Like [`read_all`], but an unset variable without a default is not an error: its value and the checks that need it
/// are skipped. Also returns the names of those variables. For checks without access to the secrets.
pub fn read_without_environment(
    sources: &[Source],
    sets: &[String],
    env: Environment<'_>,
) -> (Option<Config>, Diagnostics, BTreeSet<String>) {
    let mut unset = BTreeSet::new();
    let (config, errors) = read(sources, sets, env, Some(&mut unset));
    (config, errors, unset)
}

fn read(
    sources: &[Source],
    sets: &[String],
    env: Environment<'_>,
    unset: Option<&mut BTreeSet<String>>,
) -> (Option<Config>, Diagnostics) {
    let mut errors = Diagnostics::default();
    let Some(mut root) = merged(sources, sets, &mut errors) else {
        return (None, errors.sorted());
    };
    substitute(&mut root, env, unset, &mut errors);
    let config = document::read(&root, &mut errors);
    dollar::warn(&root, &config.warnings);
    (Some(config), errors.sorted())
}

/// The merged configuration as YAML, for display: variables as they are written (`${env:NAME}`), never their values;
/// values under keys that name a secret, and passwords in URLs, as `[REDACTED]`.
///
/// # Errors
/// If a source is not YAML.
pub fn print(sources: &[Source], sets: &[String]) -> Result<String, Diagnostics> {
    let mut errors = Diagnostics::default();
    match merged(sources, sets, &mut errors) {
        Some(root) => errors.into_result(to_yaml(&root)),
        None => Err(errors.sorted()),
    }
}

/// One tree of all sources; none if one of them is not YAML.
fn merged(sources: &[Source], sets: &[String], errors: &mut Diagnostics) -> Option<Node> {
    let mut trees = Vec::new();
    for source in sources {
        let tree = parse(&source.name, &source.text, errors);
        // A mapping, or nothing: anything else would silently replace all earlier sources.
        if let Some(node) = &tree
            && !node.is_null()
            && !matches!(node.value, Value::Mapping(_))
        {
            // Not shown: a file given by accident may contain a token.
            let found = match &node.value {
                Value::Sequence(_) => "found a list, expected a mapping with sections such as `receivers`",
                _ => "found a single value, expected a mapping with sections such as `receivers`",
            };
            errors.push(Diagnostic::new(node.position.clone(), "", found));
            trees.push(None);
            continue;
        }
        if let Some(error) = tree
            .as_ref()
            .and_then(|tree| foreign::error(std::slice::from_ref(tree)))
        {
            errors.push(error);
            trees.push(None);
            continue;
        }
        trees.push(tree);
    }
    trees.extend(sets.iter().map(|set| parse_set(set, errors)));
    let begin = Node {
        position: Position {
            source: sources
                .first()
                .map_or_else(|| Arc::from("configuration"), |s| s.name.clone()),
            line: 1,
            column: 1,
        },
        value: Value::Mapping(Vec::new()),
    };
    let trees: Option<Vec<Node>> = trees.into_iter().collect();
    let mut root = begin;
    for (at, tree) in trees?.into_iter().enumerate() {
        root = match sources.get(at) {
            _ if tree.is_null() => root,
            Some(source) if source.adds => add(root, tree),
            _ => merge(root, tree),
        };
    }
    // Keys for anchors, as in Compose and OpenAPI files: what refers to them has a copy.
    if let Value::Mapping(entries) = &mut root.value {
        entries.retain(|entry| !entry.key.starts_with("x-"));
    }
    Some(root)
}
