//! `docs/reliability.md`, `docs/configuration.md` and the pipelines against the defaults of the code.

use std::path::Path;

use collector_sending::{QueueSettings, RetrySettings, Sizer};
use k8s_events_exporter::settings::K8sEventsSettings;

use crate::markdown::Page;
use crate::root;

/// Defaults, as the documentation writes them.
fn written(retry: &RetrySettings, queue: &QueueSettings) -> Vec<(&'static str, String)> {
    let sizer = match queue.sizer() {
        Sizer::Requests => "requests",
        Sizer::Items => "items",
        Sizer::Bytes => "bytes",
    };
    vec![
        ("retry_on_failure::enabled", retry.enabled.to_string()),
        ("retry_on_failure::initial_interval", retry.initial_interval.to_string()),
        ("retry_on_failure::multiplier", retry.multiplier.to_string()),
        (
            "retry_on_failure::randomization_factor",
            retry.randomization_factor.to_string(),
        ),
        ("retry_on_failure::max_interval", retry.max_interval.to_string()),
        ("retry_on_failure::max_elapsed_time", retry.max_elapsed_time.to_string()),
        ("retry_on_failure::misconfigured", retry.misconfigured.to_string()),
        (
            "retry_on_failure::max_metric_point_age",
            retry.max_metric_point_age.to_string(),
        ),
        ("sending_queue::enabled", queue.enabled.to_string()),
        ("sending_queue::num_consumers", queue.num_consumers.to_string()),
        ("sending_queue::queue_size", queue.queue_size.to_string()),
        ("sending_queue::sizer", sizer.to_owned()),
        ("sending_queue::block_on_overflow", queue.block_on_overflow.to_string()),
    ]
}

/// The text of a page, or of one of its sections of level 3.
fn text(page: &str, section: Option<&str>) -> String {
    let text = std::fs::read_to_string(root().join(page)).expect("a page");
    let Some(section) = section else { return text };
    let (_, rest) = text.split_once(&format!("\n### {section}\n")).expect("a section");
    rest.split("\n### ").next().unwrap_or_default().to_owned()
}

/// The cells of the rows about a setting.
fn rows(text: &str, key: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with(&format!("| `{key}` |")));
    rows.map(|row| {
        row.split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    })
    .collect()
}

#[test]
fn documented_defaults_are_those_of_the_code() {
    let (retry, queue) = (RetrySettings::default(), QueueSettings::default());
    let of_events = K8sEventsSettings::default();
    let of_events = written(&of_events.retry_on_failure, &of_events.sending_queue);
    let page = text("docs/reliability.md", None);
    for (key, default) in written(&retry, &queue) {
        let found = rows(&page, key);
        assert_eq!(found.len(), 1, "docs/reliability.md: {key}");
        assert_eq!(found[0][2], default, "docs/reliability.md: {key}");
    }
    let defaults = written(&retry, &queue);
    for (exporter, defaults) in [
        ("otlp_http", &defaults),
        ("otlp_grpc", &defaults),
        ("k8s_events", &of_events),
    ] {
        let section = text("docs/configuration.md", Some(exporter));
        for (key, default) in defaults {
            let found = rows(&section, key);
            assert_eq!(found.len(), 1, "docs/configuration.md: {exporter}::{key}");
            // After the type.
            assert_eq!(found[0][3], *default, "docs/configuration.md: {exporter}::{key}");
        }
    }
}

/// The exporters of OTLP in a configuration.
fn exporters(yaml: &str) -> Vec<(String, serde_json::Value)> {
    let config: serde_json::Value = serde_yaml::from_str(yaml).expect("YAML");
    let exporters = config["exporters"].as_object().cloned().unwrap_or_default();
    exporters.into_iter().filter(|(id, _)| id.starts_with("otlp")).collect()
}

#[test]
fn shipped_pipelines_retry_forever_in_bounded_memory() {
    let read = |path: &str| std::fs::read_to_string(Path::new(root()).join(path)).expect("a file");
    let mut texts = vec![read("pipeline.yaml"), read("deploy/kustomize/base/pipeline.yaml")];
    let page = Page::read(root(), "docs/backends.md");
    texts.extend(
        page.blocks
            .iter()
            .filter(|block| block.info == "yaml")
            .map(|block| block.text.clone()),
    );
    let mut seen = 0;
    for (id, exporter) in texts.iter().flat_map(|text| exporters(text)) {
        let (retry, queue) = (&exporter["retry_on_failure"], &exporter["sending_queue"]);
        assert!(
            retry["max_elapsed_time"].is_null() && retry["enabled"].is_null(),
            "{id}: {retry}"
        );
        assert_eq!(queue["sizer"], "bytes", "{id}");
        assert!(queue["queue_size"].as_u64().expect("a size") <= 32 << 20, "{id}");
        assert!(queue["block_on_overflow"].is_null(), "{id}");
        // Datadog accepts 5.1 MiB of logs before compression, servers of gRPC 4 MiB.
        assert!(queue["batch"]["max_size"].as_u64().expect("a size") <= 4 << 20, "{id}");
        assert!(queue["batch"]["min_size"].is_u64(), "{id}");
        let flush = queue["batch"]["flush_timeout"].as_str().unwrap_or("200ms");
        assert_eq!(flush, "200ms", "{id}: a single event hardly waits");
        seen += 1;
    }
    assert!(seen >= 10, "{seen} exporters");
}
