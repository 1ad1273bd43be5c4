//! A path as it was written to the field that it names.

use super::access::FieldPath;
use super::keys::PathKey;
use super::{PathField, Shape, log, metric, owners, point, span};
use crate::syntax::{self, Segment};
use crate::{Context, ParseError};

/// Names of the Collector's contexts that do not exist here.
const OTHER_CONTEXTS: [&str; 5] = ["spanevent", "exemplar", "otelcol", "profile", "profilesample"];

/// Says that the Collector has a context with this name, but it is not supported here.
pub(crate) fn is_other_context(name: &str) -> bool {
    OTHER_CONTEXTS.contains(&name)
}

/// The context that a path starts with, if it does.
pub(crate) fn prefix(path: &syntax::PathNode) -> Option<Context> {
    match path.segments.as_slice() {
        [first, _, ..] if first.keys.is_empty() => Context::from_name(&first.name),
        _ => None,
    }
}

/// Finds the field of a path. `key` compiles a computed key.
pub(crate) fn resolve(
    path: &syntax::PathNode,
    context: Context,
    key: impl FnMut(&syntax::KeyNode) -> Result<PathKey, ParseError>,
) -> Result<FieldPath, ParseError> {
    let (owner, segments) = match prefix(path) {
        Some(owner) => (owner, &path.segments[1..]),
        None => (context, path.segments.as_slice()),
    };
    let Some(last) = segments.last() else {
        return Err(ParseError::new(path.range.clone(), "the path is empty"));
    };
    if !context.reachable().contains(&owner) {
        let message = format!("paths of `{owner}` do not exist in the context `{context}`");
        let error = ParseError::new(path.segments[0].range.clone(), message);
        return Err(error.help(format!("here exist the paths of {}", listed(context.reachable()))));
    }
    let name = segments
        .iter()
        .map(|segment| segment.name.as_str())
        .collect::<Vec<_>>()
        .join(".");
    let field = if name == "cache" && owner == context {
        Some(PathField::Cache)
    } else {
        find(owner, &name)
    };
    let Some(field) = field else {
        return Err(unknown(path, segments, owner, context, &name));
    };
    if let Some(segment) = segments[..segments.len() - 1]
        .iter()
        .find(|segment| !segment.keys.is_empty())
    {
        let message = format!("`{}` cannot be indexed here: `.{}` follows", segment.name, last.name);
        return Err(ParseError::new(segment.range.clone(), message));
    }
    check_keys(last, field)?;
    Ok(FieldPath {
        field,
        keys: last.keys.iter().map(key).collect::<Result<_, _>>()?,
    })
}

fn check_keys(segment: &Segment, field: PathField) -> Result<(), ParseError> {
    let expected = match (segment.keys.as_slice(), field.shape()) {
        ([], _) | (_, Shape::Any | Shape::Map) => return Ok(()),
        ([syntax::KeyNode::Text(_)], Shape::TraceState) => return Ok(()),
        (_, Shape::TraceState) => "one string as key",
        _ => "no key: it is neither a map nor a list",
    };
    Err(ParseError::new(
        segment.range.clone(),
        format!("`{}` takes {expected}", segment.name),
    ))
}

fn find(owner: Context, name: &str) -> Option<PathField> {
    fn field<T: Copy>(table: &[(&str, T)], name: &str, field: fn(T) -> PathField) -> Option<PathField> {
        table
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, found)| field(*found))
    }
    match owner {
        Context::Resource => field(owners::RESOURCE, name, PathField::Resource),
        Context::Scope => field(owners::SCOPE, name, PathField::Scope),
        Context::Log => field(log::LOG, name, PathField::Log),
        Context::Metric => field(metric::METRIC, name, PathField::Metric),
        Context::DataPoint => field(point::POINT, name, PathField::Point),
        Context::Span => field(span::SPAN, name, PathField::Span),
    }
}

/// Every path of a context, without its prefix.
pub(crate) fn names(owner: Context) -> Vec<&'static str> {
    fn names<T>(table: &'static [(&'static str, T)]) -> Vec<&'static str> {
        table.iter().map(|(name, _)| *name).collect()
    }
    match owner {
        Context::Resource => names(owners::RESOURCE),
        Context::Scope => names(owners::SCOPE),
        Context::Log => names(log::LOG),
        Context::Metric => names(metric::METRIC),
        Context::DataPoint => names(point::POINT),
        Context::Span => names(span::SPAN),
    }
}

fn unknown(path: &syntax::PathNode, segments: &[Segment], owner: Context, context: Context, name: &str) -> ParseError {
    let first = &path.segments[0];
    if is_other_context(&first.name) {
        let error = ParseError::new(
            first.range.clone(),
            format!("the context `{}` is not supported", first.name),
        );
        return error.help(format!("here exist the paths of {}", listed(context.reachable())));
    }
    let start = segments.first().map_or(path.range.start, |segment| segment.range.start);
    let error = ParseError::new(start..path.range.end, format!("`{owner}` has no path `{name}`"));
    if name == "cache" {
        return error.help(format!("the cache of this context is `{context}.cache`"));
    }
    // A path of another context without its prefix is the usual reason.
    let other = context
        .reachable()
        .iter()
        .find(|other| **other != owner && find(**other, name).is_some());
    if let Some(other) = other {
        return error.help(format!("did you mean `{other}.{name}`?"));
    }
    let names = names(owner);
    let parts = names
        .iter()
        .filter(|known| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    let parts = parts.map(|part| format!("`{part}`")).collect::<Vec<_>>();
    if !parts.is_empty() {
        return error.help(format!("its parts are {}", parts.join(", ")));
    }
    if let Some((map, key)) = name
        .split_once('.')
        .filter(|(map, _)| *map == "attributes" || *map == "body")
    {
        return error.help(format!("a key is written in brackets: `{map}[\"{key}\"]`"));
    }
    match collector_config::nearest(name, names.iter().copied()) {
        Some(nearest) => error.help(format!("did you mean `{nearest}`?")),
        None => error.help(format!("`{owner}` has {}", names.join(", "))),
    }
}

fn listed(contexts: &[Context]) -> String {
    contexts
        .iter()
        .map(|context| format!("`{context}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
