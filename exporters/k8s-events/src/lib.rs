//! Exporter `k8s_events`: events about Jobs and CronJobs as Events of Kubernetes (core/v1), written onto these objects.
//!
//! * [`settings`]: the settings, and their check.
//! * `select`: the records that become Events, without the rest of their attributes. Pure.
//! * `involved`, `name`, `reason`, `message`, `event`: from a record to Events. Pure.
//! * `response`: the outcome of a request; `rate`: how often requests are sent. Pure.
//! * `destination`: one attempt to create the Events of a record; queue and retries are in [`collector_sending`].
//! * `exporter`: the component.

mod destination;
mod event;
mod exporter;
mod involved;
mod message;
mod name;
mod rate;
mod reason;
mod response;
mod select;
pub mod settings;

pub use exporter::factory;
