//! Keys of the Collector and former keys of this collector that do not exist here, with their replacements.

use super::type_of;

/// The path of the key and its replacement. A segment may name several keys, separated by `|`, or any key, `*`. That of
/// a component is its type.
pub(super) type Entry = (&'static str, &'static str);

/// The replacement of a key, if it is a known one of the Collector.
pub(super) fn hint(path: &str) -> Option<&'static str> {
    let found: Vec<&str> = path.split("::").collect();
    let is_component = |index: usize| index == 1 && found.first() != Some(&"service");
    KEYS.iter()
        .find(|(pattern, _)| {
            let wanted: Vec<&str> = pattern.split("::").collect();
            wanted.len() == found.len()
                && wanted.iter().zip(&found).enumerate().all(|(index, (wanted, found))| {
                    let found = if is_component(index) { type_of(found) } else { found };
                    *wanted == "*" || wanted.split('|').any(|name| name == found)
                })
        })
        .map(|(_, hint)| *hint)
}

const ALWAYS: &str = "remove it; the collector always records its own metrics; `readers` decides where they go";

/// Every known key.
pub(super) const KEYS: &[Entry] = &[
    ("pipelines", "write it under `service`"),
    ("telemetry", "write it under `service`"),
    (
        "service::telemetry::metrics::address",
        "write `readers: [{pull: {exporter: {prometheus: {host: localhost, port: 8888}}}}]` instead",
    ),
    ("service::telemetry::metrics::level|views", ALWAYS),
    (
        "service::telemetry::resource",
        "remove it; own metrics carry service.name and service.version, and a scrape job can add labels",
    ),
    (
        "service::telemetry::traces",
        "remove it; this collector makes no traces of itself (`job_traces` makes traces of Jobs)",
    ),
    (
        "service::telemetry::logs::development|disable_caller|disable_stacktrace|sampling|initial_fields",
        "remove it; `level` and `encoding` are the settings of logs",
    ),
    (
        "service::telemetry::logs::output_paths|error_output_paths|processors|disable_zap_resource",
        "remove it; logs go to standard error",
    ),
    (
        "service::telemetry::metrics::readers::*::periodic::timeout",
        "remove it; the timeout is 10 s",
    ),
    (
        "service::telemetry::metrics::readers::*::periodic::exporter::otlp_http|otlp_grpc|console",
        "write `otlp`, with the `endpoint` of OTLP over HTTP: http://HOST:4318/v1/metrics",
    ),
    (
        "service::telemetry::metrics::readers::*::periodic::exporter::otlp::insecure|compression|timeout",
        "remove it; the scheme of `endpoint` decides about TLS, requests are not compressed and time out after 10 s",
    ),
    (
        "service::telemetry::metrics::readers::*::periodic::exporter::otlp::certificate|client_key|client_certificate",
        "remove it; own metrics go to servers whose certificate the system trusts, or over plain HTTP",
    ),
    (
        "service::telemetry::metrics::readers::*::periodic::exporter::otlp::headers_list",
        "write `headers`, a mapping of names to values",
    ),
    (
        "service::telemetry::metrics::readers::*::periodic::exporter::otlp::default_histogram_aggregation",
        "remove it; the collector chooses the aggregation of each metric",
    ),
    (
        "service::telemetry::metrics::readers::*::pull::exporter::prometheus::with_resource_constant_labels",
        "remove it; the resource is shown as target_info",
    ),
    (
        "receivers::k8s_job::node_conditions_to_report|allocatable_types_to_report|distribution",
        "remove it; `k8s_job` reports Jobs and CronJobs only, not nodes",
    ),
    (
        "receivers::k8s_job::metadata_exporters|metadata_collection_interval|k8s_api_config",
        "remove it; `k8s_job` watches, and every event carries its metadata",
    ),
    (
        "receivers::k8s_job::metrics|resource_attributes",
        "remove it; every metric and attribute of `k8s_job` is always sent",
    ),
    (
        "receivers::k8s_job::objects|namespace",
        "remove it; `namespaces: {include: [NAMESPACE]}` limits which Jobs are watched",
    ),
    (
        "receivers::k8s_job::kube_state_metrics",
        "remove it and add the receiver `kube_state_metrics` to a metrics pipeline with the exporter `prometheus`; see \
         docs/compatibility.md",
    ),
    (
        "processors::filter::logs|metrics::include|exclude",
        "write the opposite as a condition in `log_conditions`, `metric_conditions` or `trace_conditions`; see docs/ottl.md",
    ),
    (
        "processors::filter::spans",
        "write `trace_conditions: [CONDITION]`: spans for which one is true are dropped",
    ),
    (
        "processors::filter::traces::spanevent",
        "remove it; spans of `job_traces` have no events",
    ),
    (
        "processors::filter::profiles|profile_conditions",
        "remove it; the collector has no profiles",
    ),
    (
        "processors::transform::profile_statements",
        "remove it; the collector has no profiles",
    ),
    (
        "processors::transform::flatten_data",
        "remove it; events of one owner share a resource",
    ),
    (
        "processors::attributes::include|exclude",
        "remove it; use `filter` to select data, or `transform`, whose statements have a condition: `where`",
    ),
    (
        "processors::attributes::actions::*::from_context",
        "remove it; data has no request metadata here. Write `value` or `from_attribute`",
    ),
    (
        "processors::resource::attributes::*::from_context",
        "remove it; data has no request metadata here. Write `value` or `from_attribute`",
    ),
    (
        "processors::resourcedetection|resource_detection::refresh_interval|fail_on_missing_metadata|env|system|k8s_api",
        "remove it; `env` is the only detector, and it reads the environment once, on startup",
    ),
    (
        "processors::resourcedetection|resource_detection::k8snode|eks|ec2|ecs|gcp|aks|azure|openshift|kubeadm|docker|consul",
        "remove it; `env` is the only detector. `cluster_name` of `k8s_job` sets the cluster",
    ),
    (
        "exporters::prometheus::compatibility",
        "remove it; metrics of the receiver `kube_state_metrics` keep their names",
    ),
    (
        "exporters::debug::sampling_initial|sampling_thereafter",
        "remove it; every batch is written (there is one event for each Job)",
    ),
    (
        "exporters::debug::loglevel",
        "write `verbosity`: `basic`, `normal` or `detailed`",
    ),
    (
        "exporters::debug::use_internal_logger",
        "remove it; `output_paths` decides where telemetry is written",
    ),
    ("exporters::debug::sending_queue", "remove it; `debug` writes at once"),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::sending_queue::persistent_storage_enabled",
        "write `storage: file_storage` and configure the extension `file_storage`",
    ),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::sending_queue::blocking",
        "write `block_on_overflow`; it is `true` by default",
    ),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::sending_queue::wait_for_result",
        "remove it; without a persistent queue, data is acknowledged when it is delivered",
    ),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::sending_queue::batch::partition",
        "remove it; batches are not partitioned by metadata",
    ),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::batcher",
        "write `sending_queue: {batch: {flush_timeout: 200ms, min_size: 8192}}`",
    ),
    (
        "exporters::otlp_http|otlphttp::middlewares|cookies|max_idle_conns|max_conns_per_host",
        "remove it; one connection is enough for what this collector sends",
    ),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::read_buffer_size|write_buffer_size",
        "remove it; buffers have a fixed size",
    ),
    (
        "exporters::otlp_http|otlphttp::profiles_endpoint",
        "remove it; there are no profiles",
    ),
    (
        "exporters::otlp_grpc|otlp::balancer_name|wait_for_ready|middlewares",
        "remove it; one connection is used, and a server that is unavailable is retried",
    ),
    (
        "exporters::otlp_http|otlphttp|otlp_grpc|otlp::tls::cipher_suites|curve_preferences|tpm",
        "remove it; TLS 1.2 and 1.3 with the suites that ring offers",
    ),
    (
        "exporters::prometheus::translation_strategy",
        "remove it; `add_metric_suffixes` decides about units and `_total` in names",
    ),
    (
        "extensions::health_check::response_body|check_collector_pipeline|use_v2|component_health|http|grpc",
        "remove it; liveness is at `path`, and /readyz answers for every component",
    ),
    (
        "extensions::file_storage::compaction",
        "remove it; freed space is used again",
    ),
];
