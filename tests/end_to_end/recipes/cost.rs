//! The number of custom metrics that `docs/recipes.md` estimates, counted at a backend with the tags of Datadog.

use std::collections::BTreeMap;

use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, PointValue};

use super::{steps, sum};
use crate::backends::setup::{Setup, to_datadog, until};

/// The custom metrics of one combination of a distribution and its tags, without percentiles.
const DISTRIBUTION: usize = 5;

/// The custom metrics by owner, of the gauges of Pods or of everything else: each combination of a name and tags is one.
fn custom_metrics(intake: &OtlpIntake, gauges: bool) -> BTreeMap<String, usize> {
    let mut combinations = BTreeMap::new();
    let points = intake.points().into_iter();
    for point in points.filter(|point| point.metric.starts_with("k8s.job.pod.") == gauges) {
        let weight = match point.value {
            PointValue::Distribution { .. } => DISTRIBUTION,
            _ => 1,
        };
        let owner = ["k8s.cronjob.name", "k8s.job.name"]
            .iter()
            .find_map(|key| point.resource.get(*key));
        let owner = owner.expect("an owner").clone();
        combinations.insert((owner, point.metric.clone(), point.tags()), weight);
    }
    let mut owners = BTreeMap::new();
    for ((owner, ..), weight) in combinations {
        *owners.entry(owner).or_default() += weight;
    }
    owners
}

#[tokio::test]
async fn custom_metrics_are_as_estimated() {
    let mut setup = Setup::new("cost").await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let set = to_datadog(&intake);
    setup
        .collect(include_str!("../../../pipeline.yaml"), &set, &[("DD_API_KEY", "key")])
        .await;

    // A Job that is not finished.
    let pending = steps("unschedulable", 1, &[]);
    let active = pending.iter().position(|step| step.object["status"]["active"] == 1);
    setup.play(pending[..=active.expect("it becomes active")].to_vec());
    // Runs and retries have no series of their own.
    for seed in 2..5 {
        setup.play(steps("success-after-retry", seed, &[]));
        setup.play(steps("cron-failing", seed, &[]));
    }
    let is_counted =
        |intake: &OtlpIntake| (sum(intake, "k8s.job.failures"), sum(intake, "k8s.job.completions")) == (3, 3);
    until("all counts", &intake, is_counted).await;
    let has_gauges = |intake: &OtlpIntake| {
        let of_cronjob = custom_metrics(intake, false).get("nightly") == Some(&10);
        of_cronjob && custom_metrics(intake, true).contains_key("train-ranker")
    };
    until("the gauges", &intake, has_gauges).await;
    setup.stop().await;

    // Each owner with an unfinished Job has five; the others have them only while a run lasts.
    assert_eq!(custom_metrics(&intake, true)["train-ranker"], 5);
    let counts = custom_metrics(&intake, false);
    let completed = ("currency-rates".to_owned(), 1 + DISTRIBUTION + 1);
    // Three gauges of a CronJob; the fourth, the age of its last success, needs one.
    let failed = ("nightly".to_owned(), 1 + DISTRIBUTION + 1 + 3);
    assert_eq!(counts, BTreeMap::from([completed, failed]));
}
