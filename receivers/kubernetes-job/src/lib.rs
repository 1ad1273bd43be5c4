//! Receiver `k8s_job`: watches Jobs, their Pods, their Events and CronJobs, keeps evidence as it appears, and emits
//! one event for each Job that has ended.
//!
//! * [`model`] and [`decode`]: from the API server's bytes to lean objects.
//! * [`tracker`]: the pure state machine that holds a record for each Job and decides when it is reported.

pub mod client;
pub mod decode;
pub mod model;
pub mod replay;
pub mod tracker;
pub mod watch;
