//! From a configuration of the OpenTelemetry Collector to one of this collector: a known component or key that does not
//! exist here is reported with its replacement.
//!
//! * `components`: the components, by section.
//! * `keys`: the keys, by path.
//! * `unneeded`: processors that are accepted without effect, because their function is built in.
//!
//! `docs/migrating.md` shows how to adapt whole files.

mod components;
mod keys;
#[cfg(test)]
mod tests;
pub(crate) mod unneeded;

use collector_config::{Diagnostic, Diagnostics};

/// Gives each error about an unknown component or key of the Collector the hint that names its replacement.
pub(crate) fn add_hints(errors: &mut Diagnostics) {
    for error in errors.0.iter_mut().filter(|error| error.is_unknown()) {
        if let Some(hint) = hint(error) {
            error.help = Some(hint.to_owned());
        }
    }
}

/// Removes the errors inside of a section that does not exist here: it is removed with its key.
pub(crate) fn drop_inner(errors: &mut Diagnostics) {
    let outer: Vec<String> = errors
        .0
        .iter()
        .filter(|e| e.is_unknown())
        .map(|e| e.path.clone())
        .collect();
    errors.0.retain(|error| {
        error.is_unknown()
            || !outer.iter().any(|outer| {
                let rest = error.path.strip_prefix(outer.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            })
    });
}

fn hint(error: &Diagnostic) -> Option<&'static str> {
    match error.path.split_once("::") {
        Some((section, id)) if !id.contains("::") => components::hint(section, type_of(id)),
        _ => None,
    }
    .or_else(|| keys::hint(&error.path))
}

/// The type in `type/name`.
fn type_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(type_name, _)| type_name)
}
