//! Recipes that select what is sent, and where.

use std::collections::BTreeSet;

use simulator::otlp_intake::OtlpIntake;

use super::{Running, events, sum};

/// `k8s.namespace.name` of everything that arrived.
fn namespaces(intake: &OtlpIntake) -> BTreeSet<String> {
    let points = intake
        .points()
        .into_iter()
        .map(|point| point.resource["k8s.namespace.name"].clone());
    let records = intake.records().into_iter();
    let records = records.map(|record| record.resource["k8s.namespace.name"].as_str().unwrap().to_owned());
    points.chain(records).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test]
async fn only_failures_are_logs_but_all_jobs_are_counted() {
    let mut running = Running::start("failures-to-logs", &[]).await;
    running.play("retries-exhausted", 1, &[]);
    running.play("success-after-retry", 2, &[]);
    running.play("cron-failing", 3, &[]);
    running.drain_after(2, 1).await;
    let intake = &running.intakes[0];
    assert_eq!(events(intake), set(["k8s.job.finished Failed"]));
    assert_eq!(intake.records().len(), 2);
}

#[tokio::test]
async fn each_tenant_receives_its_namespaces_only() {
    let mut running = Running::start("tenants", &[]).await;
    running.play(
        "retries-exhausted",
        1,
        &[("namespace: billing", "namespace: payments-eu")],
    );
    running.play("retries-exhausted", 2, &[("namespace: billing", "namespace: payments")]);
    running.play("cron-failing", 3, &[("namespace: billing", "namespace: reports")]);
    running.drain_after(2, 0).await;
    let [payments, others] = &running.intakes[..] else {
        panic!("two backends")
    };
    assert_eq!(namespaces(payments), set(["payments", "payments-eu"]));
    assert_eq!(namespaces(others), set(["reports"]));
    let received = [payments, others].map(|intake| (sum(intake, "k8s.job.failures"), intake.records().len()));
    assert_eq!(received, [(2, 2), (1, 1)]);
}

#[tokio::test]
async fn completed_jobs_are_neither_sent_nor_counted() {
    let mut running = Running::start("without-succeeded", &[]).await;
    running.play("success-after-retry", 1, &[]);
    running.play("retries-exhausted", 2, &[]);
    running.drain_after(1, 0).await;
    let intake = &running.intakes[0];
    assert_eq!(events(intake), set(["k8s.job.finished Failed"]));
    let owners: BTreeSet<String> = intake
        .points()
        .iter()
        .map(|point| point.resource["k8s.job.name"].clone())
        .collect();
    assert_eq!(owners, set(["invoice-export"]));
}

#[tokio::test]
async fn only_the_allowed_metrics_are_sent() {
    let mut running = Running::start("three-metrics", &[]).await;
    running.play("retries-exhausted", 1, &[]);
    running.play("success-after-retry", 2, &[]);
    running.drain_after(1, 1).await;
    let intake = &running.intakes[0];
    let names: BTreeSet<String> = intake.points().into_iter().map(|point| point.metric).collect();
    assert_eq!(names, set(["k8s.job.completions", "k8s.job.failures"]));
    assert_eq!(intake.records().len(), 2);
}

#[tokio::test]
async fn personal_data_does_not_leave_the_cluster() {
    let mut running = Running::start("without-personal-data", &[]).await;
    let (old, new) = (
        "cannot connect to postgres: connection refused",
        "no account of jane.doe+x@example.com with card 4111111111111111 found",
    );
    running.play("retries-exhausted", 1, &[(old, new)]);
    running.drain_after(1, 0).await;
    let intake = &running.intakes[0];
    let sent = format!("{:?}", intake.received());
    for secret in ["jane.doe", "example.com", "4111111111111111"] {
        assert!(!sent.contains(secret), "{secret} in {sent}");
    }
    let body = intake.records()[0].body.as_str().unwrap().to_owned();
    assert!(body.contains("[email] with card [number]"), "{body}");
}

#[tokio::test]
async fn a_team_receives_the_jobs_with_its_label() {
    let mut running = Running::start("team-by-label", &[]).await;
    for (team, seed) in [("payments", 1), ("search", 2)] {
        let labels = format!("  name: export-{team}\n  labels: {{team: {team}}}\n");
        running.play("retries-exhausted", seed, &[("  name: invoice-export\n", &labels)]);
    }
    running.play("success-after-retry", 3, &[]);
    running.drain_after(2, 1).await;
    let [platform, payments] = &running.intakes[..] else {
        panic!("two backends")
    };
    let jobs = |intake: &OtlpIntake| -> BTreeSet<String> {
        let points = intake
            .points()
            .into_iter()
            .map(|point| point.resource["k8s.job.name"].clone());
        let records = intake.records().into_iter();
        let records = records.map(|record| record.resource["k8s.job.name"].as_str().unwrap().to_owned());
        points.chain(records).collect()
    };
    assert_eq!(jobs(payments), set(["export-payments"]));
    assert_eq!(
        jobs(platform),
        set(["currency-rates", "export-payments", "export-search"])
    );
    assert_eq!((sum(payments, "k8s.job.failures"), payments.records().len()), (1, 1));
    assert!(
        payments
            .points()
            .iter()
            .all(|point| point.tags().contains("team:payments"))
    );
}

#[tokio::test]
async fn labels_are_tags_of_metrics_and_logs() {
    let environment = [("DD_ENV", "prod"), ("K8S_CLUSTER_NAME", "c1")];
    let mut running = Running::start("labels-as-tags", &environment).await;
    let labels = "  name: invoice-export\n  labels: {team: data, cost-center: \"4711\"}\n";
    running.play("retries-exhausted", 1, &[("  name: invoice-export\n", labels)]);
    running.play("success-after-retry", 2, &[]);
    running.drain_after(1, 1).await;
    let intake = &running.intakes[0];
    let points = intake
        .points()
        .into_iter()
        .map(|point| (point.metric.clone(), point.tags()));
    let records = intake
        .records()
        .into_iter()
        .map(|record| (record.event_name.clone(), record.tags()));
    let all: Vec<_> = points.chain(records).collect();
    for name in ["k8s.job.failures", "k8s.job.duration", "k8s.job.finished"] {
        assert!(all.iter().any(|(found, _)| found == name), "{name} is missing");
    }
    for (name, tags) in &all {
        let is_labelled = tags.contains("kube_job:invoice-export");
        assert!(
            tags.contains("env:prod") && tags.contains("kube_cluster_name:c1"),
            "{name}: {tags:?}"
        );
        for tag in ["team:data", "cost-center:4711"] {
            assert_eq!(tags.contains(tag), is_labelled, "{name}: {tags:?}");
        }
        // A missing label gives no tag with another value.
        assert!(
            is_labelled || !tags.iter().any(|tag| tag.starts_with("team:")),
            "{name}: {tags:?}"
        );
    }
}
