//! Adapts a generated schema to the reader (`de`): it accepts a variable where a scalar is expected, a number where a text
//! is expected, and null for an absent value, and it refuses unknown keys everywhere.

use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::scalar::{ScalarKind, kind_of};

/// A variable anywhere in a value.
const VARIABLE: &str = r"\$\{";

/// Adapts the schema of a component's settings, which may be null.
pub(super) fn adapt(schema: &mut Schema) {
    schema.remove("$schema");
    schema.remove("title");
    if let Some(object) = schema.as_object_mut() {
        value(object, Absence::Refused);
    }
}

/// The meaning of null.
#[derive(Clone, Copy, PartialEq)]
enum Absence {
    /// At a key with a default, null counts as absent.
    Allowed,
    /// At a key without one, in a list and in a map, null is a value: an empty list or mapping.
    Refused,
    /// One of several alternatives, which say themselves where null is accepted.
    Alternative,
}

fn value(schema: &mut Map<String, Value>, absence: Absence) {
    let was_nullable = remove_null(schema);
    describe(schema);
    schema.remove("format");
    below(schema);
    let is_empty_of_null = match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => {
            with_variable(schema, &["boolean", "string"], "expected `true` or `false`");
            false
        }
        Some(number @ ("integer" | "number")) => {
            let types = [number.to_owned(), "string".to_owned()];
            with_variable(schema, &[&types[0], &types[1]], "expected a number");
            false
        }
        Some("string") => {
            text(schema);
            false
        }
        // A null list or mapping is empty.
        Some("array") => !schema.contains_key("minItems"),
        Some("object") => !["required", "anyOf", "allOf"]
            .iter()
            .any(|keyword| schema.contains_key(*keyword)),
        _ => false,
    };
    if let Some(Value::String(pattern)) = schema.get_mut("pattern")
        && !pattern.contains(VARIABLE)
    {
        pattern.push('|');
        pattern.push_str(VARIABLE);
    }
    let accepts_null = match absence {
        Absence::Allowed => true,
        Absence::Refused => was_nullable || is_empty_of_null,
        Absence::Alternative => false,
    };
    if accepts_null {
        add_null(schema);
    }
}

/// Adapts the schemas of the values inside, and of alternatives.
fn below(schema: &mut Map<String, Value>) {
    let required: Vec<String> = match schema.get("required") {
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (key, property) in properties {
            let absence = match required.contains(key) {
                true => Absence::Refused,
                false => Absence::Allowed,
            };
            each(property, absence);
        }
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(keyword) {
            each(inner, Absence::Refused);
        }
    }
    if let Some(alternatives) = schema.remove("oneOf") {
        schema.insert("anyOf".into(), alternatives);
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        // `{"required": […]}` is an alternative of an object, not of a value.
        let are_values = alternatives.iter().all(|alternative| {
            !(alternative
                .as_object()
                .is_some_and(|a| a.keys().all(|key| key == "required")))
        });
        if are_values {
            let mut flat = Vec::new();
            for alternative in alternatives.drain(..) {
                flatten(alternative, &mut flat);
            }
            for alternative in &mut flat {
                each(alternative, Absence::Alternative);
            }
            flat.extend(
                flat.iter()
                    .any(|alternative| alternative.get("enum").is_some() || alternative.get("const").is_some())
                    .then(variable),
            );
            *alternatives = flat;
        }
    }
}

fn each(schema: &mut Value, absence: Absence) {
    if let Value::Object(schema) = schema {
        value(schema, absence);
    }
}

/// The alternatives of an alternative, or itself.
fn flatten(alternative: Value, flat: &mut Vec<Value>) {
    match alternative {
        Value::Object(mut object)
            if object.len() == 1 && (object.contains_key("anyOf") || object.contains_key("oneOf")) =>
        {
            let inner = object.remove("anyOf").or_else(|| object.remove("oneOf"));
            if let Some(Value::Array(inner)) = inner {
                for alternative in inner {
                    flatten(alternative, flat);
                }
            }
        }
        other => flat.push(other),
    }
}

fn variable() -> Value {
    json!({"type": "string", "pattern": VARIABLE})
}

/// Accepts these types, a text only with a variable.
fn with_variable(schema: &mut Map<String, Value>, types: &[&str], message: &str) {
    schema.insert("type".into(), json!(types));
    schema.insert("pattern".into(), VARIABLE.into());
    schema.insert("patternErrorMessage".into(), message.into());
}

/// A text: also a number or a boolean, whose text the reader takes; one of several also from a variable.
fn text(schema: &mut Map<String, Value>) {
    if schema.contains_key("const") {
        // One of several alternatives; the variable is another one.
        schema.remove("type");
    } else if let Some(Value::Array(names)) = schema.remove("enum") {
        let typed = names.iter().filter_map(|name| match kind_of(name.as_str()?) {
            ScalarKind::Integer(number) => i64::try_from(number).ok().map(Value::from),
            ScalarKind::Float(number) => Some(number.into()),
            _ => None,
        });
        let typed: Vec<Value> = typed.collect();
        // Editors suggest the names, but not an empty text.
        let others = match names.contains(&"".into()) {
            true => json!({"type": "string", "pattern": format!("^$|{VARIABLE}")}),
            false => variable(),
        };
        let names: Vec<Value> = names.into_iter().filter(|name| name != "").chain(typed).collect();
        schema.remove("type");
        schema.insert("anyOf".into(), json!([{"enum": names}, others]));
    } else if !schema.contains_key("pattern") {
        schema.insert("type".into(), json!(["string", "number", "boolean"]));
    }
}

/// The first paragraph of the doc comment in one line, and the default. Further paragraphs are for developers.
fn describe(schema: &mut Map<String, Value>) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let first = description.split("\n\n").next().unwrap_or_default();
        *description = first.replace('\n', " ");
    }
    let default = schema.get("default").map(|default| match default {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(entries) if entries.is_empty() => String::new(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    });
    match default.as_deref() {
        None => {}
        Some("") => {
            schema.remove("default");
        }
        Some(default) => {
            let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let description = format!("{before} Default: `{default}`.");
            schema.insert("description".into(), description.trim().into());
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// True if the schema accepted null.
fn remove_null(schema: &mut Map<String, Value>) -> bool {
    let mut found = false;
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        let before = types.len();
        types.retain(|name| name != "null");
        found |= types.len() < before;
        if types.len() == 1 {
            let only = types.remove(0);
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        let before = values.len();
        values.retain(|value| !value.is_null());
        found |= values.len() < before;
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        let before = alternatives.len();
        alternatives.retain(|alternative| alternative.get("type") != Some(&"null".into()));
        found |= alternatives.len() < before;
        if let [Value::Object(only)] = &mut alternatives[..] {
            let only = std::mem::take(only);
            schema.remove("anyOf");
            for (key, value) in only {
                schema.entry(key).or_insert(value);
            }
        }
    }
    found
}

fn add_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push("null".into()),
        Some(one) => *one = json!([one, "null"]),
        None => {
            if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
                alternatives.push(json!({"type": "null"}));
            }
        }
    }
}
