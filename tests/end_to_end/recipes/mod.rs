//! The recipes of `docs/recipes.md`: each file runs between a simulated cluster and backends with the rules of Datadog.

mod cost;
mod identity;
mod routing;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, PointValue};
use simulator::{Ids, Scenario, TimelineStep};

use crate::backends::setup::{Setup, until};

/// The recipes and the exporter or exporters of each.
const RECIPES: [(&str, &[&str]); 9] = [
    ("counts-per-namespace", &["otlp_http"]),
    ("env-and-team", &["otlp_http/datadog"]),
    ("failures-to-logs", &["otlp_http/datadog"]),
    ("labels-as-tags", &["otlp_http/datadog"]),
    ("team-by-label", &["otlp_http/platform", "otlp_http/payments"]),
    ("tenants", &["otlp_http/payments", "otlp_http/others"]),
    ("three-metrics", &["otlp_http"]),
    ("without-personal-data", &["otlp_http"]),
    ("without-succeeded", &["otlp_http"]),
];

fn text(recipe: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/recipes/{recipe}.yaml"));
    std::fs::read_to_string(file).expect("the recipe")
}

/// A recipe that runs.
struct Running {
    setup: Setup,
    /// The backend of each exporter, in the order of [`RECIPES`].
    intakes: Vec<OtlpIntake>,
}

impl Running {
    async fn start(recipe: &str, environment: &[(&str, &str)]) -> Running {
        let (_, exporters) = RECIPES.iter().find(|(name, _)| *name == recipe).expect("a recipe");
        let mut set = vec!["receivers.k8s_job.collection_interval=1s".to_owned()];
        set.push("connectors.job_metrics.interval=1s".to_owned());
        let mut intakes = Vec::new();
        for exporter in *exporters {
            let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
            set.push(format!("exporters.{exporter}.endpoint={}", intake.url()));
            set.push(format!("exporters.{exporter}.headers.dd-api-key=key"));
            intakes.push(intake);
        }
        let mut setup = Setup::new(recipe).await;
        let mut variables = vec![("DD_API_KEY", "key")];
        variables.extend(environment);
        setup.collect(&text(recipe), &set, &variables).await;
        Running { setup, intakes }
    }

    /// Waits until the first backend has these counts of failures and completions, then drains the collector.
    async fn drain_after(&mut self, failures: i64, completions: i64) {
        let is_counted = |intake: &OtlpIntake| {
            (sum(intake, "k8s.job.failures"), sum(intake, "k8s.job.completions")) == (failures, completions)
        };
        until("all counts", &self.intakes[0], is_counted).await;
        let log = self.setup.stop().await;
        assert!(!log.contains("ERROR"), "{log}");
        for intake in &self.intakes {
            assert_eq!(
                (intake.rejected(), intake.lost(), intake.violations()),
                (0, vec![], vec![]),
                "{log}"
            );
        }
    }

    /// Plays a scenario whose text is changed first: each pair is an old text and the new one.
    fn play(&self, scenario: &str, seed: u64, changes: &[(&str, &str)]) {
        self.setup.play(steps(scenario, seed, changes));
    }
}

fn steps(scenario: &str, seed: u64, changes: &[(&str, &str)]) -> Vec<TimelineStep> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("simulator/scenarios/{scenario}.yaml"));
    let mut text = std::fs::read_to_string(file).expect("a scenario");
    for (old, new) in changes {
        assert!(text.contains(old), "{scenario} lacks {old:?}");
        text = text.replace(old, new);
    }
    let start = Timestamp::now() - SignedDuration::from_mins(1);
    Scenario::parse(&text)
        .expect("valid")
        .timeline(start, &mut Ids::new(seed))
}

/// The sum of all points of a metric.
fn sum(intake: &OtlpIntake, metric: &str) -> i64 {
    let points = intake.points().into_iter().filter(|point| point.metric == metric);
    points
        .map(|point| match point.value {
            PointValue::Int(value) => value,
            other => panic!("{metric}: {other:?}"),
        })
        .sum()
}

/// `event outcome` of each log.
fn events(intake: &OtlpIntake) -> BTreeSet<String> {
    let outcome =
        |outcome: Option<&serde_json::Value>| outcome.and_then(|it| it.as_str()).unwrap_or_default().to_owned();
    let records = intake.records().into_iter();
    records
        .map(|record| {
            format!(
                "{} {}",
                record.event_name,
                outcome(record.attributes.get("k8s.job.outcome"))
            )
        })
        .collect()
}

#[test]
fn every_recipe_is_on_the_page_and_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/recipes.md")).expect("the page");
    let files = std::fs::read_dir(root.join("docs/recipes")).expect("the folder");
    let files: BTreeSet<String> = files
        .map(|file| {
            file.expect("a file")
                .path()
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(files, RECIPES.iter().map(|(name, _)| (*name).to_owned()).collect());
    for recipe in &files {
        assert!(
            page.contains(&format!("```yaml\n{}```", text(recipe))),
            "docs/recipes.md differs from {recipe}.yaml"
        );
        assert!(
            page.contains(&format!("(recipes/{recipe}.yaml)")),
            "docs/recipes.md has no link to {recipe}.yaml"
        );
    }
}
