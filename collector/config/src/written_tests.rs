//! Files as people write them: for the Collector, inside of manifests, with anchors, overlays and unset variables.

use serde::Deserialize;

use super::{Config, Settings, Source, load, print, read_all, read_without_environment};

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.into(),
        text: text.to_owned(),
        adds: false,
    }
}

/// The errors of one file.
fn errors(text: &str) -> Vec<String> {
    let (_, errors) = read_all(&[source("f.yaml", text)], &[], &|_| None);
    errors.0.iter().map(ToString::to_string).collect()
}

const PLAIN: &str =
    "receivers: {a: }\nexporters: {b: }\nservice: {pipelines: {logs: {receivers: [a], exporters: [b]}}}\n";

fn indented(by: usize) -> String {
    PLAIN.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

#[test]
fn a_manifest_is_one_error_that_names_the_path_inside() {
    let config_map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  relay: |\n{}",
        indented(4)
    );
    let named = config_map.replace("relay:", "config.yaml:");
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: ConfigMap\n    data:\n      relay: |\n{}",
        indented(8)
    );
    let resource = format!(
        "apiVersion: opentelemetry.io/v1beta1\nkind: OpenTelemetryCollector\nspec:\n  config:\n{}",
        indented(4)
    );
    let old_resource = format!(
        "apiVersion: opentelemetry.io/v1alpha1\nkind: OpenTelemetryCollector\nspec:\n  config: |\n{}",
        indented(4)
    );
    let values = format!("mode: deployment\nconfig:\n{}", indented(2));
    let few_values = "mode: deployment\nconfig: {exporters: {debug: {}}}\n".to_owned();
    let nested_values = format!("a:\n  b:\n{}", indented(4));
    let many = format!("---\napiVersion: v1\nkind: ServiceAccount\n---\n{config_map}");
    for (text, kind, path, line) in [
        (config_map, "a Kubernetes manifest (ConfigMap)", "data.relay", 5),
        (named, "a Kubernetes manifest (ConfigMap)", "data[\"config.yaml\"]", 5),
        (list, "a Kubernetes manifest (List)", "items[0].data.relay", 7),
        (
            resource,
            "a Kubernetes manifest (OpenTelemetryCollector)",
            "spec.config",
            4,
        ),
        (
            old_resource,
            "a Kubernetes manifest (OpenTelemetryCollector)",
            "spec.config",
            4,
        ),
        (many, "a Kubernetes manifest (ConfigMap)", "data.relay", 9),
        (values, "holds one (Helm values?)", "config", 2),
        (few_values, "holds one (Helm values?)", "config", 2),
        (nested_values, "holds one (Helm values?)", "a.b", 2),
    ] {
        let found = errors(&text);
        assert_eq!(found.len(), 1, "{text}\n{found:?}");
        assert!(found[0].contains(kind), "{found:?}");
        let help = format!("the configuration inside is at `{path}`, line {line}: ");
        assert!(found[0].contains(&help), "{found:?}");
    }
    let without = errors("apiVersion: v1\nkind: Service\nspec: {ports: []}\n");
    assert_eq!(without.len(), 1, "{without:?}");
    assert!(
        without[0].contains("this is a Kubernetes manifest (Service)"),
        "{without:?}"
    );
    assert_eq!(errors(PLAIN), [""; 0]);
    assert!(
        errors("exporter: {debug: }\n")[0].contains("unknown key"),
        "a typo is not a manifest"
    );
}

#[test]
fn a_section_written_twice_causes_no_other_error() {
    let found = errors(
        "receivers: {a: }\nexporters:\n  b:\nexporters:\n  c: {d: 1, d: 2}\n\
         service: {pipelines: {logs: {receivers: [a], exporters: [b, c]}}}\n",
    );
    assert_eq!(
        found,
        [
            "f.yaml:4:1: duplicate key `exporters`; first defined in line 2",
            "f.yaml:5:13: duplicate key `d`; first defined in line 5",
        ]
    );
    let (config, _) = read_all(
        &[source("f.yaml", "exporters: {b: }\nexporters: {c: }\n")],
        &[],
        &|_| None,
    );
    let config = config.expect("a configuration");
    let ids: Vec<String> = config.exporters.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["b", "c"]);
}

#[test]
fn keys_for_anchors_at_the_top_are_allowed_and_not_shown() {
    let text = format!(
        "x-common: &common {{p: 1, q: '${{env:UNSET}}'}}\n{}",
        PLAIN.replace("{b: }", "{b: {<<: *common, q: 2}}")
    );
    let config = load(&[source("f.yaml", &text)], &[], &|_| None).unwrap_or_else(|e| panic!("{e}"));
    assert!(exporter(&config).is_set("p"));
    let shown = print(&[source("f.yaml", &text)], &[]).unwrap_or_else(|e| panic!("{e}"));
    assert!(!shown.contains("x-common"), "{shown}");
    assert!(shown.contains("p: 1"), "{shown}");
}

fn exporter(config: &Config) -> &Settings {
    config.exporters.values().next().expect("an exporter")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    endpoint: String,
    #[serde(default = "ten")]
    number: u8,
    #[serde(default)]
    nested: Nested,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Nested {
    flag: bool,
    words: Vec<String>,
}

impl Default for Nested {
    fn default() -> Self {
        Nested {
            flag: true,
            words: vec!["w".into()],
        }
    }
}

fn ten() -> u8 {
    10
}

#[test]
fn keys_without_a_value_leave_their_defaults() {
    for text in [
        "{endpoint: e, number: , nested: }",
        "{endpoint: e, number: ~, nested: {flag: null, words: }}",
    ] {
        let read: Example = Settings::from_yaml(text)
            .unwrap()
            .read()
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(
            (read.number, read.nested.flag, read.nested.words.len()),
            (10, true, 1),
            "{text}"
        );
        assert_eq!(read.endpoint, "e");
    }
    let missing = Settings::from_yaml("number: 1\nendpoint:\n")
        .unwrap()
        .read::<Example>()
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "yaml:2:1: endpoint: found nothing (null), expected a value\n"
    );
    let unknown = Settings::from_yaml("{endpoint: e, nmber: }")
        .unwrap()
        .read::<Example>()
        .unwrap_err();
    assert!(unknown.to_string().contains("unknown key `nmber`"), "{unknown}");
}

#[test]
fn an_error_is_placed_in_the_overlay_that_emptied_the_settings() {
    let base = "exporters:\n  b:\n    endpoint: e\n  c: {endpoint: e}\n";
    let overlay = "exporters:\n  b:\n  c: {endpoint: }\n";
    let (config, _) = read_all(&[source("base.yaml", base), source("eu.yaml", overlay)], &[], &|_| None);
    let config = config.expect("a configuration");
    let found: Vec<String> = config
        .exporters
        .values()
        .flat_map(|settings| settings.read::<Example>().expect_err("no endpoint").0)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(
        found,
        [
            "eu.yaml:2:3: exporters::b: `endpoint` is missing",
            "eu.yaml:3:7: exporters::c::endpoint: found nothing (null), expected a value",
        ]
    );
}

#[test]
fn variables_that_are_not_set_can_be_left_out() {
    let text = PLAIN.replace(
        "{b: }",
        "{b: {endpoint: '${env:E}', number: '${env:N:-300}', nested: {words: ['${env:W}', a]}}}",
    );
    let set = |name: &str| (name == "W").then(|| "w".to_owned());
    let (config, errors, unset) = read_without_environment(&[source("f.yaml", &text)], &[], &set);
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(unset.into_iter().collect::<Vec<_>>(), ["E"]);
    let wrong = exporter(&config.expect("a configuration"))
        .read::<Example>()
        .expect_err("not whole");
    let wrong: Vec<String> = wrong.0.iter().map(ToString::to_string).collect();
    assert_eq!(wrong.len(), 1, "the rest is checked: {wrong:?}");
    assert!(wrong[0].contains("exporters::b::number"), "{wrong:?}");
}

#[test]
fn the_hint_about_quotes_fits_the_error() {
    for (text, expected) in [
        ("a: \"${env:X}", "close the quote that opens here"),
        ("a: {b: ${env:X}}", "inside `{ }` and `[ ]` write `${…}` in quotes"),
    ] {
        assert!(
            errors(text)[0].ends_with(expected) || errors(text)[0].contains(expected),
            "{text}: {:?}",
            errors(text)
        );
    }
}
