//! The data of the shipped pipeline at Datadog: its tags, and that all of it is accepted.

use std::collections::BTreeSet;

use serde_json::json;
use simulator::Resource;
use simulator::otlp_intake::tags::of_resource;
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, ReceivedData, Signal};

use super::setup::{Setup, arrived, jobs, scenario, until};

const LABELS: [(&str, &str); 3] = [("env", "prod"), ("service", "seeding"), ("version", "1.2")];

/// The shipped pipeline, with traces, as its comments say.
fn pipeline() -> String {
    let shipped = include_str!("../../../pipeline.yaml");
    let mut text = String::new();
    for line in shipped.lines() {
        let uncommented = line.replacen("# ", "", 1);
        let word = uncommented.trim();
        let is_traces = ["job_traces:", "traces:", "receivers: [job_traces]"].contains(&word)
            || word.starts_with("outcomes: ")
            || text.ends_with("      receivers: [job_traces]\n") && word.starts_with("exporters: ");
        text.push_str(if is_traces { &uncommented } else { line });
        text.push('\n');
    }
    let with = text.replace(
        "exporters: [otlp_http/datadog, job_metrics]",
        "exporters: [otlp_http/datadog, job_metrics, job_traces]",
    );
    assert!(with != text && with.matches("job_traces").count() >= 3, "{with}");
    with
}

fn has(tags: &BTreeSet<String>, expected: &[&str], not: &[&str]) {
    for tag in expected {
        assert!(tags.contains(*tag), "{tag} is missing in {tags:?}");
    }
    for key in not {
        assert!(
            !tags.iter().any(|tag| tag.starts_with(&format!("{key}:"))),
            "{key} in {tags:?}"
        );
    }
}

#[tokio::test]
async fn the_strict_intake_accepts_all_with_the_expected_tags() {
    let mut setup = Setup::new("tags").await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let endpoint = format!("exporters.otlp_http/datadog.endpoint={}", intake.url());
    let set = [
        endpoint,
        "extensions.health_check.endpoint=127.0.0.1:0".into(),
        "connectors.job_metrics.interval=1s".into(),
        "receivers.k8s_job.collection_interval=1s".into(),
    ];
    let environment = [("DD_API_KEY", "key"), ("K8S_CLUSTER_NAME", "prod-1")];
    setup.collect(&pipeline(), &set, &environment).await;

    // The Job that the collector was made for, with Datadog's labels; and a CronJob.
    let mut steps = scenario("deadline-exceeded", 1, |job| {
        for (label, value) in LABELS {
            job["metadata"]["labels"][format!("tags.datadoghq.com/{label}")] = json!(value);
        }
    });
    let job = steps
        .iter()
        .find(|step| step.resource == Resource::Jobs)
        .unwrap()
        .object
        .clone();
    let (namespace, name) = (&job["metadata"]["namespace"], &job["metadata"]["name"]);
    let (namespace, name) = (
        namespace.as_str().unwrap().to_owned(),
        name.as_str().unwrap().to_owned(),
    );
    steps.extend(scenario("cron-failing", 2, |_| ()));
    let uids = jobs(&steps);
    setup.play(steps);
    until("an event of each Job", &intake, |intake| {
        arrived(intake).is_superset(&uids)
    })
    .await;
    let log = setup.stop().await;
    assert!(!log.contains("ERROR"), "{log}");

    // Accepted at the first attempt, all of it.
    assert_eq!(
        (intake.rejected(), intake.lost(), intake.violations()),
        (0, vec![], vec![])
    );
    let attempts = intake.attempts();
    assert!(
        attempts.iter().all(|attempt| matches!(attempt.status, Some(200 | 202))),
        "{attempts:#?}"
    );
    let signals: BTreeSet<Signal> = intake.received().iter().map(|received| received.signal).collect();
    assert_eq!(signals.len(), 3, "{signals:?}");

    check_points_and_events(&intake, &namespace, &name);
    check_traces(&intake, &namespace, &name);
}

/// The tags of the Job's owner at Datadog.
fn owner_tags(namespace: &str, name: &str) -> Vec<String> {
    ["env:prod", "service:seeding", "version:1.2", "kube_cluster_name:prod-1"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("kube_job:{name}"), format!("kube_namespace:{namespace}")])
        .collect()
}

fn check_points_and_events(intake: &OtlpIntake, namespace: &str, name: &str) {
    let owner = owner_tags(namespace, name);
    let owner: Vec<&str> = owner.iter().map(String::as_str).collect();
    let points = intake.points();
    let failures = points.iter().filter(|point| point.metric == "k8s.job.failures");
    let (of_cronjob, of_job): (Vec<_>, Vec<_>) =
        failures.partition(|point| point.resource.contains_key("k8s.cronjob.name"));
    let [point] = &of_job[..] else { panic!("{of_job:#?}") };
    let verdict = ["reason:deadlineexceeded", "cause:rantoolong", "category:timeout"];
    has(
        &point.tags(),
        &[&owner[..], &verdict].concat(),
        &["kube_cronjob", "host", "pod_name"],
    );
    assert!(!of_cronjob.is_empty());
    for point in of_cronjob {
        let tags = point.tags();
        has(
            &tags,
            &["kube_cluster_name:prod-1", "reason:backofflimitexceeded"],
            &["kube_job", "host", "pod_name"],
        );
        assert!(tags.iter().any(|tag| tag.starts_with("kube_cronjob:")), "{tags:?}");
    }
    for record in intake.records() {
        match record.resource.contains_key("k8s.cronjob.name") {
            true => has(&record.tags(), &["kube_cluster_name:prod-1"], &["kube_job", "host"]),
            false => has(&record.tags(), &owner, &["kube_cronjob", "host"]),
        }
    }
}

fn check_traces(intake: &OtlpIntake, namespace: &str, name: &str) {
    let owner = owner_tags(namespace, name);
    let owner: Vec<&str> = owner.iter().map(String::as_str).collect();
    let job_tag = format!("kube_job:{name}");
    for received in intake.received() {
        let ReceivedData::Traces(request) = &received.payload else {
            continue;
        };
        for resource in request
            .resource_spans
            .iter()
            .filter_map(|spans| spans.resource.as_ref())
        {
            let texts = resource.attributes.iter().map(|attribute| {
                let value = job_event::otlp::find_text(&resource.attributes, &attribute.key);
                (attribute.key.as_str(), value.unwrap_or_default())
            });
            let tags = of_resource(texts);
            assert!(tags.iter().any(|tag| tag.starts_with("service:")), "{tags:?}");
            if tags.contains(&job_tag) {
                has(&tags, &owner, &["kube_cronjob", "host"]);
            }
        }
    }
}
