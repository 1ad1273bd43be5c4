//! Recipes that change the identity of what is sent: tags and series.

use std::collections::BTreeSet;

use simulator::otlp_intake::OtlpIntake;

use super::{Running, events, sum};

fn tags_of_all(intake: &OtlpIntake) -> Vec<BTreeSet<String>> {
    let points = intake.points().into_iter().map(|point| point.tags());
    points
        .chain(intake.records().into_iter().map(|record| record.tags()))
        .collect()
}

#[tokio::test]
async fn env_and_team_are_tags_of_everything() {
    let mut running = Running::start("env-and-team", &[]).await;
    running.play("retries-exhausted", 1, &[]);
    // The label of a Job takes precedence: `insert` changes nothing.
    let labels = "  name: currency-rates\n  labels: {tags.datadoghq.com/env: dev}\n";
    running.play("success-after-retry", 2, &[("  name: currency-rates\n", labels)]);
    running.drain_after(1, 1).await;
    let intake = &running.intakes[0];
    let all = tags_of_all(intake);
    assert!(all.len() > 4, "{all:?}");
    for tags in &all {
        let env = if tags.contains("kube_job:currency-rates") {
            "env:dev"
        } else {
            "env:prod"
        };
        for tag in [env, "team:data-platform"] {
            assert!(tags.contains(tag), "{tag} is missing in {tags:?}");
        }
    }
}

#[tokio::test]
async fn counts_per_namespace_lose_no_job() {
    let mut running = Running::start("counts-per-namespace", &[]).await;
    let names = ["a", "b", "c"];
    for (name, seed) in names.iter().zip(1..) {
        let renamed = format!("name: invoice-export-{name}");
        running.play("retries-exhausted", seed, &[("name: invoice-export", &renamed)]);
    }
    running.play("success-after-retry", 9, &[]);
    running.drain_after(3, 1).await;
    let intake = &running.intakes[0];
    assert_eq!(sum(intake, "k8s.job.attempt.failures"), 10);
    let resources: BTreeSet<String> = intake
        .points()
        .iter()
        .map(|point| format!("{:?}", point.resource))
        .collect();
    let expected = r#"{"k8s.namespace.name": "billing", "service.name": "jobs"}"#;
    assert_eq!(resources.into_iter().collect::<Vec<_>>(), [expected]);
    // Events still name their owner.
    assert!(
        intake
            .records()
            .iter()
            .all(|record| record.resource.contains_key("k8s.job.name"))
    );
    assert_eq!(events(intake).len(), 2);
}
