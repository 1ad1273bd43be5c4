//! A snapshot of the running process: health, configuration, queues, watches and the leader, as `health_check` serves it at
//! `GET /status`, the exporter `web` at `/api/v1/status`, and the command `status` shows it.
//!
//! A component takes one at any time through [`Create::process`](crate::component::Create::process). Queues and watches
//! register readers through the [`Reporter`](crate::health::Reporter) of their component, and are read only then: a process
//! without a page or a request pays nothing.

mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::Health;
use snapshot::{Readings, snapshot};

/// Takes snapshots of the process; clones are equal.
#[derive(Clone, Debug)]
pub struct Process {
    health: Health,
}

/// The process at one time. All times are in UTC and whole seconds. Absent values are omitted in JSON, and unknown keys are
/// ignored, so that a client and a collector may have different versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// The version of the collector, such as `0.1.0`.
    pub version: String,
    /// The time of the snapshot.
    pub time: Timestamp,
    /// When the process started.
    pub started: Timestamp,
    /// False if a component is dead: the process is about to exit.
    pub alive: bool,
    /// True if every component is ok.
    pub ready: bool,
    /// The paths of the components that are not ok.
    pub unhealthy: Vec<String>,
    /// The result of the last attempt to apply a configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigurationState>,
    /// Every component, by path.
    #[serde(default)]
    pub components: Vec<ComponentState>,
    /// The sending queue of each exporter and signal that has received data.
    #[serde(default)]
    pub queues: Vec<QueueState>,
    /// The lists and watches of each receiver.
    #[serde(default)]
    pub watches: Vec<WatchState>,
    /// The leader as each leader elector knows it; empty without one.
    #[serde(default)]
    pub leaders: Vec<LeaderState>,
}

/// The result of the last attempt to apply a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationState {
    /// `applied` or `reload failed`; after the latter the components run with the configuration before it.
    pub status: String,
    /// The time of the attempt.
    pub since: Timestamp,
    /// The first error of a failed reload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The state of a component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentState {
    /// Its path in the configuration: `exporters::otlp_http/datadog`.
    pub path: String,
    /// `StatusStarting`, `StatusOK`, `StatusRecoverableError` (it retries), `StatusPermanentError` (dead) or `StatusStopped`.
    pub status: String,
    /// When the status last changed; a change of the reason alone does not count.
    pub since: Timestamp,
    /// The reason of the two errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Further facts: `role`, `leader` and `lease` of a leader elector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// The fill of a sending queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueState {
    /// The path of the exporter: `exporters::otlp_http/datadog`.
    pub exporter: String,
    /// `logs`, `metrics` or `traces`.
    pub signal: String,
    /// Queued and in flight, in `unit`.
    pub size: u64,
    /// In `unit`.
    pub capacity: u64,
    /// `requests`, `items` or `bytes`: `sending_queue::sizer`.
    pub unit: String,
}

/// The state of a list and watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchState {
    /// The path of the receiver: `receivers::k8s_job`.
    pub receiver: String,
    /// The resource, as the attribute `resource` of own metrics: `jobs`, `pods`, `job events`.
    pub resource: String,
    /// The namespace; absent for the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `listing` (the first list is not complete), `watching`, `failing` (it retries), or `denied` (the permissions do not
    /// include it, and the receiver works without it).
    pub state: String,
    /// Why it is failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds since the last data arrived, bookmarks included; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_age: Option<u64>,
    /// How often it resumed or listed again since the receiver started.
    pub restarts: u64,
}

/// The leader as a leader elector knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeaderState {
    /// The path of the elector: `extensions::k8s_leader_elector`.
    pub elector: String,
    /// `leader` or `standby`: the role of this process.
    pub role: String,
    /// The identity of the leader, which is the name of its Pod; absent if no leader is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// `NAMESPACE/NAME` of the Lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
}

impl Process {
    /// The process whose components report this health.
    pub fn new(health: &Health) -> Self {
        Process { health: health.clone() }
    }

    /// The process now.
    pub fn status(&self) -> ProcessStatus {
        let readings = Readings {
            queues: self.health.readings().queues(),
            watches: self.health.readings().watches(),
        };
        // Outlives the readers, which may report a status themselves.
        let statuses = self.health.watch().borrow().clone();
        snapshot(&statuses, readings, self.health.started(), Timestamp::now())
    }
}
