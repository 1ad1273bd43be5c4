//! The configuration as a whole: sections, and the service that puts them together.

use std::collections::BTreeMap;
use std::fmt;

use super::{Position, Settings};
use crate::batch::Signal;
use crate::component::ComponentId;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands, if known.
    pub position: Option<Position>,
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Receivers.
    pub receivers: BTreeMap<ComponentId, Settings>,
    /// Processors.
    pub processors: BTreeMap<ComponentId, Settings>,
    /// Connectors.
    pub connectors: BTreeMap<ComponentId, Settings>,
    /// Exporters.
    pub exporters: BTreeMap<ComponentId, Settings>,
    /// Extensions.
    pub extensions: BTreeMap<ComponentId, Settings>,
    /// What runs.
    pub service: Service,
}

/// What runs.
#[derive(Clone, Debug)]
pub struct Service {
    /// Extensions, in the order in which they start.
    pub extensions: Vec<Located<ComponentId>>,
    /// Pipelines.
    pub pipelines: BTreeMap<PipelineId, Pipeline>,
    /// The collector's own telemetry.
    pub telemetry: Settings,
}

/// The id of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineId {
    /// What it carries.
    pub signal: Signal,
    /// The part after the slash.
    pub name: Option<String>,
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.signal),
            None => write!(f, "{}", self.signal),
        }
    }
}

/// One pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Where its data comes from.
    pub receivers: Vec<Located<ComponentId>>,
    /// What changes it, in this order.
    pub processors: Vec<Located<ComponentId>>,
    /// Where it goes.
    pub exporters: Vec<Located<ComponentId>>,
}
