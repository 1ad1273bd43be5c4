//! Values that are valid but cannot work, or are probably unintended: `validate` reports each with its position.

use std::path::Path;
use std::process::{Command, Output};

/// A pipeline with the given exporter.
fn pipeline(exporter: &str, settings: &str) -> String {
    format!(
        "receivers: {{k8s_job: }}\nprocessors: {{reason_enrichment: }}\nconnectors: {{job_metrics: }}\n\
         exporters:\n  {exporter}:\n{settings}service:\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [{exporter}, job_metrics]}}\n    \
         metrics: {{receivers: [k8s_job, job_metrics], exporters: [{exporter}]}}\n"
    )
}

fn validate(name: &str, text: Option<&str>, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
    command
        .args(["validate", "--strict"])
        .env_clear()
        .envs(environment.iter().copied());
    if let Some(text) = text {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wrong-values-{name}.yaml"));
        std::fs::write(&path, text).expect("a file");
        command.arg("--config").arg(path);
    }
    command.output().expect("the binary runs")
}

/// True if it fails with this text, as an error or a warning.
fn fails(name: &str, text: Option<&str>, environment: &[(&str, &str)], kind: &str, expected: &str) {
    let output = validate(name, text, environment);
    let found = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{name}: {found}");
    assert!(found.contains(expected), "{name}: expected {expected:?} in:\n{found}");
    assert_eq!(found.contains("warning: "), kind == "warning", "{name}:\n{found}");
}

#[test]
fn invalid_site_is_an_error() {
    for site in [
        "us5",
        "us1.datadoghq.com",
        "app.datadoghq.com",
        "https://datadoghq.com",
        "datadog.com",
    ] {
        let expected = match site.contains("://") {
            true => "it has two schemes",
            false => "`${env:DD_SITE}` is not a Datadog site",
        };
        fails(
            "site",
            None,
            &[("DD_API_KEY", "k"), ("DD_SITE", site)],
            "error",
            expected,
        );
    }
}

#[test]
fn invalid_key_is_an_error_and_hidden() {
    for (key, expected) in [
        ("\"hunter2-0123\"", "has quotes around it"),
        (" hunter2-0123", "begins or ends with white space"),
        ("hunter2 0123", "white space inside"),
        ("YOUR_API_KEY", "is a placeholder"),
        ("<DD_API_KEY>", "is a placeholder"),
        ("xxxxxxxx", "is a placeholder"),
        ("changeme", "is a placeholder"),
        ("$OTHER", "is a reference that is not expanded"),
    ] {
        let environment = [("DD_API_KEY", key)];
        fails("key", None, &environment, "error", expected);
        let output = validate("key", None, &environment);
        let found = String::from_utf8_lossy(&output.stderr);
        assert!(!found.contains("hunter2"), "{found}");
        assert!(found.contains("has 1 error:"), "one error is enough:\n{found}");
    }
}

/// Exporter, settings, kind of the finding, and its text.
const CONFLICTS: [(&str, &str, &str, &str); 16] = [
    (
        "otlp_http",
        "    endpoint: https://app.datadoghq.com\n    headers: {dd-api-key: k}\n",
        "error",
        "`app.datadoghq.com` is a Datadog web page",
    ),
    (
        "otlp_http",
        "    metrics_endpoint: https://api.us5.datadoghq.com/v1/metrics\n    headers: {dd-api-key: k}\n",
        "error",
        "metrics_endpoint: `api.us5.datadoghq.com` is Datadog's API",
    ),
    (
        "otlp_http",
        "    endpoint: https://otlp.datadoghq.com\n    headers: {DD_API_KEY: k}\n",
        "error",
        "found the header `dd_api_key`; write `dd-api-key`",
    ),
    (
        "otlp_http",
        "    endpoint: https://otlp.datadoghq.com\n",
        "error",
        "Datadog refuses requests without the header `dd-api-key`",
    ),
    (
        "otlp_http",
        "    endpoint: https://otlp.nr-data.net\n",
        "error",
        "New Relic refuses requests without the header `api-key`",
    ),
    (
        "otlp_grpc",
        "    endpoint: otlp.datadoghq.com:443\n    headers: {dd-api-key: k}\n",
        "error",
        "Datadog does not accept OTLP over gRPC",
    ),
    (
        "otlp_http",
        "    endpoint: https://otlp.datadoghq.com\n    headers: {dd-api-key: k}\n    temporality: cumulative\n",
        "error",
        "temporality: Datadog rejects cumulative metrics",
    ),
    (
        "otlp_http",
        "    endpoint: https://a.live.dynatrace.com/api/v2/otlp\n    headers: {authorization: Api-Token t}\n    \
         temporality: cumulative\n",
        "error",
        "temporality: Dynatrace rejects cumulative metrics",
    ),
    (
        "otlp_http",
        "    endpoint: https://otlp-gateway-prod-eu-west-0.grafana.net/otlp\n    headers: {authorization: Basic t}\n",
        "warning",
        "temporality: Grafana Cloud stores cumulative metrics",
    ),
    (
        "otlp_http",
        "    endpoint: http://prometheus:9090/api/v1/otlp\n",
        "warning",
        "is a path of Prometheus, which stores cumulative metrics",
    ),
    (
        "otlp_http",
        "    metrics_endpoint: http://vm:8428/opentelemetry/v1/metrics\n    logs_endpoint: http://vl:9428/x\n",
        "warning",
        "is a path of VictoriaMetrics, which stores cumulative metrics",
    ),
    (
        "otlp_http",
        "    endpoint: http://mimir:9009/otlp\n",
        "warning",
        "is a path of Mimir, which stores cumulative metrics",
    ),
    (
        "otlp_http",
        "    endpoint: http://127.0.0.1:4317\n",
        "warning",
        "port 4317 is usually for gRPC",
    ),
    (
        "otlp_grpc",
        "    endpoint: http://127.0.0.1:4318\n",
        "warning",
        "port 4318 is usually for OTLP over HTTP",
    ),
    (
        "otlp_http",
        "    endpoint: http://127.0.0.1:14318\n    headers: {x-team: $TEAM}\n",
        "warning",
        "`$TEAM` is not expanded",
    ),
    (
        "otlp_http",
        "    endpoint: http://$HOST_IP:14318\n",
        "warning",
        "has `$` in it",
    ),
];

#[test]
fn reports_settings_that_conflict_with_the_backend() {
    for (exporter, settings, kind, expected) in CONFLICTS {
        fails("backend", Some(&pipeline(exporter, settings)), &[], kind, expected);
    }
}

#[test]
fn settings_that_fit_the_backend_pass_without_warnings() {
    for (exporter, settings) in [
        (
            "otlp_http",
            "    endpoint: http://127.0.0.1:4318\n    headers: {dd-api-key: 0123456789abcdef0123456789abcdef}\n",
        ),
        (
            "otlp_http",
            "    endpoint: http://datadog-agent.datadog.svc.cluster.local:4318\n",
        ),
        (
            "otlp_http",
            "    endpoint: http://prometheus:9090/api/v1/otlp\n    temporality: cumulative\n",
        ),
        ("otlp_grpc", "    endpoint: otel-collector:4317\n"),
    ] {
        let output = validate("fits", Some(&pipeline(exporter, settings)), &[]);
        let found = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), found.as_ref()), (Some(0), ""), "{settings}");
    }
}

#[test]
fn no_delta_warning_without_metrics() {
    let text = pipeline("otlp_http", "    endpoint: http://loki:3100/otlp\n  debug: \n").replace(
        "metrics: {receivers: [k8s_job, job_metrics], exporters: [otlp_http]}",
        "metrics: {receivers: [k8s_job, job_metrics], exporters: [debug]}",
    );
    let output = validate("logs-only", Some(&text), &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn unused_extension_is_a_warning() {
    let text = pipeline("otlp_http", "    endpoint: http://127.0.0.1:14318\n").replace(
        "service:\n",
        "extensions: {file_storage: {directory: /tmp/x}}\nservice:\n  extensions: [file_storage]\n",
    );
    let expected = "service::extensions: no component uses \"file_storage\"";
    fails("unnamed", Some(&text), &[], "warning", expected);
    fails(
        "unnamed",
        Some(&text),
        &[],
        "warning",
        "name it in the setting `storage`",
    );
    let text = text.replace("k8s_job: }", "k8s_job: {storage: file_storage}}");
    let output = validate("named", Some(&text), &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn warns_of_events_that_skip_enrichment() {
    let text = pipeline("otlp_http", "    endpoint: http://127.0.0.1:14318\n")
        .replace("processors: {reason_enrichment: }\n", "")
        .replace(", processors: [reason_enrichment]", "");
    fails(
        "past",
        Some(&text),
        &[],
        "warning",
        "do not pass through `reason_enrichment`",
    );
}

#[test]
fn shipped_pipelines_have_no_warnings() {
    let environment = [("DD_API_KEY", "0123456789abcdef0123456789abcdef")];
    let root = env!("CARGO_MANIFEST_DIR");
    for path in ["pipeline.yaml", "deploy/kustomize/base/pipeline.yaml"] {
        let text = std::fs::read_to_string(format!("{root}/{path}")).expect("a pipeline");
        let output = validate("shipped", Some(&text), &environment);
        let found = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), found.as_ref()), (Some(0), ""), "{path}");
    }
}
