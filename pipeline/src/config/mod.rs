//! YAML configuration in the collector's conventions, every mistake with its position.
//!
//! Text becomes a tree ([`parse`], [`node`], [`scalar`]), trees are merged ([`merge`]), `${…}` is replaced
//! ([`substitute`]), the sections are read ([`document`]), and each component reads its own [`Settings`] ([`de`]).

mod de;
mod de_error;
mod diagnostics;
mod node;
mod parse;
mod redact;
mod scalar;
mod settings;
#[cfg(test)]
mod settings_tests;
mod suggest;
mod values;

pub use diagnostics::{Diagnostic, Diagnostics, Position};
pub use settings::Settings;
pub use values::{Duration, DurationError, REDACTED, Secret};
