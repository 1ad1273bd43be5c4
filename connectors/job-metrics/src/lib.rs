//! Connector `job_metrics`: delta metrics from the events of finished Jobs.
//!
//! * [`histogram`]: an exponential histogram; [`aggregate`]: events to points, one window at a time.
//! * [`window`]: the end of each window; [`ledger`]: the Jobs in each window.
//! * `counting`: events in, windows out, acknowledgements back; [`connector`]: the component.

pub mod aggregate;
pub mod connector;
mod counting;
pub mod histogram;
pub mod ledger;
pub mod window;

pub use connector::factory;
