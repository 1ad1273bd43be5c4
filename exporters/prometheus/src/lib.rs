//! Exporter prometheus: serves metrics for Prometheus to scrape.
//!
//! * [`exposition`]: OTLP metrics as Prometheus text 0.0.4 and OpenMetrics 1.0. Pure; the collector's own metrics are
//!   written by it, too.
//! * [`store`]: the latest point of each series, deltas added up to totals. Pure.
//! * [`kube_state`]: metrics under the names of kube-state-metrics, written as they come. Pure.
//! * [`server`]: `GET /metrics`.

pub mod exporter;
pub mod exposition;
pub mod kube_state;
pub mod server;
pub mod settings;
pub mod store;

use pipeline::Signal;
use pipeline::component::{Exporter, Factory};

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
