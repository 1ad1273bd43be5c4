//! Labels of a namespace at Datadog, on all signals.

use serde_json::json;
use simulator::Resource;
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake};

use super::setup::{Setup, arrived, jobs, scenario, until};

/// Logs, metrics and traces with labels of the Job and its namespace.
const CONFIG: &str = "
receivers:
  k8s_job:
    auth_type: kubeConfig
    collection_interval: 1s
    extract:
      labels:
        - {key: team, tag_name: team}
        - {key_regex: '(cost-center)', tag_name: $1}
        - {key: tier, from: namespace}
    dimensions: [{name: team}, {name: cost-center}, {name: k8s.namespace.label.tier, default: none}]
processors:
  reason_enrichment:
  resourcedetection: {detectors: [env], override: false}
connectors:
  job_metrics:
    interval: 1s
    dimensions: [{name: team}, {name: cost-center}, {name: k8s.namespace.label.tier, default: none}]
  job_traces:
exporters:
  otlp_http: {endpoint: 'http://replaced', headers: {dd-api-key: key}}
service:
  pipelines:
    logs: {receivers: [k8s_job], processors: [reason_enrichment, resourcedetection], exporters: [otlp_http, job_metrics, job_traces]}
    metrics: {receivers: [k8s_job, job_metrics], processors: [resourcedetection], exporters: [otlp_http]}
    traces: {receivers: [job_traces], exporters: [otlp_http]}
";

#[tokio::test]
async fn labels_of_a_namespace_are_on_all_signals() {
    let mut setup = Setup::new("namespace-labels").await;
    let steps = scenario("deadline-exceeded", 1, |job| {
        job["metadata"]["labels"]["team"] = json!("payments");
        job["metadata"]["labels"]["cost-center"] = json!("cc-42");
    });
    let uids = jobs(&steps);
    let job = steps.iter().find(|step| step.resource == Resource::Jobs).unwrap();
    let namespace = job.object["metadata"]["namespace"].clone();
    let namespace = json!({"metadata": {"name": namespace, "uid": "ns-1", "labels": {"tier": "gold"}}});
    setup.simulator.store().put(Resource::Namespaces, namespace).unwrap();
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let set = [format!("exporters.otlp_http.endpoint={}", intake.url())];
    setup.collect(CONFIG, &set, &[("DD_ENV", "prod")]).await;
    setup.play(steps);
    until("an event of the Job", &intake, |intake| {
        arrived(intake).is_superset(&uids)
    })
    .await;
    let log = setup.stop().await;
    assert!(!log.contains("ERROR") && !log.contains("not allowed"), "{log}");

    let points = intake.points();
    for metric in ["k8s.job.failures", "k8s.job.pod.active"] {
        let point = points.iter().find(|point| point.metric == metric);
        let tags = point
            .unwrap_or_else(|| panic!("{metric} is missing in {points:?}"))
            .tags();
        for tag in [
            "team:payments",
            "cost-center:cc-42",
            "env:prod",
            "k8s.namespace.label.tier:gold",
        ] {
            assert!(tags.contains(tag), "{metric}: {tag} is missing in {tags:?}");
        }
    }
    let records = intake.records();
    let record = records
        .iter()
        .find(|record| record.event_name == "k8s.job.finished")
        .unwrap();
    assert!(record.tags().contains("env:prod"), "{record:?}");
    for (name, value) in [
        ("team", "payments"),
        ("cost-center", "cc-42"),
        ("k8s.namespace.label.tier", "gold"),
    ] {
        assert_eq!(record.attributes[name], json!(value), "{name}");
    }
    let traces = format!("{:?}", intake.received());
    assert!(traces.contains("cc-42"), "{traces}");
}
