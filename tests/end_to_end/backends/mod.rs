//! The real binary against stand-ins for backends with the rules of those backends: they accept the data at the first
//! attempt, and it means the same everywhere.

mod labels;
mod metrics;
mod namespace_labels;
pub(crate) mod notices;
mod oracle;
mod owners;
mod series;
pub(crate) mod setup;
mod snippets;
mod tags;
pub(crate) mod together;
mod tokens;
