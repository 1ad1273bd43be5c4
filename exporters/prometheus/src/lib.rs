//! Exporter prometheus: serves metrics for Prometheus to scrape.
//!
//! * [`store`]: the latest point of each series, deltas added up to totals. Pure.
//! * [`kube_state`]: metrics under the names of kube-state-metrics, written as they come. Pure.
//! * [`server`]: `GET /metrics`.

pub mod exporter;
pub mod kube_state;
pub mod server;
pub mod settings;
pub mod store;

use collector_data::Signal;
use collector_runtime::component::{Exporter, Factory};

use crate::exporter::Prometheus;

/// The factory of exporter `prometheus`.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "prometheus",
        aliases: &[],
        signals: &[Signal::Metrics],
        makes: &[],
        description: "Serves metrics for Prometheus to scrape, as text 0.0.4 or OpenMetrics",
        create: |create| Ok(Box::new(Prometheus::new(create)?)),
    }
}
