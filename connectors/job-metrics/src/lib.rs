//! Connector `job_metrics`: delta metrics from the events of finished Jobs and of missed runs.
//!
//! * [`event`]: the events that are counted; [`aggregate`], `points`: events to points, one window at a time.
//! * [`dimensions`]: the attributes of points; `limit`: the overflow of metrics with too many series.
//! * [`histogram`]: an exponential histogram.
//! * [`window`]: the end of each window; [`ledger`]: the Jobs in each window.
//! * `counting`: events in, windows out, acknowledgements back; [`connector`]: the component;
//!   `succession`: the windows that a reload moves to the next connector.

pub mod aggregate;
pub mod connector;
mod counting;
pub mod dimensions;
pub mod event;
pub mod histogram;
pub mod ledger;
mod limit;
mod points;
mod succession;
pub mod window;

pub use connector::factory;
