//! Lists and watches Jobs, their Pods, their Events and CronJobs.
//!
//! * [`client`]: credentials and connections to the API server.
//! * [`selection`] and [`cluster`]: the settings of a receiver, and its connection on startup; [`version`]: the server's.
//! * [`watches`]: all lists and watches of a receiver, with their [`health`] and [`telemetry`].
//! * [`access`]: which of the lists and watches RBAC allows.
//! * [`watch`]: lists, watches and resumes; [`raw`]: the same watches as the API server sends them, for a recording.
//! * [`model`] and [`decode`]: bytes of the API server as lean objects.
//! * [`container_log`], [`service_proxy`]: requests of a command, through the API server.
//! * [`extract`]: the rules that select labels and annotations.
//! * [`shard`]: which namespaces belong to one of several collectors.
//! * [`observation`]: the result, one object or one end of a list at a time.

pub mod access;
pub mod client;
pub mod cluster;
pub mod container_log;
pub mod decode;
pub mod extract;
pub mod health;
pub mod model;
pub mod observation;
mod outage;
pub mod raw;
pub mod selection;
pub mod service_proxy;
pub mod shard;
pub mod snapshot;
pub mod telemetry;
pub mod version;
pub mod watch;
pub mod watches;

pub use observation::{Kind, Object, Observation, Source};
pub use watch::error::WatchError;
