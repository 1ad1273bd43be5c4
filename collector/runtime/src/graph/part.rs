//! The parts of a graph, each with everything that is needed to make it, perhaps again.

use std::collections::BTreeSet;
use std::sync::Arc;

use opentelemetry::metrics::Meter;

use crate::component::{Connector, Create, Exporter, Extension, Factory, Kind, Processor, Receiver};
use crate::health::Health;
use crate::storage::Provided;
use collector_config::{ComponentId, Diagnostics, Settings};
use collector_data::Signal;

/// One task of a running graph: a component, or the processors of a pipeline.
#[derive(Clone)]
pub(crate) struct GraphPart {
    /// Its path in the configuration, such as `exporters::debug` or `service::pipelines::logs`.
    pub path: Arc<str>,
    pub recipe: Recipe,
    /// The signals that it consumes, whether or not a pipeline sends them: each has a channel.
    pub inputs: Vec<Signal>,
    /// The paths of its consumers, by signal.
    pub outputs: Vec<(Signal, Vec<Arc<str>>)>,
}

/// How a part is made.
#[derive(Clone)]
pub(crate) enum Recipe {
    Extension(Spec<dyn Extension>),
    Exporter(Spec<dyn Exporter>),
    Connector(Spec<dyn Connector>),
    /// The processors of a pipeline, in order. A pipeline without processors has none: its producers send straight to
    /// its exporters.
    Chain(Vec<Spec<dyn Processor>>),
    Receiver(Spec<dyn Receiver>),
}

/// A component as it is configured.
pub(crate) struct Spec<T: ?Sized> {
    pub path: String,
    pub id: ComponentId,
    pub settings: Settings,
    /// The extensions that it requests when it is created.
    pub uses: BTreeSet<ComponentId>,
    pub factory: Factory<T>,
}

impl<T: ?Sized> Clone for Spec<T> {
    fn clone(&self) -> Self {
        Spec {
            path: self.path.clone(),
            id: self.id.clone(),
            settings: self.settings.clone(),
            uses: self.uses.clone(),
            factory: self.factory,
        }
    }
}

impl<T: ?Sized> Spec<T> {
    pub(super) fn new(kind: Kind, id: &ComponentId, settings: &Settings, factory: &Factory<T>) -> Self {
        Spec {
            path: kind.path(id),
            id: id.clone(),
            settings: settings.clone(),
            uses: BTreeSet::new(),
            factory: *factory,
        }
    }

    /// Makes the component.
    ///
    /// # Errors
    /// Every error in its settings.
    pub(crate) fn create(&self, meter: &Meter, health: &Health, provided: &Provided) -> Result<Box<T>, Diagnostics> {
        (self.factory.create)(&Create {
            id: &self.id,
            settings: &self.settings,
            meter,
            health,
            provided,
        })
    }

    /// True if the other is the same component with the same settings.
    pub(crate) fn is_same(&self, other: &Spec<T>) -> bool {
        self.id == other.id && self.uses == other.uses && self.settings.has_same_values(&other.settings)
    }
}

impl Recipe {
    /// True if the other makes the same, as long as the extensions are the same.
    pub(crate) fn is_same(&self, other: &Recipe) -> bool {
        match (self, other) {
            (Recipe::Extension(one), Recipe::Extension(other)) => one.is_same(other),
            (Recipe::Exporter(one), Recipe::Exporter(other)) => one.is_same(other),
            (Recipe::Connector(one), Recipe::Connector(other)) => one.is_same(other),
            (Recipe::Receiver(one), Recipe::Receiver(other)) => one.is_same(other),
            (Recipe::Chain(all), Recipe::Chain(others)) => {
                all.len() == others.len() && all.iter().zip(others).all(|(one, other)| one.is_same(other))
            }
            _ => false,
        }
    }

    /// The extensions that its components use.
    pub(crate) fn uses(&self) -> BTreeSet<&ComponentId> {
        match self {
            Recipe::Extension(spec) => spec.uses.iter().collect(),
            Recipe::Exporter(spec) => spec.uses.iter().collect(),
            Recipe::Connector(spec) => spec.uses.iter().collect(),
            Recipe::Receiver(spec) => spec.uses.iter().collect(),
            Recipe::Chain(specs) => specs.iter().flat_map(|spec| &spec.uses).collect(),
        }
    }

    /// True if two instances may run at a time: nothing that only one can have, such as a store or a port.
    pub(crate) fn may_overlap(&self) -> bool {
        match self {
            Recipe::Chain(_) => true,
            Recipe::Connector(spec) => spec.uses.is_empty(),
            Recipe::Extension(_) | Recipe::Exporter(_) | Recipe::Receiver(_) => false,
        }
    }

    pub(crate) fn is_extension(&self) -> bool {
        matches!(self, Recipe::Extension(_))
    }

    pub(crate) fn is_receiver(&self) -> bool {
        matches!(self, Recipe::Receiver(_))
    }
}
