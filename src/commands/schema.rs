//! `schema`: the JSON Schema of a configuration, for editors.

use collector_config::schema::{ComponentSchema, ConfigSchema};
use collector_config::schema_of;
use collector_runtime::component::Factory;

use super::{Failure, print};
use crate::cli::SchemaArgs;
use crate::components;
use crate::telemetry::TelemetryConfig;

/// Where a release has its files.
const RELEASE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/releases/download/v",
    env!("CARGO_PKG_VERSION")
);

/// Prints the schema, made from the types that this binary reads settings into.
pub(crate) fn schema(args: &SchemaArgs) -> Result<(), Failure> {
    let factories = components::factories();
    let schema = ConfigSchema {
        receivers: section(&factories.receivers),
        processors: section(&factories.processors),
        connectors: section(&factories.connectors),
        exporters: section(&factories.exporters),
        extensions: section(&factories.extensions),
        telemetry: schema_of::<TelemetryConfig>(),
    };
    let schema = match args.overlay {
        true => schema.overlay(&format!("{RELEASE}/kube-job-collector.overlay.schema.json")),
        false => schema.document(&format!("{RELEASE}/kube-job-collector.schema.json")),
    };
    print(&format!("{schema:#}\n"))
}

fn section<T: ?Sized>(factories: &[Factory<T>]) -> Vec<ComponentSchema> {
    let schemas = factories.iter().map(|factory| ComponentSchema {
        type_name: factory.type_name,
        aliases: factory.aliases,
        description: factory.description,
        settings: (factory.schema)(),
    });
    schemas.collect()
}
