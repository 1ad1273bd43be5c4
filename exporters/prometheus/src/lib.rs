//! Exporter prometheus: serves metrics for Prometheus to scrape.
//!
//! * [`store`]: the latest point of each series, with deltas added up. Pure.
//! * [`verbatim`]: metrics that already have Prometheus names, written unchanged. Pure.
//! * [`server`]: `GET /metrics`.

pub mod exporter;
pub mod server;
pub mod settings;
pub mod store;
pub mod verbatim;

use collector_config::schema_of;
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
        schema: schema_of::<settings::PrometheusSettings>,
        create: |create| Ok(Box::new(Prometheus::new(create)?)),
    }
}
