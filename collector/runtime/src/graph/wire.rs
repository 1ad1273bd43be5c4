//! Makes the components and the channels between them.

use std::collections::BTreeMap;

use opentelemetry::metrics::Meter;
use tokio::sync::mpsc;

use super::catalog::find;
use super::{Chain, Graph, Node};
use crate::component::{Connector, Create, Exporter, Extension, Factories, Factory, Kind, Processor, Receiver};
use crate::health::Health;
use crate::outlet::{INBOX_CAPACITY, Inbox, Outlet, Outputs};
use crate::storage::Provided;
use collector_config::ComponentId;
use collector_config::{Config, Diagnostics, Pipeline, PipelineId, Settings};
use collector_data::{Batch, Signal};

type Consumer = (ComponentId, mpsc::Sender<Batch>);

/// Every configured component, made.
pub(super) struct Parts {
    receivers: BTreeMap<ComponentId, Box<dyn Receiver>>,
    /// By pipeline and position in it.
    processors: BTreeMap<(PipelineId, usize), Box<dyn Processor>>,
    connectors: BTreeMap<ComponentId, Box<dyn Connector>>,
    exporters: BTreeMap<ComponentId, Box<dyn Exporter>>,
    extensions: BTreeMap<ComponentId, Box<dyn Extension>>,
    /// Services of the extensions, and which of them a component references.
    pub provided: Provided,
    /// True if every component of a known type could be made.
    pub complete: bool,
}

impl Parts {
    /// Makes every configured component; reports every error in their settings. Unknown types are passed over:
    /// the catalog reports them.
    pub(super) fn make(
        config: &Config,
        factories: &Factories,
        meter: &Meter,
        health: &Health,
        problems: &mut Diagnostics,
    ) -> Self {
        let mut maker = Maker {
            meter,
            health,
            provided: Provided::new(),
            problems,
            complete: true,
        };
        let extensions = maker.extensions(config, &factories.extensions);
        let mut spare = maker.all(&config.processors, &factories.processors);
        let mut processors = BTreeMap::new();
        for (pipeline_id, pipeline) in &config.service.pipelines {
            for (position, named) in pipeline.processors.iter().enumerate() {
                let id = &named.value;
                let made = match (spare.remove(id), config.processors.get(id)) {
                    (Some(first), _) => Some(first),
                    (None, Some(settings)) if processors.values().any(|(made, _)| made == id) => {
                        maker.one(id, settings, &factories.processors)
                    }
                    // Not configured, or not to be created; both are already reported.
                    (None, _) => None,
                };
                if let Some(made) = made {
                    processors.insert((pipeline_id.clone(), position), (id.clone(), made));
                }
            }
        }
        Parts {
            receivers: maker.all(&config.receivers, &factories.receivers),
            processors: processors.into_iter().map(|(place, (_, made))| (place, made)).collect(),
            connectors: maker.all(&config.connectors, &factories.connectors),
            exporters: maker.all(&config.exporters, &factories.exporters),
            extensions,
            complete: maker.complete,
            provided: maker.provided,
        }
    }

    /// Connects what the service names. `order` is the pipelines against the flow.
    pub(super) fn connect(mut self, config: &Config, order: &[&PipelineId], health: &Health) -> Graph {
        let pipelines: Vec<(&PipelineId, &Pipeline)> = order
            .iter()
            .filter_map(|id| config.service.pipelines.get_key_value(id))
            .collect();
        let mut graph = Graph {
            extensions: Vec::new(),
            exporters: Vec::new(),
            connectors: Vec::new(),
            chains: Vec::new(),
            receivers: Vec::new(),
            warnings: Diagnostics::default(),
        };
        for named in &config.service.extensions {
            if let Some(component) = self.extensions.remove(&named.value) {
                graph
                    .extensions
                    .push(node(Kind::Extension, &named.value, component, health));
            }
        }

        // The senders to every exporter and connector, then the entry of every pipeline: against the flow, so that the
        // consumers of a connector or chain exist before it.
        let mut ends: BTreeMap<(&ComponentId, Signal), mpsc::Sender<Batch>> = BTreeMap::new();
        let mut entries: BTreeMap<&PipelineId, Vec<Consumer>> = BTreeMap::new();
        for (pipeline_id, pipeline) in &pipelines {
            let mut consumers = Vec::new();
            for named in &pipeline.exporters {
                let id = &named.value;
                if let Some(component) = self.exporters.remove(id) {
                    component.connected(&signals_to(id, config));
                    let node = node(Kind::Exporter, id, component, health);
                    graph.exporters.push((node, Inbox::empty()));
                } else if let Some(component) = self.connectors.remove(id) {
                    let node = node(Kind::Connector, id, component, health);
                    let outputs = outputs(id, &pipelines, &entries);
                    graph.connectors.push((node, Inbox::empty(), outputs));
                }
                let Some(input) = input(&mut graph, id) else { continue };
                let end = ends.entry((id, pipeline_id.signal)).or_insert_with(|| {
                    let (sender, channel) = mpsc::channel(INBOX_CAPACITY);
                    input.add(channel);
                    sender
                });
                consumers.push((id.clone(), end.clone()));
            }
            let entry = match self.chain(pipeline_id, pipeline, consumers, health) {
                Ok((chain, entry)) => {
                    graph.chains.push(chain);
                    vec![entry]
                }
                Err(consumers) => consumers,
            };
            entries.insert(pipeline_id, entry);
        }
        for (id, component) in self.receivers {
            if pipelines
                .iter()
                .any(|(_, p)| p.receivers.iter().any(|named| named.value == id))
            {
                let outputs = outputs(&id, &pipelines, &entries);
                graph
                    .receivers
                    .push((node(Kind::Receiver, &id, component, health), outputs));
            }
        }
        graph
    }

    /// The pipeline's processors and their entry; without any, the consumers are returned.
    fn chain(
        &mut self,
        pipeline_id: &PipelineId,
        pipeline: &Pipeline,
        consumers: Vec<Consumer>,
        health: &Health,
    ) -> Result<(Chain, Consumer), Vec<Consumer>> {
        let mut processors = Vec::new();
        for (position, named) in pipeline.processors.iter().enumerate() {
            if let Some(component) = self.processors.remove(&(pipeline_id.clone(), position)) {
                processors.push(node(Kind::Processor, &named.value, component, health));
            }
        }
        if processors.is_empty() {
            return Err(consumers);
        }
        let (sender, channel) = mpsc::channel(INBOX_CAPACITY);
        let id = ComponentId {
            type_name: pipeline_id.signal.to_string(),
            name: pipeline_id.name.clone(),
        };
        let chain = Chain {
            path: format!("service::pipelines::{pipeline_id}"),
            processors,
            input: channel.into(),
            output: Outlet::new(consumers),
        };
        Ok((chain, (id, sender)))
    }
}

/// The signals that the exporter `id` receives.
fn signals_to(id: &ComponentId, config: &Config) -> Vec<Signal> {
    let pipelines = config.service.pipelines.iter();
    let naming = pipelines.filter(|(_, pipeline)| pipeline.exporters.iter().any(|named| named.value == *id));
    naming.map(|(pipeline, _)| pipeline.signal).collect()
}

/// The inbox of the exporter or connector `id`.
fn input<'a>(graph: &'a mut Graph, id: &ComponentId) -> Option<&'a mut Inbox> {
    let (exporter, connector) = (Kind::Exporter.path(id), Kind::Connector.path(id));
    let exporters = graph.exporters.iter_mut().map(|(node, input)| (&node.path, input));
    let connectors = graph.connectors.iter_mut().map(|(node, input, _)| (&node.path, input));
    exporters
        .chain(connectors)
        .find_map(|(path, input)| (*path == exporter || *path == connector).then_some(input))
}

/// Where the receiver or connector `id` sends: into every pipeline that names it as a receiver.
fn outputs(
    id: &ComponentId,
    pipelines: &[(&PipelineId, &Pipeline)],
    entries: &BTreeMap<&PipelineId, Vec<Consumer>>,
) -> Outputs {
    let to = |signal: Signal| {
        let consumers = pipelines
            .iter()
            .filter(|(pipeline_id, pipeline)| {
                pipeline_id.signal == signal && pipeline.receivers.iter().any(|named| named.value == *id)
            })
            .filter_map(|(pipeline_id, _)| entries.get(pipeline_id))
            .flatten()
            .cloned();
        Outlet::new(consumers.collect())
    };
    Outputs {
        logs: to(Signal::Logs),
        metrics: to(Signal::Metrics),
        traces: to(Signal::Traces),
    }
}

fn node<T: ?Sized>(kind: Kind, id: &ComponentId, component: Box<T>, health: &Health) -> Node<T> {
    let path = kind.path(id);
    Node {
        reporter: health.reporter(&path),
        path,
        component,
    }
}

struct Maker<'a> {
    meter: &'a Meter,
    health: &'a Health,
    provided: Provided,
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
    ) -> BTreeMap<ComponentId, Box<dyn Extension>> {
        let in_service = |id: &ComponentId| config.service.extensions.iter().any(|named| named.value == *id);
        let mut made = BTreeMap::new();
        let mut left: BTreeMap<&ComponentId, &Settings> = config.extensions.iter().collect();
        loop {
            let before = left.len();
            left.retain(|id, settings| match self.create(id, settings, factories) {
                None => {
                    if in_service(id) {
                        self.provided.add_unavailable((*id).clone());
                    }
                    false
                }
                Some(Err(_)) => true,
                Some(Ok(extension)) => {
                    if in_service(id) {
                        self.provided.add((*id).clone(), extension.offer());
                    }
                    made.insert((*id).clone(), extension);
                    false
                }
            });
            if left.is_empty() || left.len() == before {
                self.complete &= left.is_empty();
                for id in left.keys().filter(|id| in_service(id)) {
                    self.provided.add_unavailable((*id).clone());
                }
                // Again, without those that only lack one of the others.
                for (id, settings) in left {
                    if let Some(Err(wrong)) = self.create(id, settings, factories) {
                        self.problems.append(wrong);
                    }
                }
                return made;
            }
        }
    }

    fn all<T: ?Sized>(
        &mut self,
        configured: &BTreeMap<ComponentId, Settings>,
        factories: &[Factory<T>],
    ) -> BTreeMap<ComponentId, Box<T>> {
        configured
            .iter()
            .filter_map(|(id, settings)| Some((id.clone(), self.one(id, settings, factories)?)))
            .collect()
    }

    fn one<T: ?Sized>(&mut self, id: &ComponentId, settings: &Settings, factories: &[Factory<T>]) -> Option<Box<T>> {
        match self.create(id, settings, factories)? {
            Ok(component) => Some(component),
            Err(errors) => {
                self.complete = false;
                self.problems.append(errors);
                None
            }
        }
    }

    /// `None` for a type that is not known: the catalog reports it.
    fn create<T: ?Sized>(
        &self,
        id: &ComponentId,
        settings: &Settings,
        factories: &[Factory<T>],
    ) -> Option<Result<Box<T>, Diagnostics>> {
        let factory = find(factories, &id.type_name)?;
        Some((factory.create)(&Create {
            id,
            settings,
            meter: self.meter,
            health: self.health,
            provided: &self.provided,
        }))
    }
}
