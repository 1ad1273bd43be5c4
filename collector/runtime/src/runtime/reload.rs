//! A reload: the running components become those of another graph.

use std::fmt;

use tokio::sync::oneshot;

use super::error::Failure;
use crate::graph::Graph;

/// Receives the result of a reload.
pub(super) type Done = oneshot::Sender<Result<ReloadReport, ReloadError>>;

/// Asks a running graph to become another one.
pub struct Reload {
    /// The new graph, built with the meter and the health of the running one.
    pub graph: Graph,
    /// Receives the result once all components of the new graph run, or the old ones run again. Dropped without a result
    /// if the process ends meanwhile.
    pub done: Done,
}

/// The components and pipelines by the effect of a reload on them, as paths in the configuration (`exporters::debug`,
/// `service::pipelines::logs`), sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// Those that the old configuration does not have.
    pub added: Vec<String>,
    /// Those that the new configuration does not have; they ended.
    pub removed: Vec<String>,
    /// Those with other settings, or that use a changed extension; they were restarted. A changed pipeline names other
    /// components, or one of its processors changed.
    pub changed: Vec<String>,
    /// Those that run on untouched.
    pub unchanged: Vec<String>,
    /// Those of the old configuration that did not end in time and were aborted: data that they held is lost.
    pub aborted: Vec<String>,
}

impl ReloadReport {
    /// True if the new configuration differs from the old one.
    pub fn is_changed(&self) -> bool {
        !(self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty())
    }
}

/// Why the old configuration still runs.
#[derive(Debug)]
pub enum ReloadError {
    /// A component of the new configuration did not start.
    NotStarted(Failure),
    /// A later reload replaced this one before it began.
    Superseded,
    /// The collector shuts down, or a component failed and ends it.
    Ended,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::NotStarted(failure) => failure.fmt(f),
            ReloadError::Superseded => f.write_str("a later configuration replaced this one before it was applied"),
            ReloadError::Ended => f.write_str("the collector stopped before the new configuration was applied"),
        }
    }
}

impl std::error::Error for ReloadError {}
