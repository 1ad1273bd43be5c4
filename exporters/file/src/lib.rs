//! Exporter `file`: OTLP as lines of JSON, one for each request, in a file that can be rotated.
//!
//! * [`settings`]: the settings, and their check.
//! * `lines`: whole lines or none, whatever the disk does; `backups`: files that were full.
//! * `log`: the file by its path; `exporter`: the component.

mod backups;
mod exporter;
mod lines;
mod log;
pub mod settings;

pub use exporter::factory;
