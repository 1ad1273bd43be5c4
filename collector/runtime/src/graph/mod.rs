//! From a configuration to components that are put together, or to every error at once.
//!
//! * `catalog`: the component types of the ids.
//! * `check`: every component that pipelines name exists and fits.
//! * `order`: which pipeline feeds which, and whether one feeds itself.
//! * `wire`: makes the components and the channels between them.

mod catalog;
mod check;
mod order;
mod wire;

use opentelemetry::metrics::Meter;

use crate::component::{Connector, Exporter, Extension, Factories, Processor, Receiver};
use crate::health::{Health, Reporter};
use crate::outlet::{Inbox, Outlet, Outputs};
use crate::storage::Provided;
use collector_config::{Config, Diagnostic, Diagnostics};

/// Components, made and connected, none of them started.
pub struct Graph {
    /// In the order of `service::extensions`.
    pub(crate) extensions: Vec<Node<dyn Extension>>,
    /// Each exporter with its inbox.
    pub(crate) exporters: Vec<(Node<dyn Exporter>, Inbox)>,
    /// Against the flow: a connector comes after all connectors it feeds.
    pub(crate) connectors: Vec<(Node<dyn Connector>, Inbox, Outputs)>,
    /// Against the flow.
    pub(crate) chains: Vec<Chain>,
    pub(crate) receivers: Vec<(Node<dyn Receiver>, Outputs)>,
    warnings: Diagnostics,
}

/// One component, with its place in the configuration.
pub(crate) struct Node<T: ?Sized> {
    /// Its path in the configuration, such as `exporters::debug`.
    pub path: String,
    pub component: Box<T>,
    pub reporter: Reporter,
}

/// The processors of one pipeline, in order. A pipeline without processors has none: its producers send straight to
/// its exporters.
pub(crate) struct Chain {
    /// The pipeline's path in the configuration, such as `service::pipelines::logs`.
    pub path: String,
    pub processors: Vec<Node<dyn Processor>>,
    pub input: Inbox,
    pub output: Outlet,
}

impl Graph {
    /// Makes every configured component and connects those that the pipelines name. No I/O: for `validate`, this is all.
    ///
    /// There is one instance for each id of a receiver, connector, exporter or extension, and one instance of a
    /// processor for each pipeline that names it. Components that nothing names are created too, so that errors in
    /// their settings are reported, and then dropped.
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
        let parts = wire::Parts::make(config, factories, meter, health, &mut problems);
        problems.0.retain(|error| !Provided::is_consequence(error));
        if !problems.is_empty() || !parts.complete {
            return Err(problems.sorted());
        }
        check::unnamed(config, &parts.provided);
        let mut graph = parts.connect(config, &order, health);
        check::unused(config);
        graph.warnings = config.warnings.list();
        Ok(graph)
    }

    /// Warnings of the created components, of the configuration and of
    /// the graph (see [`Config::warnings`]).
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings.0
    }
}
