//! The JSON Schema of a whole configuration, in the form in which [`document`](crate::document) reads it.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::texts::NAME;

/// The URI of the dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A component in the schema.
pub struct ComponentSchema {
    /// The type, as editors suggest it.
    pub type_name: &'static str,
    /// Other accepted names of the type.
    pub aliases: &'static [&'static str],
    /// One line about the component, without a full stop.
    pub description: &'static str,
    /// The schema of the settings.
    pub settings: Schema,
}

/// Every component that a configuration may define, by section, and the collector's own settings.
pub struct ConfigSchema {
    /// `receivers`
    pub receivers: Vec<ComponentSchema>,
    /// `processors`
    pub processors: Vec<ComponentSchema>,
    /// `connectors`
    pub connectors: Vec<ComponentSchema>,
    /// `exporters`
    pub exporters: Vec<ComponentSchema>,
    /// `extensions`
    pub extensions: Vec<ComponentSchema>,
    /// `service::telemetry`
    pub telemetry: Schema,
}

impl ConfigSchema {
    /// The schema of a configuration, with this URI as its `$id`.
    pub fn document(&self, id: &str) -> Value {
        let sections = [
            ("receivers", "Where data comes from.", &self.receivers),
            (
                "processors",
                "Change data between receivers and exporters.",
                &self.processors,
            ),
            ("connectors", "End one pipeline and start another.", &self.connectors),
            ("exporters", "Where data goes.", &self.exporters),
            ("extensions", "Services beside the pipelines.", &self.extensions),
        ];
        let mut definitions = Map::new();
        let mut properties = Map::new();
        for (section, description, components) in sections {
            let description = format!(
                "{description} Each key is a type, or `type/name` for several components of a type. `service` names those \
                 that run."
            );
            properties.insert(section.into(), section_schema(section, &description, components));
            for component in components {
                definitions.insert(definition(section, component), settings(component));
            }
        }
        properties.insert("service".into(), self.service());
        json!({
            "$schema": DIALECT,
            "$id": id,
            "title": "Configuration of kube-job-collector",
            "description": "Components with settings, and the pipelines that connect them.",
            "type": "object",
            "properties": properties,
            // For YAML anchors.
            "patternProperties": {"^x-": true},
            "additionalProperties": false,
            "required": ["service"],
            "$defs": definitions,
        })
    }

    /// The schema of a file that is merged over another one, with this URI as its `$id`: the other file may hold what is
    /// required.
    pub fn overlay(&self, id: &str) -> Value {
        let mut document = self.document(id);
        require_nothing(&mut document);
        document
    }

    fn service(&self) -> Value {
        let pipeline = self.pipeline();
        let extensions = references(
            "The extensions that run, in the order in which they start.",
            &[&self.extensions],
        );
        json!({
            "description": "The parts that run.",
            "type": "object",
            "properties": {
                "extensions": nullable(extensions),
                "pipelines": {
                    "description": "The pipelines. Each key is a signal, or `signal/name` for several pipelines of a signal.",
                    "type": "object",
                    "properties": {"logs": &pipeline, "metrics": &pipeline, "traces": &pipeline},
                    "patternProperties": {format!(r"^\s*(logs|metrics|traces)\s*/\s*{NAME}\s*$"): &pipeline},
                    "additionalProperties": false,
                    "minProperties": 1,
                },
                "telemetry": self.telemetry,
            },
            "additionalProperties": false,
            "required": ["pipelines"],
        })
    }

    fn pipeline(&self) -> Value {
        let at_least_one = |mut list: Value| {
            list["minItems"] = 1.into();
            list
        };
        let receivers = references(
            "Where data comes from: receivers, and connectors that end in this pipeline.",
            &[&self.receivers, &self.connectors],
        );
        let processors = references(
            "The processors, in the order in which data passes them.",
            &[&self.processors],
        );
        let exporters = references(
            "Where data goes: exporters, and connectors that begin in this pipeline.",
            &[&self.exporters, &self.connectors],
        );
        json!({
            "type": "object",
            "properties": {
                "receivers": at_least_one(receivers),
                "processors": nullable(processors),
                "exporters": at_least_one(exporters),
            },
            "additionalProperties": false,
            "required": ["receivers", "exporters"],
        })
    }
}

/// The schema of one component, with its description.
fn settings(component: &ComponentSchema) -> Value {
    let mut settings = component.settings.clone();
    settings.insert("description".into(), format!("{}.", component.description).into());
    settings.to_value()
}

fn definition(section: &str, component: &ComponentSchema) -> String {
    format!("{section}.{}", component.type_name)
}

fn section_schema(section: &str, description: &str, components: &[ComponentSchema]) -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for component in components {
        let settings = json!({"$ref": format!("#/$defs/{}", definition(section, component))});
        patterns.insert(pattern(component), settings.clone());
        properties.insert(component.type_name.into(), settings);
    }
    json!({
        "description": description,
        "type": ["object", "null"],
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    })
}

/// The pattern of the ids that are not the type alone, which is a property so that editors suggest it.
fn pattern(component: &ComponentSchema) -> String {
    let types = types([component]).join("|");
    let named = format!(r"({types})\s*/\s*{NAME}");
    match component.aliases {
        [] => format!(r"^\s*{named}\s*$"),
        aliases => format!(r"^\s*({}|{named})\s*$", aliases.join("|")),
    }
}

fn types<'c>(components: impl IntoIterator<Item = &'c ComponentSchema>) -> Vec<&'static str> {
    let names = components.into_iter();
    names
        .flat_map(|component| std::iter::once(component.type_name).chain(component.aliases.iter().copied()))
        .collect()
}

/// A list of ids of components of these sections.
fn references(description: &str, sections: &[&Vec<ComponentSchema>]) -> Value {
    let known = || sections.iter().flat_map(|section| section.iter());
    let suggested: Vec<&str> = known().map(|component| component.type_name).collect();
    let types = types(known()).join("|");
    json!({
        "description": description,
        "type": "array",
        "items": {
            "anyOf": [
                {"enum": suggested},
                {"type": "string", "pattern": format!(r"^\s*({types})\s*(/\s*{NAME}\s*)?$|\$\{{")},
            ],
        },
        "uniqueItems": true,
    })
}

/// Removes what is required of mappings. Lists are replaced by those of a later file, not merged.
fn require_nothing(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    let requires = |alternative: &Value| alternative.get("required").is_some();
    if matches!(schema.get("anyOf"), Some(Value::Array(alternatives)) if alternatives.iter().any(requires)) {
        schema.remove("anyOf");
    }
    schema.remove("allOf");
    schema.remove("minProperties");
    // A null mapping removes that of an earlier file.
    if schema.remove("required").is_some() {
        schema.insert("type".into(), json!(["object", "null"]));
    }
    for keyword in ["properties", "patternProperties", "$defs"] {
        if let Some(Value::Object(inner)) = schema.get_mut(keyword) {
            inner.values_mut().for_each(require_nothing);
        }
    }
}

fn nullable(mut list: Value) -> Value {
    list["type"] = json!(["array", "null"]);
    list
}
