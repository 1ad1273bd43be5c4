//! The component types of the configured ids.

use std::collections::BTreeMap;

use crate::component::{Factories, Factory, Kind};
use collector_config::ComponentId;
use collector_config::{Config, Diagnostic, Diagnostics, Settings, nearest};
use collector_data::Signal;

/// The signals that a configured component consumes and produces.
#[derive(Clone, Copy)]
pub(super) struct Signals {
    pub takes: &'static [Signal],
    pub makes: &'static [Signal],
}

/// Every configured id, with the signals that its type consumes and produces; `None` where the type is unknown.
pub(super) struct Catalog<'a> {
    entries: BTreeMap<(Kind, &'a ComponentId), Option<Signals>>,
}

impl<'a> Catalog<'a> {
    /// Looks up the type of every configured component; reports those that this binary does not have.
    pub(super) fn of(config: &'a Config, factories: &Factories, problems: &mut Diagnostics) -> Self {
        let mut catalog = Catalog {
            entries: BTreeMap::new(),
        };
        catalog.add(Kind::Receiver, &config.receivers, &factories.receivers, problems);
        catalog.add(Kind::Processor, &config.processors, &factories.processors, problems);
        catalog.add(Kind::Connector, &config.connectors, &factories.connectors, problems);
        catalog.add(Kind::Exporter, &config.exporters, &factories.exporters, problems);
        catalog.add(Kind::Extension, &config.extensions, &factories.extensions, problems);
        catalog
    }

    fn add<T: ?Sized>(
        &mut self,
        kind: Kind,
        configured: &'a BTreeMap<ComponentId, Settings>,
        factories: &[Factory<T>],
        problems: &mut Diagnostics,
    ) {
        for (id, settings) in configured {
            let signals = match find(factories, &id.type_name) {
                Some(factory) => Some(match kind {
                    Kind::Receiver => Signals {
                        takes: &[],
                        makes: factory.signals,
                    },
                    _ => Signals {
                        takes: factory.signals,
                        makes: factory.makes,
                    },
                }),
                None => {
                    problems.push(Diagnostic {
                        path: kind.path(id),
                        help: Some(known(kind, &id.type_name, factories)),
                        ..settings.error("", format!("unknown {kind} type {:?}", id.type_name))
                    });
                    None
                }
            };
            self.entries.insert((kind, id), signals);
        }
    }

    /// True if `id` is configured as a component of this kind.
    pub(super) fn has(&self, kind: Kind, id: &ComponentId) -> bool {
        self.entries.contains_key(&(kind, id))
    }

    /// The component's signals, if it is configured and its type is known.
    pub(super) fn signals(&self, kind: Kind, id: &ComponentId) -> Option<Signals> {
        self.entries.get(&(kind, id)).copied().flatten()
    }

    /// The ids of this kind.
    pub(super) fn ids(&self, kind: Kind) -> impl Iterator<Item = String> {
        self.entries
            .keys()
            .filter(move |(k, _)| *k == kind)
            .map(|(_, id)| id.to_string())
    }
}

/// The factory for a type name or one of its aliases.
pub(super) fn find<'f, T: ?Sized>(factories: &'f [Factory<T>], type_name: &str) -> Option<&'f Factory<T>> {
    factories
        .iter()
        .find(|factory| factory.type_name == type_name || factory.aliases.contains(&type_name))
}

fn known<T: ?Sized>(kind: Kind, wanted: &str, factories: &[Factory<T>]) -> String {
    let mut names: Vec<&str> = factories.iter().map(|factory| factory.type_name).collect();
    names.sort_unstable();
    let with_aliases = factories
        .iter()
        .flat_map(|factory| std::iter::once(factory.type_name).chain(factory.aliases.iter().copied()));
    let list = match names.is_empty() {
        true => format!("this binary has no {}", kind.section()),
        false => format!("this binary has the {} {}", kind.section(), names.join(", ")),
    };
    match nearest(wanted, with_aliases) {
        Some(near) => format!("did you mean {near:?}? {list}"),
        None => list,
    }
}
