//! Functions: editors, which change an item, and converters, which compute a value. They are those of `ottlfuncs` of the
//! Collector's `pkg/ottl`.

mod arguments;
mod converters;
mod editors;
mod signatures;
mod strings;

use crate::compile::Compiler;
use crate::syntax::CallNode;
use crate::{Context, ParseError};

pub(crate) use converters::Converter;
pub(crate) use editors::Editor;
use signatures::Signature;

/// The editor that a statement calls.
pub(crate) fn editor(call: &CallNode, compiler: Compiler) -> Result<Editor, ParseError> {
    if !call.keys.is_empty() {
        return Err(ParseError::new(
            call.range.clone(),
            format!("`{}` is an editor: its result cannot be indexed", call.name),
        ));
    }
    let signature = find(call, signatures::EDITORS, compiler.context)?;
    editors::build(signature.name, arguments::read(call, signature, compiler)?)
}

/// The converter that an expression calls, and whether its result is a bool.
pub(crate) fn converter(call: &CallNode, compiler: Compiler) -> Result<(Converter, bool), ParseError> {
    let signature = find(call, signatures::CONVERTERS, compiler.context)?;
    let converter = converters::build(signature.name, arguments::read(call, signature, compiler)?)?;
    Ok((converter, signature.is_bool))
}

/// Says that a context has a function with this name.
pub(crate) fn exists(name: &str, context: Context) -> bool {
    let mut signatures = signatures::EDITORS.iter().chain(signatures::CONVERTERS);
    signatures.any(|signature| signature.name == name && signature.context.is_none_or(|only| only == context))
}

/// Finds a function by its name, or says which exist.
fn find(call: &CallNode, expected: &'static [Signature], context: Context) -> Result<&'static Signature, ParseError> {
    let exists = |signature: &&Signature| signature.context.is_none_or(|only| only == context);
    if let Some(found) = expected
        .iter()
        .filter(exists)
        .find(|signature| signature.name == call.name)
    {
        return Ok(found);
    }
    let editors = std::ptr::eq(expected, signatures::EDITORS);
    let (kind, other, other_kind) = if editors {
        ("editor", signatures::CONVERTERS, "converter")
    } else {
        ("converter", signatures::EDITORS, "editor")
    };
    if other.iter().any(|signature| signature.name == call.name) {
        let message = format!(
            "`{}` is {} {other_kind}, expected {} {kind}",
            call.name,
            article(other_kind),
            article(kind)
        );
        let help = if editors {
            "editors change the item, such as `set`"
        } else {
            "converters compute a value, such as `IsMatch`"
        };
        return Err(ParseError::new(call.name_range.clone(), message).help(help));
    }
    let names: Vec<_> = expected.iter().filter(exists).map(|signature| signature.name).collect();
    let known = format!("{kind}s are {}", names.join(", "));
    let error = ParseError::new(call.name_range.clone(), format!("unknown {kind} `{}`", call.name));
    Err(match collector_config::nearest(&call.name, names) {
        Some(nearest) => error.help(format!("did you mean `{nearest}`? {known}")),
        None => error.help(known),
    })
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with('e') { "an" } else { "a" }
}
