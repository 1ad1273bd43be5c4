//! Exporter web: keeps the latest events and serves them as a page and as JSON.
//!
//! * [`views`]: what is shown, as data. Pure.
//! * `store`: the kept events; `gauges`: the latest gauges of owners. Pure.
//! * `state`: both behind one lock, for the component and the requests.
//! * `api`: JSON and server-sent events under `/api/v1`.
//! * `pages`: HTML.
//! * `security`: token and response headers of every route.

mod api;
pub mod exporter;
mod gauges;
mod leading;
mod live;
mod pages;
mod persistence;
mod security;
mod server;
mod settings;
mod state;
mod store;
mod telemetry;
#[cfg(test)]
mod testing;
pub mod views;

use collector_config::schema_of;
use collector_data::Signal;
use collector_runtime::component::{Exporter, Factory};

use crate::exporter::WebExporter;

/// The factory of exporter `web`.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "web",
        aliases: &[],
        signals: &[Signal::Logs, Signal::Metrics],
        makes: &[],
        description: "Keeps the latest events and serves them as a page and as JSON",
        schema: schema_of::<settings::WebSettings>,
        create: |create| Ok(Box::new(WebExporter::new(create)?)),
    }
}
