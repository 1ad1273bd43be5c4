//! The values of the chart: their schema refuses wrong ones, and its README lists them with the comments of `values.yaml`.

use serde_json::{Value, json};

use super::{chart, documents, files, root, text};

fn schema() -> Value {
    serde_json::from_str(&text(&chart().join("values.schema.json"))).expect("JSON")
}

#[test]
fn the_schema_accepts_the_defaults_and_every_tested_file() {
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    let tested = files(&root().join("deploy/helm/tests/values"), "yaml");
    for file in tested.into_iter().chain([chart().join("values.yaml")]) {
        let values = documents(&text(&file)).remove(0);
        let errors: Vec<String> = schema.iter_errors(&values).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
    }
}

#[test]
fn the_schema_refuses_wrong_values() {
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    for wrong in [
        json!({"backnd": "datadog"}),
        json!({"backend": "splunk"}),
        json!({"datadog": {"apiKey": "x"}}),
        json!({"datadog": {"tags": "team:data"}}),
        json!({"endpoint": "otlp.example.com"}),
        json!({"credentials": {"existingSecret": "A Secret"}}),
        json!({"config": {"exporter": {}}}),
        json!({"config": []}),
        json!({"namespaces": "payments"}),
        json!({"namespaces": ["Payments"]}),
        json!({"replicas": "2"}),
        json!({"replicas": -1}),
        json!({"shards": 0}),
        json!({"shards": 65}),
        json!({"storage": {"type": "pvc"}}),
        json!({"storage": {"volume": {"size": 1}}}),
        json!({"web": true}),
        json!({"web": {"maxEvents": 0}}),
        json!({"podMonitor": {"interval": 30}}),
        json!({"networkPolicy": {"egress": {"apiServerPorts": [0]}}}),
        json!({"podDisruptionBudget": {"maxUnavailable": "half"}}),
        json!({"image": {"digest": "latest"}}),
        json!({"image": {"pullPolicy": "Sometimes"}}),
        json!({"imagePullSecrets": ["registry"]}),
        json!({"extraEnv": [{"name": "A", "valeFrom": {}}]}),
        json!({"extraEnv": {"A": "b"}}),
        json!({"podLabels": {"a": 1}}),
        json!({"resources": {"limit": {}}}),
    ] {
        assert!(!schema.is_valid(&wrong), "{wrong} is accepted");
    }
}

#[test]
fn the_schema_knows_every_value() {
    fn compare(path: &str, values: &Value, schema: &Value) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return;
        };
        let entries = values.as_object().expect("a mapping");
        for (key, value) in entries {
            let known = properties
                .get(key)
                .unwrap_or_else(|| panic!("{path}{key} is not in values.schema.json"));
            assert!(
                known["type"] != "object"
                    || known.get("properties").is_none()
                    || known["additionalProperties"] == false,
                "{path}{key}: unknown keys are accepted"
            );
            if value.is_object() && key != "resources" {
                compare(&format!("{path}{key}."), value, known);
            }
        }
        let missing: Vec<&String> = properties.keys().filter(|key| !entries.contains_key(*key)).collect();
        assert!(
            path.is_empty() && missing == ["global"] || missing.is_empty(),
            "{path}: {missing:?} is not in values.yaml"
        );
    }
    let values = documents(&text(&chart().join("values.yaml"))).remove(0);
    compare("", &values, &schema());
}

/// The rows of the README's table: each value with a comment, and its default.
fn table() -> String {
    let yaml = text(&chart().join("values.yaml"));
    let defaults = documents(&yaml).remove(0);
    let mut rows = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim();
        if let Some(text) = content.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        let key = content.split_once(':').map(|(key, _)| key);
        let Some(key) = key.filter(|key| !key.starts_with("- ")) else {
            comment.clear();
            continue;
        };
        path.retain(|(outer, _)| *outer < indent);
        path.push((indent, key.to_owned()));
        let names: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
        let default = names.iter().fold(&defaults, |value, key| &value[*key]);
        if !comment.is_empty() {
            let meaning = comment.join(" ");
            let shown = match default {
                Value::Object(entries) if !entries.is_empty() => String::new(),
                Value::Array(items) if items.iter().any(Value::is_object) => "see `values.yaml`".to_owned(),
                default => format!("`{}`", default.to_string().replace(',', ", ")),
            };
            rows += &format!("| `{}` | {shown} | {meaning} |\n", names.join("."));
        }
        comment.clear();
    }
    rows
}

#[test]
fn the_readme_lists_every_value() {
    let path = chart().join("README.md");
    let readme = text(&path);
    let table = table();
    let (before, rest) = readme.split_once("## Values\n\n").expect("a section Values");
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    if std::env::var_os("UPDATE_RENDERED").is_some() {
        std::fs::write(&path, format!("{before}## Values\n\n{table}\n{after}")).expect("a file");
    } else {
        assert!(rest.starts_with(&table), "the table has to be:\n{table}");
    }
}

#[test]
fn every_value_has_a_comment() {
    let table = table();
    let values = documents(&text(&chart().join("values.yaml"))).remove(0);
    for (key, value) in values.as_object().expect("values") {
        let listed = |path: &str| table.contains(&format!("| `{path}` |"));
        let inner = value.as_object().filter(|inner| !inner.is_empty());
        let all_inner = inner.is_some_and(|inner| {
            inner.iter().all(|(name, value)| {
                let path = format!("{key}.{name}");
                listed(&path)
                    || value
                        .as_object()
                        .is_some_and(|deep| deep.keys().all(|deep| listed(&format!("{path}.{deep}"))))
            })
        });
        assert!(listed(key) || all_inner, "{key} has no comment in values.yaml");
    }
}
