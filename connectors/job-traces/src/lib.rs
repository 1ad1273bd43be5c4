//! Connector `job_traces`: one trace for each finished Job.
//!
//! * [`trace`]: an event to its trace; `attempts`: its Pods and containers; `happenings`: what happened to them.
//! * `span`: one span; [`connector`]: the component.
//!
//! A trace follows from its event alone, so a repeated event makes the same trace, byte for byte.

mod attempts;
pub mod connector;
mod happenings;
mod span;
pub mod trace;

pub use connector::factory;
