//! From a configuration to the plan of a running graph, or to every error at once.
//!
//! * `catalog`: the component types of the ids.
//! * `check`: every component that pipelines name exists and fits.
//! * `order`: which pipeline feeds which, and whether one feeds itself.
//! * `make`: makes every component once, to find the errors in its settings.
//! * `connect`, `part`: the parts that will run, and which feeds which.

mod catalog;
mod check;
mod connect;
mod make;
mod order;
mod part;

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry::metrics::Meter;

use crate::component::Factories;
use crate::health::Health;
use crate::storage::Provided;
use collector_config::{ComponentId, Config, Diagnostic, Diagnostics, Pipeline};

pub(crate) use part::{GraphPart, Recipe, Spec};

/// Components and how they are connected, none of them made or started.
pub struct Graph {
    /// In the order in which they start.
    pub(crate) parts: Vec<GraphPart>,
    /// The receivers, processors and exporters of each pipeline, by its path.
    pub(crate) pipelines: BTreeMap<Arc<str>, [Vec<ComponentId>; 3]>,
    pub(crate) meter: Meter,
    pub(crate) health: Health,
    warnings: Diagnostics,
}

impl Graph {
    /// Checks every configured component and connects those that the pipelines name. No I/O: for `validate`, this is all.
    ///
    /// Each component is created once, so that errors in its settings are reported, and dropped; nothing of it remains.
    /// The running graph has one instance for each id of a receiver, connector, exporter or extension. A processor has one
    /// instance for each pipeline that names it. All use `meter` and `health`.
    ///
    /// # Errors
    /// Every error: in the settings of a component, in what the pipelines name, and in how they fit together. The
    /// list is empty only if the sole errors are those that [`read_all`](collector_config::read_all) has reported.
    pub fn build(config: &Config, factories: &Factories, meter: &Meter, health: &Health) -> Result<Graph, Diagnostics> {
        let mut problems = Diagnostics::default();
        let catalog = catalog::Catalog::of(config, factories, &mut problems);
        check::ids(config, &mut problems);
        check::pipelines(config, &catalog, &mut problems);
        check::connectors(config, &catalog, &mut problems);
        check::extensions(config, &catalog, &mut problems);
        let order = order::against_the_flow(config, &mut problems);
        let specs = make::Specs::make(config, factories, &mut problems);
        problems.0.retain(|error| !Provided::is_consequence(error));
        if !problems.is_empty() || !specs.complete {
            return Err(problems.sorted());
        }
        check::unnamed(config, &specs.provided, &specs.named);
        let parts = connect::parts(&specs, config, &order);
        check::unused(config);
        let ids = |pipeline: &Pipeline| {
            [&pipeline.receivers, &pipeline.processors, &pipeline.exporters]
                .map(|list| list.iter().map(|named| named.value.clone()).collect())
        };
        let pipelines = config.service.pipelines.iter();
        Ok(Graph {
            parts,
            pipelines: pipelines
                .map(|(id, pipeline)| (connect::pipeline_path(id), ids(pipeline)))
                .collect(),
            meter: meter.clone(),
            health: health.clone(),
            warnings: config.warnings.list(),
        })
    }

    /// Warnings of the created components, of the configuration and of
    /// the graph (see [`Config::warnings`]).
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings.0
    }
}
