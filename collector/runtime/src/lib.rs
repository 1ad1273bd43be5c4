//! Components of an OpenTelemetry-collector-style pipeline, and the process that runs them. Knows no Kubernetes.
//!
//! * [`component`]: the traits that every receiver, processor, connector, exporter and extension implements.
//! * [`outlet`]: the edges between components.
//! * [`graph`]: checks the configuration and connects the components.
//! * [`runtime`]: starts, supervises and stops them in order.
//! * [`health`]: the health of each component.
//! * [`process_status`]: a snapshot of the process for people and programs.
//! * [`storage`]: state that outlives the process.
//! * [`succession`]: how a component that a reload replaces gives its work to its successor.
//! * [`authentication`]: credentials that extensions provide to exporters.
//! * [`limited`]: the limit on the series that a component emits.

pub mod authentication;
pub mod component;
pub mod graph;
pub mod health;
pub mod limited;
pub mod outlet;
pub mod process_status;
mod route;
pub mod runtime;
pub mod storage;
pub mod succession;

pub use component::{ComponentError, Connector, Exporter, Extension, Processor, Receiver};
pub use outlet::{Inbox, Outlet, Outputs};
