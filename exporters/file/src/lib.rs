//! Exporter `file`: OTLP as lines of JSON, one for each request, in a file with rotation.
//!
//! * [`settings`]: the settings, and their check.
//! * `lines`: appends whole lines or nothing; `backups`: full files.
//! * `output`: the file at its path; `exporter`: the component.

mod backups;
mod exporter;
mod lines;
mod output;
pub mod settings;

pub use exporter::factory;
