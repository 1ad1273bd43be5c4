//! Every pipeline that the chart renders or an overlay builds is valid, and is the documented one.

use serde_json::{Value, json};

use super::{DUMMY, chart, container, documented, kustomize, list, of_kind, rendered, root, text, validate, word};

/// The heading in `docs/backends.md`, and the name in `deploy/backends/`, of the overlay and of the preset.
const BACKENDS: [(&str, &str); 10] = [
    ("Datadog", "datadog"),
    ("New Relic", "new-relic"),
    ("Dynatrace", "dynatrace"),
    ("Honeycomb", "honeycomb"),
    ("Grafana Cloud", "grafana-cloud"),
    ("A Prometheus that takes OTLP", "prometheus-otlp"),
    ("An OpenTelemetry Collector", "opentelemetry-collector"),
    ("A backend behind OAuth 2.0", "oauth2"),
    ("A Prometheus that scrapes", "prometheus"),
    ("A file", "file"),
];

#[test]
fn every_documented_backend_has_a_preset_and_an_overlay() {
    let documented = documented();
    let headings: Vec<&str> = documented.iter().map(|(heading, _)| heading.as_str()).collect();
    assert_eq!(headings, BACKENDS.map(|(heading, _)| heading), "docs/backends.md");
    for (_, name) in BACKENDS {
        // For Datadog the built-in pipeline, which has more.
        let (source, overlay) = match name {
            "datadog" => ("pipeline.yaml".to_owned(), "base".to_owned()),
            name => (format!("deploy/backends/{name}.yaml"), format!("overlays/{name}")),
        };
        let expected = text(&root().join(&source));
        let preset = chart().join(format!("files/presets/{name}.yaml"));
        let overlay = kustomize().join(overlay).join("pipeline.yaml");
        for copy in [preset, overlay] {
            assert!(text(&copy) == expected, "{} differs from {source}", copy.display());
        }
    }
    let presets = super::files(&chart().join("files/presets"), "yaml");
    assert_eq!(presets.len(), BACKENDS.len());
    let schema: Value = serde_json::from_str(&text(&chart().join("values.schema.json"))).expect("JSON");
    let names = BACKENDS.iter().map(|(_, name)| json!(name)).chain([json!("custom")]);
    assert_eq!(schema["properties"]["backend"]["enum"], Value::from_iter(names));
}

#[test]
fn every_preset_is_rendered() {
    let cases = rendered::cases();
    for (_, backend) in BACKENDS {
        assert!(
            cases.iter().any(|(case, _)| case == backend),
            "tests/values/{backend}.yaml is missing"
        );
    }
}

#[test]
fn every_rendered_pipeline_is_valid() {
    for (case, documents) in rendered::cases() {
        super::validate_deployed(&case, &documents);
    }
}

/// The pipeline of a case.
pub(super) fn pipeline(documents: &[Value]) -> Value {
    let maps = of_kind(documents, "ConfigMap");
    super::documents(word(&maps[0]["data"]["pipeline.yaml"])).remove(0)
}

#[test]
fn values_of_config_are_merged() {
    let (_, documents) = rendered::cases()
        .into_iter()
        .find(|(case, _)| case == "merged")
        .expect("the case");
    let pipeline = pipeline(&documents);
    let exporter = &pipeline["exporters"]["otlp_http/datadog"];
    assert_eq!(pipeline["receivers"]["k8s_job"]["stalled"], json!({"after": "5m"}));
    assert_eq!(pipeline["processors"], json!({"reason_enrichment": null}));
    assert_eq!(exporter.get("retry_on_failure"), None);
    assert_eq!(exporter["sending_queue"]["queue_size"], 8_388_608);
    assert_eq!(exporter["sending_queue"]["sizer"], "bytes");
    assert_eq!(pipeline["service"]["telemetry"]["logs"]["level"], "warn");
    assert_eq!(list(&pipeline["service"]["telemetry"]["metrics"]["readers"]).len(), 1);
}

#[test]
fn every_pipeline_stores_its_state() {
    for (case, documents) in rendered::cases() {
        let pipeline = pipeline(&documents);
        let stores = list(&pipeline["service"]["extensions"]);
        let receivers = pipeline["receivers"].as_object().expect("receivers");
        for (id, settings) in receivers {
            let storage = &settings["storage"];
            assert!(
                case == "custom" || stores.contains(storage),
                "{case}: {id} stores in {storage}"
            );
        }
        let queue = container(&documents)["env"].to_string().contains("QUEUE_STORAGE");
        assert_eq!(queue, stores.contains(&json!("file_storage")), "{case}");
    }
}

/// Additions to a pipeline in the base: each storage, alone and with each component.
const ADDED: [&[&str]; 7] = [
    &["base/storage.yaml"],
    &["components/high-availability/storage.yaml"],
    &["components/file-storage/storage.yaml"],
    &["components/shards/storage.yaml"],
    &["base/storage.yaml", "components/telemetry/telemetry.yaml"],
    &["components/high-availability/storage.yaml", "components/web/web.yaml"],
    &[
        "components/file-storage/storage.yaml",
        "components/web/web.yaml",
        "components/telemetry/telemetry.yaml",
    ],
];

#[test]
fn any_pipeline_can_be_deployed_with_any_storage() {
    let folder = super::folder("any-pipeline");
    let file = folder.join("pipeline.yaml");
    let built_in = ("built in".to_owned(), text(&root().join("pipeline.yaml")));
    for (heading, pipeline) in documented().into_iter().chain([built_in]) {
        std::fs::write(&file, &pipeline).expect("a file");
        for added in ADDED {
            let mut arguments = vec!["--config".to_owned(), file.display().to_string()];
            for name in added {
                arguments.extend(["--add-config".to_owned(), kustomize().join(name).display().to_string()]);
            }
            let store = match added[0].contains("file-storage") {
                true => "file_storage",
                false => "k8s_storage",
            };
            let mut environment = vec![("STATE_STORAGE".to_owned(), store.to_owned())];
            if added[0].contains("shards") {
                environment.push(("SHARDS".to_owned(), "4".to_owned()));
                environment.push(("POD_NAME".to_owned(), "kube-job-collector-3".to_owned()));
            }
            if store == "file_storage" {
                environment.push(("QUEUE_STORAGE".to_owned(), store.to_owned()));
            }
            for variable in pipeline.split("${env:").skip(1) {
                let name = variable.split(['}', ':']).next().expect("a name");
                if variable.find('}') == Some(name.len()) {
                    environment.push((name.to_owned(), DUMMY.to_owned()));
                }
            }
            let (errors, is_valid) = validate(&arguments, &environment);
            assert!(is_valid && errors.is_empty(), "{heading} with {added:?}:\n{errors}");
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}
