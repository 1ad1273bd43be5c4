//! YAML configuration in the collector's conventions, every mistake with its position.

mod diagnostics;
mod settings;

pub use diagnostics::{Diagnostic, Diagnostics, Position};
pub use settings::Settings;
