//! Connector `job_metrics`: delta metrics from the events of finished Jobs.
//!
//! * [`histogram`]: an exponential histogram; [`aggregate`]: events to points, one window at a time.
//! * [`window`]: which second each window ends in; [`recent`]: events that were counted already.
//! * [`connector`]: the component.

pub mod aggregate;
pub mod connector;
pub mod histogram;
pub mod recent;
pub mod window;

pub use connector::factory;
