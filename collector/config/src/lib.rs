//! YAML configuration in the collector's conventions, every error with its position.
//!
//! Text becomes a tree (`parse`, `node`, `scalar`), trees are merged (`merge`), `${…}` is replaced (`template`,
//! `substitute`), the sections are read (`document`, `ids`), and each component reads its own [`Settings`] (`de`).
//! A valid but probably unintended setting is a warning: [`Settings::warn`] from a component, [`Config::warnings`] from
//! the graph. [`schema_of`] makes the JSON Schema of a component's settings. [`load()`] does it all but the last; `redact` hides secrets, and [`print()`] writes the configuration without them.

mod component_id;
mod credential;
mod de;
mod de_access;
mod de_error;
mod diagnostics;
mod dimensions;
mod document;
mod dollar;
mod excerpt;
mod fit;
mod foreign;
mod ids;
mod load;
#[cfg(test)]
mod load_tests;
mod merge;
#[cfg(test)]
mod merge_tests;
mod node;
mod notation;
#[cfg(test)]
mod notation_tests;
mod parse;
mod print;
mod redact;
#[cfg(test)]
mod redact_tests;
mod scalar;
pub mod schema;
mod settings;
#[cfg(test)]
mod settings_tests;
mod source;
mod substitute;
mod suggest;
mod template;
mod values;
#[cfg(test)]
mod written_tests;

pub use component_id::ComponentId;
pub use credential::credential_problem;
pub use diagnostics::{Diagnostic, Diagnostics, Position, Warnings};
pub use dimensions::{Dimension, DimensionProblem, dimension_problems, excluded_dimension_problems};
pub use document::{Config, Located, Pipeline, Service};
pub use excerpt::{Excerpts, Style};
pub use ids::{IdError, PipelineId, component_id, pipeline_id};
pub use load::{load, print, read_all, read_without_environment};
pub use schema::{SchemaFn, no_settings, schema_of};
pub use settings::Settings;
pub use source::Source;
pub use suggest::nearest;
pub use values::{Duration, DurationError, REDACTED, Secret};
