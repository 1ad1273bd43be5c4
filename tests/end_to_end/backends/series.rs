//! Jobs with unrelated names, at Datadog and Prometheus: the limit on series, and the exact sum.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, PointValue, ReceivedPoint};
use simulator::{Resource, SimulatorOptions};

use super::setup::{Setup, arrived, until};
use super::together::{free_address, scrape};

const JOBS: usize = 2400;
const LIMIT: usize = 2000;

/// A Job that has failed without a Pod.
pub(super) fn failed_job(n: usize) -> Value {
    let ago = |seconds: i64| {
        let time = Timestamp::now() - SignedDuration::from_secs(seconds);
        Timestamp::from_second(time.as_second()).unwrap().to_string()
    };
    // Names without a common beginning.
    let name = format!("{:x}-job", n.wrapping_mul(2_654_435_761) % 0xffff_ffff);
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit", "lastTransitionTime": ago(30)})
    };
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"uid": format!("00000000-0000-0000-0000-{n:012x}"), "name": name, "namespace": "shop",
            "creationTimestamp": ago(60)},
        "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}},
        "status": {"startTime": ago(60), "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]}})
}

fn pipeline(intake: &OtlpIntake, prometheus: &str) -> String {
    format!(
        "receivers:\n  k8s_job: {{cluster_name: c1, on_first_start: report_finished}}\nprocessors:\n  reason_enrichment: \
         {{keep_evidence: false}}\nconnectors:\n  job_metrics:\n    interval: 1s\n    dimensions: [{{name: \
         k8s.job.owner.rule}}]\nexporters:\n  otlp_http: {{endpoint: \"{}\", headers: {{dd-api-key: key}}}}\n  \
         prometheus: {{endpoint: \"{prometheus}\", start_at_zero: 0s}}\nservice:\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, job_metrics]}}\n    \
         metrics: {{receivers: [job_metrics], exporters: [otlp_http, prometheus]}}\n",
        intake.url()
    )
}

pub(super) fn count(point: &ReceivedPoint) -> usize {
    match &point.value {
        PointValue::Int(value) => usize::try_from(*value).unwrap(),
        PointValue::Distribution { count, .. } => usize::try_from(*count).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The count of each series of a metric.
fn series(intake: &OtlpIntake, metric: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for point in intake.points().iter().filter(|point| point.metric == metric) {
        *found
            .entry(format!("{:?} {:?}", point.resource, point.attributes))
            .or_default() += count(point);
    }
    found
}

#[tokio::test]
async fn unrelated_names_reach_the_backends_within_the_limit() {
    let mut setup = Setup::with("series", SimulatorOptions::default()).await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let prometheus = free_address();
    for n in 0..JOBS {
        setup.simulator.store().put(Resource::Jobs, failed_job(n)).unwrap();
    }
    setup.collect(&pipeline(&intake, &prometheus), &[], &[]).await;
    let counted = |intake: &OtlpIntake| {
        let points = intake.points().into_iter();
        let failures = points.filter(|point| point.metric == "k8s.job.failures");
        failures.map(|point| count(&point)).sum::<usize>()
    };
    until("all counts", &intake, |intake| counted(intake) == JOBS).await;
    until("all events", &intake, |intake| arrived(intake).len() == JOBS).await;
    let page = scrape(&prometheus).await;
    let log = setup.stop().await;
    assert_eq!(
        (intake.rejected(), intake.lost(), intake.violations()),
        (0, vec![], vec![]),
        "{log}"
    );

    for metric in ["k8s.job.failures", "k8s.job.duration"] {
        let series = series(&intake, metric);
        assert_eq!(
            (series.len(), series.values().sum::<usize>()),
            (LIMIT, JOBS),
            "{metric}"
        );
    }
    let points = intake.points().into_iter();
    let (overflow, own): (Vec<_>, Vec<_>) =
        points.partition(|point| point.attributes.contains_key("otel.metric.overflow"));
    let resources: BTreeSet<String> = overflow.iter().map(|point| format!("{:?}", point.resource)).collect();
    assert_eq!(resources.len(), 1, "{resources:?}");
    assert_eq!(overflow[0].attributes["otel.metric.overflow"], "true");
    assert_eq!(
        (overflow[0].attributes.len(), overflow[0].resource.len()),
        (1, 1),
        "{:?}",
        overflow[0]
    );
    assert_eq!(overflow[0].resource["k8s.cluster.name"], "c1");
    assert!(
        own.iter().all(|point| point.attributes["k8s.job.owner.rule"] == "job"),
        "the dimension"
    );

    let lines: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("k8s_job_failures_total{"))
        .collect();
    let total = |line: &&str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    assert_eq!(
        (lines.len(), lines.iter().map(total).sum::<f64>()),
        (LIMIT, JOBS as f64)
    );
    let labels = "k8s_cluster_name=\"c1\",otel_metric_overflow=\"true\"";
    assert_eq!(lines.iter().filter(|line| line.contains(labels)).count(), 1);
    assert_eq!(log.matches("metric has more series than its limit").count(), 2, "{log}");
}
