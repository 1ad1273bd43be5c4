//! Makes every configured component once, to find all errors in the settings. The components are dropped: they record no
//! metrics and report no health, so a graph that never runs leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry::metrics::{Meter, MeterProvider, NoopMeterProvider};

use super::catalog::find;
use super::part::Spec;
use crate::component::{Connector, Exporter, Extension, Factories, Factory, Kind, Processor, Receiver};
use crate::health::Health;
use crate::storage::Provided;
use collector_config::ComponentId;
use collector_config::{Config, Diagnostics, Settings};

/// A component, and how it was made.
type Made<T> = (Spec<T>, Box<T>);

/// Every configured component that can be made.
pub(super) struct Specs {
    pub receivers: BTreeMap<ComponentId, Spec<dyn Receiver>>,
    pub processors: BTreeMap<ComponentId, Spec<dyn Processor>>,
    pub connectors: BTreeMap<ComponentId, Spec<dyn Connector>>,
    /// Each with the exporter itself, which may have warnings about its signals.
    pub exporters: BTreeMap<ComponentId, Made<dyn Exporter>>,
    pub extensions: BTreeMap<ComponentId, Spec<dyn Extension>>,
    /// The services of the extensions.
    pub provided: Provided,
    /// The extensions that a component references.
    pub named: BTreeSet<ComponentId>,
    /// True if every component of a known type could be made.
    pub complete: bool,
}

impl Specs {
    /// Makes every configured component; reports every error in their settings. Unknown types are passed over:
    /// the catalog reports them.
    pub(super) fn make(config: &Config, factories: &Factories, problems: &mut Diagnostics) -> Self {
        let mut maker = Maker {
            meter: NoopMeterProvider::new().meter("validation"),
            health: Health::new(),
            provided: Provided::new(),
            named: BTreeSet::new(),
            problems,
            complete: true,
        };
        let extensions = maker.extensions(config, &factories.extensions);
        let processors = maker.all(Kind::Processor, &config.processors, &factories.processors);
        let receivers = maker.all(Kind::Receiver, &config.receivers, &factories.receivers);
        let connectors = maker.all(Kind::Connector, &config.connectors, &factories.connectors);
        let exporters = maker.all(Kind::Exporter, &config.exporters, &factories.exporters);
        Specs {
            receivers: without_components(receivers),
            processors: without_components(processors),
            connectors: without_components(connectors),
            exporters,
            extensions,
            complete: maker.complete,
            provided: maker.provided,
            named: maker.named,
        }
    }
}

fn without_components<T: ?Sized>(made: BTreeMap<ComponentId, Made<T>>) -> BTreeMap<ComponentId, Spec<T>> {
    made.into_iter().map(|(id, (spec, _))| (id, spec)).collect()
}

struct Maker<'a> {
    meter: Meter,
    health: Health,
    provided: Provided,
    named: BTreeSet<ComponentId>,
    problems: &'a mut Diagnostics,
    complete: bool,
}

impl Maker<'_> {
    /// Makes the extensions, before everything that may use them. One may use another, whatever their order: those that
    /// cannot be made are tried again once the others are.
    fn extensions(
        &mut self,
        config: &Config,
        factories: &[Factory<dyn Extension>],
    ) -> BTreeMap<ComponentId, Spec<dyn Extension>> {
        let in_service = |id: &ComponentId| config.service.extensions.iter().any(|named| named.value == *id);
        let mut made = BTreeMap::new();
        let mut left: BTreeMap<&ComponentId, &Settings> = config.extensions.iter().collect();
        loop {
            let before = left.len();
            left.retain(
                |id, settings| match self.create(Kind::Extension, id, settings, factories) {
                    None => {
                        if in_service(id) {
                            self.provided.add_unavailable((*id).clone());
                        }
                        false
                    }
                    Some(Err(_)) => true,
                    Some(Ok((spec, extension))) => {
                        if in_service(id) {
                            self.provided.add((*id).clone(), extension.offer());
                        }
                        made.insert((*id).clone(), spec);
                        false
                    }
                },
            );
            if left.is_empty() || left.len() == before {
                self.complete &= left.is_empty();
                for id in left.keys().filter(|id| in_service(id)) {
                    self.provided.add_unavailable((*id).clone());
                }
                // Again, without those that only lack one of the others.
                for (id, settings) in left {
                    if let Some(Err(wrong)) = self.create(Kind::Extension, id, settings, factories) {
                        self.problems.append(wrong);
                    }
                }
                return made;
            }
        }
    }

    fn all<T: ?Sized>(
        &mut self,
        kind: Kind,
        configured: &BTreeMap<ComponentId, Settings>,
        factories: &[Factory<T>],
    ) -> BTreeMap<ComponentId, Made<T>> {
        let mut all = BTreeMap::new();
        for (id, settings) in configured {
            match self.create(kind, id, settings, factories) {
                None => {}
                Some(Ok(made)) => drop(all.insert(id.clone(), made)),
                Some(Err(errors)) => {
                    self.complete = false;
                    self.problems.append(errors);
                }
            }
        }
        all
    }

    /// `None` for a type that is not known: the catalog reports it.
    fn create<T: ?Sized>(
        &mut self,
        kind: Kind,
        id: &ComponentId,
        settings: &Settings,
        factories: &[Factory<T>],
    ) -> Option<Result<Made<T>, Diagnostics>> {
        let mut spec = Spec::new(kind, id, settings, find(factories, &id.type_name)?);
        let made = spec.create(&self.meter, &self.health, &self.provided);
        spec.uses = self.provided.take_named();
        self.named.extend(spec.uses.iter().cloned());
        Some(made.map(|component| (spec, component)))
    }
}
