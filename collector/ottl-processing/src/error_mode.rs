use std::borrow::Cow;
use std::fmt;

use collector_config::schema::any_case;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The reaction to an error of an evaluation: `ErrorMode` of the Collector's `pkg/ottl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorMode {
    /// The error is logged, and the condition or statement is skipped.
    #[default]
    Ignore,
    /// The condition or statement is skipped.
    Silent,
    /// The batch is rejected.
    Propagate,
}

const NAMES: &[&str] = &["ignore", "silent", "propagate"];

impl<'de> Deserialize<'de> for ErrorMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ModeVisitor)
    }
}

impl JsonSchema for ErrorMode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ErrorMode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        any_case(NAMES, &[])
    }
}

struct ModeVisitor;

impl Visitor<'_> for ModeVisitor {
    type Value = ErrorMode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`ignore`, `silent` or `propagate`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ErrorMode, E> {
        match name.to_lowercase().as_str() {
            "ignore" => Ok(ErrorMode::Ignore),
            "silent" => Ok(ErrorMode::Silent),
            "propagate" => Ok(ErrorMode::Propagate),
            _ => Err(E::unknown_variant(name, NAMES)),
        }
    }
}
