//! The parts of an OpenTelemetry-collector-style pipeline that know neither Kubernetes nor a transport.
//!
//! * [`component`]: the traits every receiver, processor, connector, exporter and extension implements.
//! * [`batch`] and [`ack`]: what travels between components, and how its sender learns what became of it.
//! * [`config`]: YAML in the collector's conventions, every mistake with its position.
//! * [`log_pace`]: how often a failure that repeats is logged.
//! * [`escape`]: text from outside, escaped for logs and terminals.
//! * [`graph`]: checks that the configuration makes sense and puts the components together.
//! * [`runtime`]: starts them, watches over them, stops them in order.
//! * [`storage`]: what components keep beyond the end of the process.
//! * [`authentication`]: what extensions that authenticate offer to exporters.
//! * [`sending`]: queue and retries between a pipeline and a destination.
//! * [`temporality`]: from deltas to totals, for exporters to backends that want those.

pub mod ack;
pub mod authentication;
pub mod batch;
pub mod component;
pub mod config;
pub mod escape;
pub mod graph;
pub mod health;
pub mod log_pace;
pub mod outlet;
pub mod runtime;
#[cfg(test)]
mod scripted;
pub mod sending;
pub mod split;
pub mod storage;
pub mod temporality;

pub use ack::{Ack, Delivery, Outcome};
pub use batch::{Batch, Payload, Signal};
pub use component::{ComponentError, ComponentId, Connector, Exporter, Extension, Processor, Receiver};
pub use outlet::{Inbox, Outlet, Outputs};
