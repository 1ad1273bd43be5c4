//! YAML configuration in the collector's conventions, every mistake with its position.

mod diagnostics;
mod duration;
mod secret;
mod settings;

pub use diagnostics::{Diagnostic, Diagnostics, Position};
pub use duration::Duration;
pub use secret::Secret;
pub use settings::Settings;
