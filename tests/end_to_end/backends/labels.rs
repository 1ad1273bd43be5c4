//! The environment and the labels of a Job at Datadog: tags of metrics, and of logs tags or attributes.

use serde_json::json;
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake};

use super::setup::{Setup, arrived, jobs, scenario, to_datadog, until};

const EXTRACT: &str =
    "receivers.k8s_job.extract.labels=[{key: team, tag_name: team}, {key: cost-center, tag_name: cost-center}]";
const DIMENSIONS: &str = "dimensions=[{name: team}, {name: cost-center}]";

#[tokio::test]
async fn labels_and_the_environment_reach_metrics_and_logs() {
    let mut setup = Setup::new("labels").await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let mut set = to_datadog(&intake).to_vec();
    set.extend([
        EXTRACT.into(),
        format!("receivers.k8s_job.{DIMENSIONS}"),
        format!("connectors.job_metrics.{DIMENSIONS}"),
    ]);
    let environment = [
        ("DD_API_KEY", "key"),
        ("DD_ENV", "prod"),
        ("DD_SERVICE", "jobs"),
        ("DD_TAGS", "squad:blue"),
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.namespace.name=of-the-collector"),
    ];
    setup
        .collect(include_str!("../../../pipeline.yaml"), &set, &environment)
        .await;
    let mut steps = scenario("retries-exhausted", 1, |job| {
        job["metadata"]["labels"]["team"] = json!("data");
        job["metadata"]["labels"]["cost-center"] = json!("4711");
    });
    // The labels of this one take precedence over DD_ENV and DD_SERVICE.
    steps.extend(scenario("success-after-retry", 2, |job| {
        job["metadata"]["labels"]["tags.datadoghq.com/env"] = json!("dev");
        job["metadata"]["labels"]["tags.datadoghq.com/service"] = json!("rates");
    }));
    let uids = jobs(&steps);
    setup.play(steps);
    until("all events", &intake, |intake| arrived(intake).is_superset(&uids)).await;
    let log = setup.stop().await;
    assert!(!log.contains("ERROR") && !log.contains("has no effect"), "{log}");
    assert_eq!(
        (intake.rejected(), intake.lost(), intake.violations()),
        (0, vec![], vec![])
    );

    let environment = ["env:prod", "service:jobs", "squad:blue", "kube_namespace:billing"];
    let labels = ["team:data", "cost-center:4711"];
    let (mut metrics, mut labelled) = (0, 0);
    for point in intake.points() {
        let tags = point.tags();
        if tags.contains("kube_job:currency-rates") {
            let own = ["env:dev", "service:rates", "squad:blue"];
            assert!(own.iter().all(|tag| tags.contains(*tag)), "{point:?}");
            labelled += 1;
        } else {
            let expected = environment.iter().chain(&labels);
            assert!(expected.into_iter().all(|tag| tags.contains(*tag)), "{point:?}");
            metrics += 1;
        }
    }
    assert!(metrics >= 3 && labelled >= 2, "{metrics} and {labelled} points");
    let records = intake.records();
    let record = records
        .iter()
        .find(|record| record.resource["k8s.job.name"] == "invoice-export");
    let record = record.expect("a log");
    let tags = record.tags();
    assert!(environment.iter().all(|tag| tags.contains(*tag)), "{tags:?}");
    assert_eq!(
        (&record.attributes["team"], &record.attributes["cost-center"]),
        (&json!("data"), &json!("4711"))
    );
}
