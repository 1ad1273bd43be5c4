//! YAML configuration in the collector's conventions, every mistake with its position.

mod diagnostics;
mod document;
mod settings;

pub use diagnostics::{Diagnostic, Diagnostics, Position};
pub use document::{Config, Located, Pipeline, PipelineId, Service};
pub use settings::Settings;
