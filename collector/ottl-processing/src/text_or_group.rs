use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// One entry of a list of conditions or statements: a text, or a group of texts with settings of its own.
#[derive(Clone, Debug)]
pub enum TextOrGroup<G> {
    /// One condition or statement.
    Text(String),
    /// A group.
    Group(G),
}

impl<'de, G: Deserialize<'de>> Deserialize<'de> for TextOrGroup<G> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrGroupVisitor(PhantomData))
    }
}

impl<G: JsonSchema> JsonSchema for TextOrGroup<G> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", G::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({"type": ["string", "boolean"]});
        json_schema!({"anyOf": [text, generator.subschema_for::<G>()]})
    }
}

struct TextOrGroupVisitor<G>(PhantomData<G>);

impl<'de, G: Deserialize<'de>> Visitor<'de> for TextOrGroupVisitor<G> {
    type Value = TextOrGroup<G>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a mapping")
    }

    // A condition such as `true` is a bool of YAML.
    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(TextOrGroup::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOrGroup::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        G::deserialize(MapAccessDeserializer::new(map)).map(TextOrGroup::Group)
    }
}
