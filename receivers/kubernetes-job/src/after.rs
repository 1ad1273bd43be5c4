//! A duration, or `off`.

use std::borrow::Cow;
use std::fmt;

use collector_config::Duration;
use collector_config::schema::{duration_pattern, no_unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// How long a stall lasts before it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It is reported after this time.
    Time(Duration),
    /// It is not reported.
    Off,
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AfterVisitor;
        impl Visitor<'_> for AfterVisitor {
            type Value = After;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `90s` or `10m`, or `off`")
            }

            // A program that reads YAML 1.1 and writes it again turns `off` into `false`.
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<After, E> {
                match value {
                    false => Ok(After::Off),
                    true => Err(E::invalid_type(de::Unexpected::Bool(true), &self)),
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<After, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<After, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<After, E> {
                match text.trim() {
                    "off" | "Off" | "OFF" => Ok(After::Off),
                    text => text.parse().map(After::Time).map_err(E::custom),
                }
            }
        }
        deserializer.deserialize_any(AfterVisitor)
    }
}

impl JsonSchema for After {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "After".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How long a stall by this cause lasts before it is reported, such as `10m`; `off`: it is not reported.",
            // `off` is `false` in YAML 1.1.
            "type": ["string", "integer", "boolean"],
            "if": {"type": "integer"},
            "then": no_unit(),
            "not": {"enum": [true, null]},
            "pattern": format!(r"^\s*(off|Off|OFF|{})\s*$", duration_pattern()),
            "patternErrorMessage": "expected a duration such as `90s` or `10m`, or `off`",
        })
    }
}

#[cfg(test)]
mod tests {
    use collector_config::Settings;

    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        after: After,
    }

    fn read(value: &str) -> Result<After, String> {
        let settings = Settings::from_yaml(&format!("after: {value}")).unwrap();
        let holder: Result<Holder, _> = settings.read();
        holder.map(|holder| holder.after).map_err(|error| error.to_string())
    }

    #[test]
    fn off_may_be_written_as_any_yaml_does() {
        for off in ["off", "\"off\"", "'off'", "Off", "OFF", "false", "False"] {
            assert_eq!(read(off), Ok(After::Off), "{off}");
        }
        let from_json: After = serde_json::from_str("false").unwrap();
        assert_eq!(from_json, After::Off);
        assert_eq!(read("10m"), Ok(After::Time(Duration::from_secs(600))));
    }

    #[test]
    fn a_value_that_is_no_time_is_explained() {
        for (value, expected) in [
            ("30", "`30` has no unit, write `30s`"),
            (
                "true",
                "found `true`, expected a duration such as `90s` or `10m`, or `off`",
            ),
            ("never", "`never` is not a duration"),
            ("[]", "expected a duration such as `90s` or `10m`, or `off`"),
        ] {
            let error = read(value).unwrap_err();
            assert!(error.contains("yaml:1:8: after: "), "{error}");
            assert!(error.contains(expected), "{error}\nexpected {expected}");
        }
    }
}
