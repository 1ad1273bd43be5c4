//! The pipelines of `docs/backends.md`, each through the real binary against its backend's rules.

use std::collections::BTreeSet;

use simulator::otlp_intake::profile::{DYNATRACE, GRAFANA_CLOUD, HONEYCOMB, NEW_RELIC, PROFILES, PROMETHEUS};
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, Profile, Signal};

use super::setup::{Setup, arrived, jobs, scenario, series, until};

/// The first YAML below a heading.
fn snippet(heading: &str) -> String {
    let page = include_str!("../../../docs/backends.md");
    let section = page.split(&format!("\n## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("docs/backends.md has no {heading}"));
    let yaml = section
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    yaml.unwrap_or_else(|| panic!("docs/backends.md shows no pipeline for {heading}"))
        .to_owned()
}

/// A documented pipeline and the backend it is for.
struct Tried {
    heading: &'static str,
    profile: Profile,
    /// The exporters whose endpoints are moved.
    exporters: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// The credentials that the backend requires.
    key: &'static str,
}

const TRIED: &[Tried] = &[
    Tried {
        heading: "Datadog",
        profile: DATADOG,
        exporters: &["otlp_http"],
        environment: &[("DD_API_KEY", "key")],
        key: "key",
    },
    Tried {
        heading: "New Relic",
        profile: NEW_RELIC,
        exporters: &["otlp_http"],
        environment: &[("NEW_RELIC_LICENSE_KEY", "key")],
        key: "key",
    },
    Tried {
        heading: "Dynatrace",
        profile: DYNATRACE,
        exporters: &["otlp_http"],
        environment: &[("DT_API_TOKEN", "key"), ("DT_ENVIRONMENT", "abc12345")],
        key: "key",
    },
    Tried {
        heading: "Honeycomb",
        profile: HONEYCOMB,
        exporters: &["otlp_http", "otlp_http/metrics"],
        environment: &[("HONEYCOMB_API_KEY", "key")],
        key: "key",
    },
    Tried {
        heading: "Grafana Cloud",
        profile: GRAFANA_CLOUD,
        exporters: &["otlp_http"],
        environment: &[
            ("GRAFANA_CLOUD_INSTANCE_ID", "123456"),
            ("GRAFANA_CLOUD_API_KEY", "glc_0123"),
        ],
        // `123456:glc_0123` in base64.
        key: "MTIzNDU2OmdsY18wMTIz",
    },
    Tried {
        heading: "A Prometheus that takes OTLP",
        profile: PROMETHEUS,
        exporters: &["otlp_http"],
        environment: &[],
        key: "key",
    },
];

/// The series of failures that arrived.
fn failures(intake: &OtlpIntake) -> BTreeSet<String> {
    let points = intake.points();
    let failures = points.iter().filter(|point| point.metric == "k8s.job.failures");
    failures.map(series).collect()
}

/// Runs one pipeline and returns its errors.
async fn wrong(tried: &Tried) -> Vec<String> {
    let mut setup = Setup::new(&tried.heading.replace(' ', "-")).await;
    let mut options = IntakeOptions::of(tried.profile, tried.key);
    // A self-hosted Prometheus has no key.
    options.api_key = options.api_key.filter(|_| !tried.environment.is_empty());
    let intake = OtlpIntake::start_with(options).await.unwrap();
    let endpoint = |exporter: &&str| format!("exporters.{exporter}.endpoint={}", intake.url());
    let mut set: Vec<String> = tried.exporters.iter().map(endpoint).collect();
    set.push("receivers.k8s_job.collection_interval=1s".into());
    set.push("connectors.job_metrics.interval=1s".into());
    setup.collect(&snippet(tried.heading), &set, tried.environment).await;
    let names = ["deadline-exceeded", "out-of-memory", "cron-failing"];
    let steps: Vec<_> = names
        .into_iter()
        .zip(1..)
        .flat_map(|(name, seed)| scenario(name, seed, |_| ()))
        .collect();
    let uids = jobs(&steps);
    setup.play(steps);
    if tried.profile.signals.contains(&Signal::Logs) {
        until("an event of each Job", &intake, |intake| {
            arrived(intake).is_superset(&uids)
        })
        .await;
    }
    until("a count of each failure", &intake, |intake| {
        failures(intake).len() == names.len()
    })
    .await;
    let log = setup.stop().await;
    let mut wrong = Vec::new();
    let mut check = |is_right: bool, what: String| {
        if !is_right {
            wrong.push(format!("{}: {what}", tried.heading));
        }
    };
    check(
        intake.rejected() == 0,
        format!("{} items were refused\n{log}", intake.rejected()),
    );
    check(intake.lost().is_empty(), format!("lost: {:?}", intake.lost()));
    let statuses: BTreeSet<_> = intake.attempts().iter().map(|attempt| attempt.status).collect();
    check(
        statuses.iter().all(|status| matches!(status, Some(200 | 202))),
        format!("{statuses:?}\n{log}"),
    );
    let failures = failures(&intake);
    check(failures.len() == names.len(), format!("{failures:?}"));
    wrong
}

#[tokio::test]
async fn every_documented_pipeline_is_taken_by_its_backend() {
    let mut all = Vec::new();
    for tried in TRIED {
        all.extend(wrong(tried).await);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_profile_has_a_pipeline() {
    for profile in PROFILES {
        assert!(
            TRIED.iter().any(|tried| tried.profile.name == profile.name),
            "{} is not tried",
            profile.name
        );
    }
}
