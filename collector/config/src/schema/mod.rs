//! The JSON Schema of settings, for editors. `schemars` generates it from the type that the settings are read into, with
//! its doc comments as descriptions, and `adapt` makes it accept what the reader accepts.

mod adapt;
mod document;
#[cfg(test)]
mod tests;
mod texts;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

pub use document::{ComponentSchema, ConfigSchema};
pub use texts::{any_case, component_id, duration_pattern, no_unit, optional_component_id, url};

/// Makes the schema of a component's settings.
pub type SchemaFn = fn() -> Schema;

/// The schema of settings that are read into a `T` ([`Settings::read`](crate::Settings::read)). It has no references, and accepts
/// everything that the reader accepts beside the type, such as variables.
///
/// ```
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// #[derive(Default, Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields, default)]
/// struct Listener {
///     /// The port to listen on.
///     port: u16,
/// }
/// let schema = collector_config::schema_of::<Listener>();
/// assert_eq!(schema.as_value()["properties"]["port"]["pattern"], r"\$\{", "a variable");
/// ```
pub fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    adapt::adapt(&mut schema);
    schema
}

/// The schema of a component without settings.
pub fn no_settings() -> Schema {
    let mut schema = schemars::json_schema!({"type": "object", "properties": {}});
    adapt::adapt(&mut schema);
    schema
}
