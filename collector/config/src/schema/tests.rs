use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{no_settings, schema_of};
use crate::{Duration, Secret};

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Without a delay.
    Fast,
    Slow,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are the schema")]
#[serde(default)]
struct Everything {
    /// On or
    /// off.
    ///
    /// For developers.
    flag: bool,
    count: Option<u16>,
    ratio: f64,
    text: String,
    #[schemars(extend("enum" = ["1.2", ""]))]
    version: String,
    mode: Mode,
    time: Duration,
    secret: Secret,
    list: Vec<String>,
    map: BTreeMap<String, u64>,
    #[schemars(length(min = 1))]
    names: Vec<String>,
    inner: Option<Inner>,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are the schema")]
struct Inner {
    needed: String,
}

impl Default for Everything {
    fn default() -> Self {
        Everything {
            flag: true,
            count: None,
            ratio: 1.5,
            text: String::new(),
            version: String::new(),
            mode: Mode::Slow,
            time: Duration::from_secs(90),
            secret: Secret::default(),
            list: Vec::new(),
            map: BTreeMap::new(),
            names: vec!["a".into()],
            inner: None,
        }
    }
}

fn property(name: &str) -> Value {
    schema_of::<Everything>().as_value()["properties"][name].clone()
}

#[test]
fn a_scalar_may_be_a_variable_or_absent() {
    let expected = json!({
        "default": true,
        "description": "On or off. Default: `true`.",
        "type": ["boolean", "string", "null"],
        "pattern": r"\$\{",
        "patternErrorMessage": "expected `true` or `false`",
    });
    assert_eq!(property("flag"), expected);
    let count = property("count");
    assert_eq!(count["type"], json!(["integer", "string", "null"]));
    assert_eq!((&count["minimum"], &count["maximum"]), (&json!(0), &json!(65535)));
    assert_eq!(count.get("default"), None, "no default is better than null");
    assert_eq!(property("ratio")["type"], json!(["number", "string", "null"]));
}

#[test]
fn a_text_may_be_a_number_or_a_boolean() {
    assert_eq!(
        property("text"),
        json!({"type": ["string", "number", "boolean", "null"]})
    );
    assert_eq!(property("secret")["writeOnly"], json!(true));
    assert_eq!(property("time")["default"], json!("1m30s"));
    let pattern = property("time")["pattern"].as_str().unwrap_or_default().to_owned();
    assert!(pattern.ends_with(r"|\$\{"), "{pattern}");
}

#[test]
fn names_are_suggested_with_their_numbers() {
    let version = property("version");
    let alternatives = json!([{"enum": ["1.2", 1.2]}, {"type": "string", "pattern": r"^$|\$\{"}, {"type": "null"}]);
    assert_eq!(version["anyOf"], alternatives);
    let mode = property("mode");
    let text = mode.to_string();
    assert!(text.contains("Without a delay.") && text.contains("fast"), "{text}");
    assert!(
        mode["anyOf"]
            .as_array()
            .is_some_and(|all| all.contains(&json!({"type": "null"}))),
        "{text}"
    );
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    let schema = schema_of::<Everything>().to_value();
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(property("inner")["additionalProperties"], json!(false));
    assert_eq!(no_settings().as_value()["additionalProperties"], json!(false));
    assert_eq!(
        property("map")["additionalProperties"]["type"],
        json!(["integer", "string"])
    );
    assert!(schema.get("title").is_none() && schema.get("$schema").is_none());
}

#[test]
fn null_is_absent_only_where_a_default_exists() {
    assert_eq!(schema_of::<Everything>().as_value()["type"], json!(["object", "null"]));
    assert_eq!(property("list")["type"], json!(["array", "null"]));
    assert_eq!(
        property("names")["type"],
        json!(["array", "null"]),
        "absent: the default"
    );
    let inner = property("inner");
    assert_eq!(inner["type"], json!(["object", "null"]));
    assert_eq!(
        inner["properties"]["needed"]["type"],
        json!(["string", "number", "boolean"])
    );
    assert_eq!(schema_of::<Inner>().as_value()["type"], json!("object"));
}
