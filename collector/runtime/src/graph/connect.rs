//! The parts that the service names, and which of them feeds which. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::make::Specs;
use super::part::{GraphPart, Recipe};
use crate::component::Kind;
use collector_config::{ComponentId, Config, Located, Pipeline, PipelineId};
use collector_data::Signal;

/// The parts in the order in which they start: extensions as in `service::extensions`, then against the flow exporters,
/// connectors, processors and receivers. `order` is the pipelines against the flow.
pub(super) fn parts(specs: &Specs, config: &Config, order: &[&PipelineId]) -> Vec<GraphPart> {
    let pipelines: Vec<(&PipelineId, &Pipeline)> = order
        .iter()
        .filter_map(|id| config.service.pipelines.get_key_value(id))
        .collect();
    let connect = Connect {
        specs,
        pipelines: &pipelines,
    };
    let (mut extensions, mut exporters, mut connectors, mut chains) = (vec![], vec![], vec![], vec![]);
    for named in &config.service.extensions {
        if let Some(spec) = specs.extensions.get(&named.value) {
            extensions.push(GraphPart {
                path: spec.path.as_str().into(),
                recipe: Recipe::Extension(spec.clone()),
                inputs: Vec::new(),
                outputs: Vec::new(),
            });
        }
    }
    for (pipeline_id, pipeline) in &pipelines {
        for id in ids(&pipeline.exporters) {
            let is_new = |parts: &[GraphPart], path: &str| !parts.iter().any(|part| &*part.path == path);
            if let Some((spec, exporter)) = specs.exporters.get(id) {
                if is_new(&exporters, &spec.path) {
                    exporter.connected(&connect.signals_to(id));
                    exporters.push(GraphPart {
                        path: spec.path.as_str().into(),
                        inputs: spec.factory.signals.to_vec(),
                        recipe: Recipe::Exporter(spec.clone()),
                        outputs: Vec::new(),
                    });
                }
            } else if let Some(spec) = specs.connectors.get(id)
                && is_new(&connectors, &spec.path)
            {
                connectors.push(GraphPart {
                    path: spec.path.as_str().into(),
                    inputs: spec.factory.signals.to_vec(),
                    recipe: Recipe::Connector(spec.clone()),
                    outputs: connect.outputs(id),
                });
            }
        }
        chains.extend(connect.chain(pipeline_id, pipeline));
    }
    let receivers = specs.receivers.iter().filter(|(id, _)| {
        let mut receivers = pipelines.iter().flat_map(|(_, pipeline)| ids(&pipeline.receivers));
        receivers.any(|named| named == *id)
    });
    let receivers = receivers.map(|(id, spec)| GraphPart {
        path: spec.path.as_str().into(),
        recipe: Recipe::Receiver(spec.clone()),
        inputs: Vec::new(),
        outputs: connect.outputs(id),
    });
    let parts = [extensions, exporters, connectors, chains];
    parts.into_iter().flatten().chain(receivers).collect()
}

/// The path of a pipeline in the configuration.
pub(super) fn pipeline_path(id: &PipelineId) -> Arc<str> {
    format!("service::pipelines::{id}").into()
}

fn ids(list: &[Located<ComponentId>]) -> impl Iterator<Item = &ComponentId> {
    list.iter().map(|named| &named.value)
}

struct Connect<'a> {
    specs: &'a Specs,
    pipelines: &'a [(&'a PipelineId, &'a Pipeline)],
}

impl Connect<'_> {
    /// The pipeline's processors; `None` without any.
    fn chain(&self, id: &PipelineId, pipeline: &Pipeline) -> Option<GraphPart> {
        let processors: Vec<_> = ids(&pipeline.processors)
            .filter_map(|id| self.specs.processors.get(id).cloned())
            .collect();
        (!processors.is_empty()).then(|| GraphPart {
            path: pipeline_path(id),
            recipe: Recipe::Chain(processors),
            inputs: vec![id.signal],
            outputs: vec![(id.signal, self.ends(pipeline))],
        })
    }

    /// The exporters and connectors at the end of a pipeline.
    fn ends(&self, pipeline: &Pipeline) -> Vec<Arc<str>> {
        let path = |id: &ComponentId| match self.specs.exporters.contains_key(id) {
            true => Kind::Exporter.path(id).into(),
            false => Kind::Connector.path(id).into(),
        };
        ids(&pipeline.exporters).map(path).collect()
    }

    /// Where the receiver or connector `id` sends: into every pipeline that names it as a receiver.
    fn outputs(&self, id: &ComponentId) -> Vec<(Signal, Vec<Arc<str>>)> {
        let mut outputs: BTreeMap<Signal, Vec<Arc<str>>> = Signal::ALL.map(|signal| (signal, Vec::new())).into();
        for (pipeline_id, pipeline) in self.pipelines {
            if !ids(&pipeline.receivers).any(|named| named == id) {
                continue;
            }
            let consumers = outputs.entry(pipeline_id.signal).or_default();
            match self.chain(pipeline_id, pipeline) {
                Some(chain) => consumers.push(chain.path),
                None => consumers.extend(self.ends(pipeline)),
            }
        }
        outputs.into_iter().collect()
    }

    /// The signals that the exporter `id` receives.
    fn signals_to(&self, id: &ComponentId) -> Vec<Signal> {
        let naming = self
            .pipelines
            .iter()
            .filter(|(_, pipeline)| ids(&pipeline.exporters).any(|named| named == id));
        let mut signals: Vec<(&PipelineId, Signal)> = naming.map(|(id, _)| (*id, id.signal)).collect();
        signals.sort();
        signals.into_iter().map(|(_, signal)| signal).collect()
    }
}
