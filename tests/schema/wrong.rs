//! The wrong configurations of other tests: the schema refuses each one that a schema can refuse.

use serde_json::Value;

use crate::fields::{refused_by_reader, refused_by_schema};
use crate::{errors, file, root, run, schema, validator, yaml};

/// Wrong settings, by section and type: those of the tests of the components.
const REFUSED: [(&str, &str, &str); 80] = [
    ("receivers", "k8s_job", "label_selectr: a=b"),
    ("receivers", "k8s_job", "name_spaces: {include: [payments]}"),
    ("receivers", "k8s_job", "settle_time: 1"),
    ("receivers", "k8s_job", "settle_time: soon"),
    ("receivers", "k8s_job", "settle_time: 2d"),
    ("receivers", "k8s_job", "settle_time: -5s"),
    ("receivers", "k8s_job", "auth_type: kubeconfig"),
    ("receivers", "k8s_job", "cluster_name: ''"),
    ("receivers", "k8s_job", "cardinality_limit: -1"),
    ("receivers", "k8s_job", "cardinality_limit: many"),
    ("receivers", "k8s_job", "namespaces: [payments]"),
    ("receivers", "k8s_job", "namespaces: {include: [A]}"),
    ("receivers", "k8s_job", "namespaces: {include: [b, b]}"),
    ("receivers", "k8s_job", "namespaces: {include: ['team-*']}"),
    ("receivers", "k8s_job", "sharding: {shards: 0}"),
    ("receivers", "k8s_job", "sharding: {shards: 65, shard: 0}"),
    ("receivers", "k8s_job", "sharding: {shards: 2, shard: first}"),
    ("receivers", "k8s_job", "sharding: {shards: 2, shard: 0, by: uid}"),
    ("receivers", "k8s_job", "on_first_start: never"),
    ("receivers", "k8s_job", "stalled: {causes: {ImagePul: 1m}}"),
    ("receivers", "k8s_job", "stalled: {causes: {RanTooLong: off}}"),
    ("receivers", "k8s_job", "stalled: {causes: {ImagePull: true}}"),
    ("receivers", "k8s_job", "stalled: {causes: {ImagePull: 30}}"),
    ("receivers", "k8s_job", "stalled: {running_long: {factor: 1}}"),
    ("receivers", "k8s_job", "stalled: {running_long: {factor: 101}}"),
    ("receivers", "k8s_job", "stalled: {running_long: {min_runs: 31}}"),
    ("receivers", "k8s_job", "extract: {labels: [{tag_name: a}]}"),
    ("receivers", "k8s_job", "extract: {labels: [{key: a, from: node}]}"),
    ("receivers", "k8s_job", "extract: {labels: [{key: a, from: pods}]}"),
    ("receivers", "k8s_job", "owner: {rules: [{match: a}]}"),
    ("receivers", "k8s_job", "owner: {rules: [{name: a}]}"),
    ("receivers", "k8s_job", "owner: {rules: [{match: a, name: ''}]}"),
    ("receivers", "k8s_job", "owner: {rules: [{kind: Workflow}]}"),
    ("receivers", "k8s_job", "dimensions: [{name: ''}]"),
    ("receivers", "kube_state_metrics", "collection_intervall: 5s"),
    ("processors", "reason_enrichment", "keep_evidence: 'true'"),
    ("processors", "attributes", "{}"),
    ("processors", "attributes", "actions: []"),
    ("processors", "attributes", "actions: [{key: a, value: 1}]"),
    ("processors", "attributes", "actions: [{key: a, action: hash}]"),
    (
        "processors",
        "attributes",
        "actions: [{key: a, action: convert, converted_type: integer}]",
    ),
    ("processors", "resource", "actions: [{key: a, action: delete}]"),
    ("processors", "resourcedetection", "detectors: [env, gcp]"),
    ("processors", "resourcedetection", "detectors: []"),
    ("processors", "filter", "error_mode: panic"),
    ("processors", "filter", "logs: {log_records: [a == 1]}"),
    (
        "processors",
        "transform",
        "log_statements: [{context: logs, statements: []}]",
    ),
    ("processors", "transform", "log_statements: [{statement: [a]}]"),
    ("connectors", "job_metrics", "histogram_max_size: 1"),
    ("connectors", "job_metrics", "histogram_max_size: 1025"),
    ("connectors", "job_metrics", "exclude_dimensions: [reasn]"),
    ("connectors", "job_metrics", "dimensions: [{nam: a}]"),
    ("connectors", "job_traces", "outcomes: []"),
    ("connectors", "job_traces", "outcomes: [failed]"),
    ("exporters", "otlp_http", "{}"),
    ("exporters", "otlp_http", "endpoint: otlp.datadoghq.com"),
    ("exporters", "otlp_http", "endpoint: ftp://h"),
    ("exporters", "otlp_http", "{endpoint: http://h, encoding: xml}"),
    ("exporters", "otlp_http", "{endpoint: http://h, compression: lz4}"),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, proxy_url: 'proxy:3128'}",
    ),
    ("exporters", "otlp_http", "{endpoint: http://h, temporality: sum}"),
    ("exporters", "otlp_http", "{endpoint: http://h, auth: basicauth}"),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, tls: {cipher_suites: []}}",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, tls: {min_version: '1.1'}}",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, sending_queue: {num_consumers: 0}}",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, sending_queue: {queue_size: 0}}",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, sending_queue: {sizer: messages}}",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, retry_on_failure: {multiplier: 0.9}}",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, retry_on_failure: {randomization_factor: 1.1}}",
    ),
    ("exporters", "otlp_grpc", "endpoint: localhost"),
    ("exporters", "otlp_grpc", "endpoint: 'unix:/run/x'"),
    ("exporters", "file", "format: json"),
    ("exporters", "file", "{path: a, rotation: {max_megabytes: 0}}"),
    ("exporters", "debug", "verbosity: loud"),
    ("exporters", "debug", "output_paths: [/tmp/x]"),
    ("exporters", "prometheus", "endpoint: localhost"),
    ("exporters", "prometheus", "const_labels: {a-b: c}"),
    ("extensions", "file_storage", "directory: data"),
    ("extensions", "file_storage", "directory_permissions: '0070'"),
    (
        "extensions",
        "oauth2client",
        "{client_id: a, client_secret: b, token_url: login}",
    ),
];

/// Wrong settings that a schema cannot refuse, and the reason.
const ONLY_BY_READER: [(&str, &str, &str, &str); 27] = [
    (
        "receivers",
        "k8s_job",
        "settle_time: 1h",
        "a pattern does not compare durations",
    ),
    (
        "receivers",
        "k8s_job",
        "collection_interval: 10ms",
        "a pattern does not compare durations",
    ),
    ("receivers", "k8s_job", "storage: file_storge", "references a component"),
    (
        "receivers",
        "k8s_job",
        "{auth_type: serviceAccount, context: c}",
        "depends on another key",
    ),
    (
        "receivers",
        "k8s_job",
        "namespaces: {include: [a], exclude: [a]}",
        "depends on another key",
    ),
    (
        "receivers",
        "k8s_job",
        "label_selector: team in (a",
        "a language of its own",
    ),
    (
        "receivers",
        "k8s_job",
        "owner: {rules: [{match: 'a(b', name: $1}]}",
        "a language of its own",
    ),
    (
        "receivers",
        "k8s_job",
        "owner: {rules: [{match: a, name: $1}]}",
        "depends on another key",
    ),
    (
        "receivers",
        "k8s_job",
        "extract: {labels: [{key: a, key_regex: b}]}",
        "an empty text counts as absent",
    ),
    (
        "receivers",
        "k8s_job",
        "extract: {labels: [{key: a, tag_name: k8s.job.uid}]}",
        "the attributes of events",
    ),
    (
        "processors",
        "attributes",
        "actions: [{key: a, action: upsert}]",
        "depends on another key",
    ),
    (
        "processors",
        "attributes",
        "actions: [{key: a, action: delete, value: 1}]",
        "depends on another key",
    ),
    (
        "processors",
        "filter",
        "log_conditions: ['log.body == ']",
        "a language of its own",
    ),
    (
        "processors",
        "transform",
        "log_statements: ['sett(log.body, 1)']",
        "a language of its own",
    ),
    (
        "connectors",
        "job_metrics",
        "interval: 200ms",
        "a pattern does not compare durations",
    ),
    (
        "connectors",
        "job_metrics",
        "dimensions: [{name: a}, {name: a}]",
        "compares items of a list",
    ),
    (
        "exporters",
        "otlp_http",
        "endpoint: https://app.datadoghq.com",
        "knows the backend",
    ),
    (
        "exporters",
        "otlp_http",
        "endpoint: https://otlp.datadoghq.com",
        "knows the backend",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, cumulative: {}}",
        "depends on another key",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: https://h, tls: {insecure: true}}",
        "depends on another key",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, retry_on_failure: {max_interval: 4s}}",
        "depends on another key",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, headers: {a b: c}}",
        "the names of headers",
    ),
    (
        "exporters",
        "otlp_http",
        "{endpoint: http://h, headers: {api-key: YOUR_API_KEY}}",
        "recognizes placeholders",
    ),
    (
        "exporters",
        "prometheus",
        "metric_expiration: 1s",
        "depends on another key",
    ),
    (
        "extensions",
        "bearertokenauth",
        "{token: a, filename: b}",
        "an empty text counts as absent",
    ),
    (
        "extensions",
        "k8s_leader_elector",
        "lease_duration: 1s",
        "depends on another key",
    ),
    (
        "extensions",
        "k8s_leader_elector",
        "lease_duration: 1500ms",
        "a pattern does not compare durations",
    ),
];

/// Refused by the reader, and by the schema or not.
fn check(settings: &[(&str, &str, &str)], by_schema: bool) {
    let components: Vec<(&str, String, Value)> = settings
        .iter()
        .enumerate()
        .map(|(index, (section, component, text))| (*section, format!("{component}/w{index}"), yaml(text)))
        .collect();
    let validator = validator(&schema(&[]));
    let by_reader = refused_by_reader(&components);
    for (component, (section, name, text)) in components.iter().zip(settings) {
        assert!(
            by_reader.contains_key(&component.1),
            "{section}::{name}: {text}: the reader accepts it"
        );
        let found = refused_by_schema(&validator, component);
        assert_eq!(
            found.is_some(),
            by_schema,
            "{section}::{name}: {text}: by the schema {found:?}"
        );
    }
}

#[test]
fn wrong_settings_are_refused() {
    check(&REFUSED, true);
}

#[test]
fn exceptions_are_refused_by_the_reader_only() {
    let settings: Vec<_> = ONLY_BY_READER
        .iter()
        .map(|(section, component, text, _)| (*section, *component, *text))
        .collect();
    check(&settings, false);
}

/// A configuration with this section `service`, or with another line.
const AROUND: &str = "receivers: {k8s_job: }\nprocessors: {reason_enrichment: }\nexporters: {debug: }\n";

/// Wrong configurations; true: the schema refuses it, too.
const WHOLE: [(&str, bool); 21] = [
    ("", false),
    ("service:", true),
    ("service: {pipelines: }", true),
    ("service: {pipelines: {}}", true),
    (
        "services: {pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {pipeline: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {pipelines: {log: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {pipelines: {logs/: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {pipelines: {logs/a b: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    ("service: {pipelines: {logs: {receivers: [k8s_job]}}}", true),
    (
        "service: {pipelines: {logs: {receivers: [], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {pipelines: {logs: {receivers: k8s_job, exporters: [debug]}}}",
        true,
    ),
    (
        "service: {pipelines: {logs: {receivers: [k8s_job], exporter: [debug]}}}",
        true,
    ),
    (
        "service: {pipelines: {logs: {receivers: [k8s_job], exporters: [debgu]}}}",
        true,
    ),
    (
        "service: {pipelines: {logs: {receivers: [k8s_job], exporters: [debug, debug]}}}",
        true,
    ),
    // References between ids.
    (
        "service: {pipelines: {logs: {receivers: [k8s_job], exporters: [debug/other]}}}",
        false,
    ),
    (
        "service: {extensions: [healthcheck], pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "extensions: {heath_check: }\nservice: {pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "connectors: {job_metrics/: }\nservice: {pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {telemetry: {logs: {level: loud}}, pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
    (
        "service: {telemetry: {metrics: {readers: [{}]}}, pipelines: {logs: {receivers: [k8s_job], exporters: [debug]}}}",
        true,
    ),
];

#[test]
fn wrong_sections_are_refused() {
    let validator = validator(&schema(&[]));
    for (text, by_schema) in WHOLE {
        let text = format!("{AROUND}{text}\n");
        let path = file("whole.yaml", &text);
        let output = run(&["validate", path.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(3), "{text}");
        let found = errors(&validator, &yaml(&text));
        // Without `service`, another file may have it.
        let by_schema = by_schema || !text.contains("service");
        assert_eq!(!found.is_empty(), by_schema, "{text}: {found}");
    }
}

#[test]
fn documented_errors_are_refused() {
    let text = std::fs::read_to_string(root().join("docs/configuration.md")).expect("UTF-8");
    let (_, rest) = text.split_once("```yaml wrong.yaml\n").expect("the wrong file");
    let (wrong, _) = rest.split_once("```").expect("its end");
    let found = errors(&validator(&schema(&[])), &yaml(wrong));
    for expected in ["/receivers/k8s_job/settle_time: ", "'name_spaces' was unexpected"] {
        assert!(found.contains(expected), "{expected} in\n{found}");
    }
}
