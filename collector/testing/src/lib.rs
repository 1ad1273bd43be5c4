//! Test kit for components. Only tests depend on it.
//!
//! * [`Host`]: makes a component from YAML, as the collector does, and gives it what a running component needs.
//! * [`Consumer`]: the component behind a receiver, connector or processor; the test decides each batch.
//! * [`Running`]: an exporter, connector, receiver or extension that runs as a task.
//! * [`contract`]: the contract that every component passes.
//! * [`ottl_vectors`]: results of the Collector for conditions and statements.
//! * [`Folder`], [`Log`], [`OwnMetrics`]: a temporary folder, captured log lines, the component's own metrics.
//!
//! The in-memory storage is [`MemoryStorage`](collector_runtime::storage::memory::MemoryStorage).

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

pub mod contract;
mod data;
mod folder;
mod host;
mod log;
pub mod ottl_vectors;
mod own_metrics;
mod running;

pub use data::{batch, one_item};
pub use folder::Folder;
pub use host::Host;
pub use log::Log;
pub use own_metrics::OwnMetrics;
pub use running::{Consumer, Running};

use collector_config::ComponentId;

/// A component id, `type` or `type/name`.
///
/// # Panics
/// If the text is not an id.
pub fn id(text: &str) -> ComponentId {
    collector_config::component_id(text).unwrap_or_else(|(found, _)| panic!("{found}"))
}
