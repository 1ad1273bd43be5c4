//! Every setting with a value of every type: the schema and the reader refuse the same.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{errors, file, run, schema, validator};

/// The smallest valid settings of components that require some.
fn base(component: &str) -> Value {
    match component {
        "otlp_http" => json!({"endpoint": "http://localhost:4318"}),
        "otlp_grpc" => json!({"endpoint": "localhost:4317"}),
        "file" => json!({"path": "/tmp/x"}),
        "attributes" => json!({"actions": [{"key": "a", "action": "delete"}]}),
        "resource" => json!({"attributes": [{"key": "a", "action": "delete"}]}),
        "bearertokenauth" => json!({"token": "0123abcd"}),
        "basicauth" => json!({"client_auth": {"username": "u", "password": "0123abcd"}}),
        "oauth2client" => json!({"client_id": "c", "client_secret": "0123abcd", "token_url": "https://h/t"}),
        "prometheus" | "web" => json!({"tls": {"cert_file": "/tmp/c", "key_file": "/tmp/k"}}),
        _ => json!({}),
    }
}

/// The smallest valid item of a list of mappings around the key `key`.
fn item(list: &str, key: &str) -> Value {
    match (list, key) {
        ("dimensions", _) => json!({"name": "a"}),
        ("labels" | "annotations", "key_regex") => json!({}),
        ("labels" | "annotations", _) => json!({"key": "a"}),
        ("rules", "label") => json!({}),
        ("rules", _) => json!({"match": "(a)", "name": "b"}),
        ("actions" | "attributes", "value" | "from_attribute") => json!({"key": "a", "action": "upsert"}),
        ("actions" | "attributes", "converted_type") => json!({"key": "a", "action": "convert"}),
        ("actions" | "attributes", _) => json!({"key": "a", "action": "delete"}),
        ("readers", "pull") => json!({}),
        _ => json!({}),
    }
}

/// A step from a mapping or list to a value inside.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Item,
}

/// A value that settings may hold.
struct Field {
    section: String,
    component: String,
    steps: Vec<Step>,
}

impl Field {
    /// The path in errors of the reader: `timeout`, `readers::0::pull`.
    fn path(&self) -> String {
        let parts = self.steps.iter().map(|step| match step {
            Step::Key(key) => key.as_str(),
            Step::Item => "0",
        });
        parts.collect::<Vec<_>>().join("::")
    }

    /// The settings with this value.
    fn settings(&self, value: &Value) -> Value {
        let mut settings = base(&self.component);
        put(&mut settings, &self.steps, value);
        settings
    }
}

fn put(settings: &mut Value, steps: &[Step], value: &Value) {
    match steps {
        [] => *settings = value.clone(),
        [Step::Item, rest @ ..] => put(&mut settings[0], rest, value),
        [Step::Key(list), Step::Item, rest @ ..] => {
            let key = match rest.first() {
                Some(Step::Key(key)) => key,
                _ => "",
            };
            settings[list] = json!([item(list, key)]);
            put(&mut settings[list][0], rest, value);
        }
        [Step::Key(key), rest @ ..] => {
            // A file instead of the value itself.
            match (key.as_str(), key.strip_suffix("_file")) {
                ("filename", _) => drop(settings["token"].take()),
                ("cert_file" | "key_file" | "ca_file", _) | (_, None) => {}
                (_, Some(other)) => drop(settings.as_object_mut().and_then(|settings| settings.remove(other))),
            }
            if settings.get(key).is_none() {
                settings[key] = json!({});
            }
            put(&mut settings[key], rest, value);
        }
    }
}

/// Adds the fields below a schema.
fn walk(schema: &Value, steps: &[Step], found: &mut dyn FnMut(Vec<Step>)) {
    let mut add = |step: Step, inner: &Value| {
        let steps = [steps, &[step]].concat();
        found(steps.clone());
        walk(inner, &steps, found);
    };
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        add(Step::Key(key.clone()), property);
    }
    if schema["additionalProperties"].is_object() {
        add(Step::Key("x_key".into()), &schema["additionalProperties"]);
    }
    if schema["items"].is_object() {
        add(Step::Item, &schema["items"]);
    }
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        walk(alternative, steps, found);
    }
}

/// Every field of every component.
fn fields(schema: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, settings) in schema["$defs"].as_object().expect("definitions") {
        let (section, component) = name.split_once('.').expect("section.type");
        walk(settings, &[], &mut |steps| {
            fields.push(Field {
                section: section.into(),
                component: component.into(),
                steps,
            });
        });
    }
    fields
}

/// Values of every type.
fn probes() -> Vec<Value> {
    vec![
        json!({"zzz": 1}),
        json!([]),
        json!([[]]),
        json!(true),
        json!(7),
        json!(-7),
        json!(1.5),
        json!("zzz"),
        json!("7"),
        json!(null),
    ]
}

/// Differences that a schema cannot express: the reader refuses a value, and the schema accepts it.
const ONLY_BY_READER: [(&str, &str); 17] = [
    ("storage", "references a component"),
    ("k8s_leader_elector", "references a component"),
    ("authenticator", "references a component"),
    ("sharding::shards", "needs `shard`"),
    ("sharding::shard", "is compared with `shards`"),
    ("cumulative", "needs `temporality: cumulative`"),
    ("non_retryable_status_codes::0", "the exporter knows the codes"),
    ("batch::max_size", "is compared with `min_size`"),
    ("batch::min_size", "is compared with `queue_size`"),
    ("batch::sizer", "`requests` is the unit of a queue only"),
    ("compression_params::level", "depends on `compression`"),
    ("tls::cert_file", "needs a key, and its file is read"),
    ("tls::cert_pem", "needs a key, and is parsed"),
    ("tls::key_file", "needs a certificate, and its file is read"),
    ("tls::key_pem", "needs a certificate, and is parsed"),
    ("tls::ca_pem", "is parsed"),
    ("tls::server_name_override", "is parsed"),
];

/// Settings that hold a language of its own: the reader parses them.
const LANGUAGES: [&str; 7] = [
    "_conditions::",
    "_statements::",
    "logs::",
    "metrics::",
    "traces::",
    "rules::",
    "actions::",
];

fn is_only_by_reader(path: &str) -> bool {
    let known = ONLY_BY_READER
        .iter()
        .any(|(known, _)| path == *known || path.ends_with(&format!("::{known}")));
    known || LANGUAGES.iter().any(|language| path.contains(language))
}

/// A configuration with these components, each of which is used.
fn configuration(components: &[(&str, String, Value)]) -> Value {
    let mut configuration = json!({
        "receivers": {"k8s_job": {}},
        "processors": {}, "connectors": {},
        "exporters": {"debug": {}},
        "extensions": {},
        "service": {"pipelines": {"logs": {"receivers": ["k8s_job"], "exporters": ["debug"]}}},
    });
    for (section, id, settings) in components {
        configuration[section][id] = settings.clone();
    }
    configuration
}

/// The ids of the components with errors by the reader, with the first error of each.
pub(crate) fn refused_by_reader(components: &[(&str, String, Value)]) -> BTreeMap<String, String> {
    let path = file("components.yaml", &configuration(components).to_string());
    let output = run(&["validate", path.to_str().expect("UTF-8")]);
    let found = String::from_utf8(output.stderr).expect("UTF-8");
    let mut refused = BTreeMap::new();
    for line in found.lines().filter(|line| !line.starts_with("warning: ")) {
        // file:line:column: section::id::key: message
        let Some((_, rest)) = line.split_once("components.yaml:") else {
            continue;
        };
        let Some((_, error)) = rest.split_once(": ") else {
            continue;
        };
        let mut parts = error.split("::");
        if let (Some(_), Some(id)) = (parts.next(), parts.next()) {
            let id = id.split(": ").next().unwrap_or_default();
            refused.entry(id.to_owned()).or_insert_with(|| error.to_owned());
        }
    }
    refused
}

/// The errors of one component by the schema.
pub(crate) fn refused_by_schema(validator: &Validator, component: &(&str, String, Value)) -> Option<String> {
    let configuration = configuration(std::slice::from_ref(component));
    (!validator.is_valid(&configuration)).then(|| errors(validator, &configuration))
}

#[test]
fn schema_and_reader_refuse_the_same_values() {
    let schema = schema(&[]);
    let validator = validator(&schema);
    let fields = fields(&schema);
    assert!(fields.len() > 150, "{}", fields.len());
    let mut cases = Vec::new();
    let mut components = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        for (probe, value) in probes().into_iter().enumerate() {
            // One component for each value, so that one run of the reader is enough.
            let id = format!("{}/f{index}p{probe}", field.component);
            components.push((field.section.as_str(), id, field.settings(&value)));
            cases.push((field, value));
        }
    }
    let by_reader = refused_by_reader(&components);
    let mut differences = Vec::new();
    for (component, (field, value)) in components.iter().zip(&cases) {
        let by_schema = refused_by_schema(&validator, component);
        let by_reader = by_reader.get(&component.1);
        let differs = match (by_reader, &by_schema) {
            // A key without a value counts as absent, and here as present.
            (Some(_), None) if value.is_null() && matches!(field.steps.last(), Some(Step::Key(_))) => false,
            (Some(_), None) => !is_only_by_reader(&field.path()),
            (None, Some(_)) => true,
            _ => false,
        };
        if differs {
            let place = format!("{}::{}::{}", field.section, field.component, field.path());
            differences.push(format!("{place} = {value}: reader {by_reader:?}, schema {by_schema:?}"));
        }
    }
    let count = differences.len();
    assert!(
        differences.is_empty(),
        "{count} of {}:\n{}",
        cases.len(),
        differences.join("\n")
    );
}

#[test]
fn a_variable_may_replace_every_scalar() {
    let schema = schema(&[]);
    let validator = validator(&schema);
    let accepts = |field: &Field, value: &Value| {
        let component = (field.section.as_str(), field.component.clone(), field.settings(value));
        refused_by_schema(&validator, &component).is_none()
    };
    let scalars = [json!(true), json!(7), json!(1.5), json!("zzz"), json!("7")];
    let mut seen = 0;
    for field in &fields(&schema) {
        if scalars.iter().any(|value| accepts(field, value)) {
            assert!(
                accepts(field, &json!("a${env:B:-c}")),
                "{}: {}",
                field.component,
                field.path()
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
