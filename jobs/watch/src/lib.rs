//! Lists and watches Jobs, their Pods, their Events and CronJobs.
//!
//! * [`client`]: credentials and connections to the API server.
//! * [`access`]: which of the lists and watches RBAC allows.
//! * [`watch`]: lists, watches and resumes; [`raw`]: the same watches as the API server sends them, for a recording.
//! * [`model`] and [`decode`]: bytes of the API server as lean objects.
//! * [`observation`]: the result, one object or one end of a list at a time.

pub mod access;
pub mod client;
pub mod container_log;
pub mod decode;
pub mod model;
pub mod observation;
pub mod raw;
pub mod snapshot;
pub mod watch;

pub use observation::{Kind, Object, Observation, Source};
