//! Jobs that operators create under random names, at Datadog: their owners have the series.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake};
use simulator::{Resource, SimulatorOptions};

use super::series::{count, failed_job};
use super::setup::{Setup, until};

const JOBS: usize = 10_000;
/// The characters of generated names (`staging/src/k8s.io/apimachinery/pkg/util/rand/rand.go`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

fn random_end(n: usize) -> String {
    let mut rest = n.wrapping_mul(7_368_787) % 14_348_907;
    let character = |_| {
        let at = rest % ALPHABET.len();
        rest /= ALPHABET.len();
        char::from(ALPHABET[at])
    };
    (0..5).map(character).collect()
}

/// A Job as KEDA creates it. Every other one exceeds its deadline, and every hundredth one still runs.
fn of_scaled_job(n: usize) -> Value {
    let mut job = failed_job(n);
    job["metadata"]["generateName"] = "etl-".into();
    job["metadata"]["name"] = format!("etl-{}", random_end(n)).into();
    job["metadata"]["ownerReferences"] = owner("keda.sh/v1alpha1", "ScaledJob", "etl");
    if n.is_multiple_of(2) {
        for condition in job["status"]["conditions"].as_array_mut().unwrap() {
            condition["reason"] = "DeadlineExceeded".into();
        }
        job["spec"]["activeDeadlineSeconds"] = 10.into();
    }
    job
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": "00000000-0000-0000-0001-000000000000",
        "controller": true, "blockOwnerDeletion": true}])
}

fn pipeline(intake: &OtlpIntake, owner: &str) -> String {
    format!(
        "receivers:\n  k8s_job:\n    cluster_name: c1\n    on_first_start: report_finished\n    collection_interval: 1s\n    \
         owner: {owner}\nprocessors:\n  reason_enrichment: {{keep_evidence: false}}\nconnectors:\n  job_metrics: {{interval: \
         1s}}\nexporters:\n  otlp_http: {{endpoint: \"{}\", headers: {{dd-api-key: key}}, sending_queue: {{batch: {{}}}}}}\nservice:\n  pipelines:\n    logs: \
         {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, job_metrics]}}\n    metrics: \
         {{receivers: [k8s_job, job_metrics], exporters: [otlp_http]}}\n",
        intake.url()
    )
}

/// The data that has arrived so far.
#[derive(Default)]
struct Tally {
    requests: usize,
    failures: usize,
    events: usize,
    has_gauges: bool,
}

impl Tally {
    fn update(&mut self, intake: &OtlpIntake) {
        for received in intake.received_after(self.requests) {
            self.requests += 1;
            for point in received.payload.points() {
                match &*point.metric {
                    "k8s.job.failures" => self.failures += count(&point),
                    "k8s.job.pod.active" => self.has_gauges = true,
                    _ => {}
                }
            }
            let records = received.payload.records().into_iter();
            self.events += records.filter(|record| record.event_name == "k8s.job.finished").count();
        }
    }
}

/// Collects these Jobs until the counts and events of the finished ones have arrived.
async fn collect(name: &str, jobs: Vec<Value>, owner: &str) -> OtlpIntake {
    let mut setup = Setup::with(name, SimulatorOptions::default()).await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let is_finished = |job: &&Value| !job["status"]["conditions"].is_null();
    let finished = jobs.iter().filter(is_finished).count();
    let runs = finished < jobs.len();
    for job in jobs {
        setup.simulator.store().put(Resource::Jobs, job).unwrap();
    }
    setup.collect(&pipeline(&intake, owner), &[], &[]).await;
    let tally = RefCell::new(Tally::default());
    until("all counts, events and gauges", &intake, |intake| {
        let mut tally = tally.borrow_mut();
        tally.update(intake);
        (tally.failures, tally.events, tally.has_gauges || !runs) == (finished, finished, true)
    })
    .await;
    let log = setup.stop().await;
    assert_eq!(
        (intake.rejected(), intake.lost(), intake.violations()),
        (0, vec![], vec![]),
        "{log}"
    );
    intake
}

#[tokio::test]
async fn ten_thousand_jobs_of_a_scaled_job_are_one_owner() {
    let mut jobs: Vec<Value> = (0..JOBS).map(of_scaled_job).collect();
    let names: BTreeSet<String> = jobs.iter().map(|job| job["metadata"]["name"].to_string()).collect();
    assert_eq!(names.len(), JOBS);
    for n in JOBS..JOBS + 100 {
        let mut running = of_scaled_job(n);
        running["status"] = json!({"active": 1, "startTime": running["status"]["startTime"]});
        jobs.push(running);
    }
    let intake = collect("owners", jobs, "{}").await;

    let owner = [
        ("k8s.cluster.name", "c1"),
        ("k8s.namespace.name", "shop"),
        ("kube_ownerref_kind", "ScaledJob"),
        ("kube_ownerref_name", "etl"),
        ("service.name", "etl"),
    ];
    let owner: BTreeMap<String, String> = owner.map(|(key, value)| (key.into(), value.into())).into();
    let mut series: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for point in intake.points() {
        assert_eq!(point.resource, owner, "{}", point.metric);
        let is_count = !point.metric.starts_with("k8s.job.pod.") && point.metric != "k8s.job.stalled";
        let all = series.entry(point.metric.clone()).or_default();
        *all.entry(format!("{:?}", point.attributes)).or_default() += if is_count { count(&point) } else { 0 };
    }
    for (metric, expected) in [
        ("k8s.job.failures", vec![JOBS / 2, JOBS / 2]),
        ("k8s.job.duration", vec![JOBS / 2, JOBS / 2]),
        ("k8s.job.pod.active", vec![0]),
        ("k8s.job.pod.max_parallel", vec![0]),
    ] {
        let found: Vec<usize> = series[metric].values().copied().collect();
        assert_eq!(found, expected, "{metric}: {:?}", series[metric]);
    }
    let owner: BTreeMap<String, Value> = owner.into_iter().map(|(key, value)| (key, json!(value))).collect();
    for record in intake.records() {
        assert_eq!(record.resource, owner, "{}", record.event_name);
        assert_eq!(record.attributes["k8s.job.owner.rule"], "controller");
        let name = record.attributes["k8s.job.name"].to_string();
        assert!(
            names.contains(&name) || record.event_name != "k8s.job.finished",
            "{name}"
        );
    }
}

#[tokio::test]
async fn rules_group_jobs_by_label_kind_and_prefix() {
    let job = |n: usize, name: &str, change: &dyn Fn(&mut Value)| {
        let mut job = failed_job(n);
        job["metadata"]["name"] = name.into();
        change(&mut job["metadata"]);
        job
    };
    let workflow = |name: &'static str| {
        move |metadata: &mut Value| metadata["ownerReferences"] = owner("argoproj.io/v1alpha1", "Workflow", name)
    };
    let label = |metadata: &mut Value| metadata["labels"] = json!({"app.kubernetes.io/instance": "shop-prod"});
    let hook = |metadata: &mut Value| metadata["generateName"] = "db-migrate-".into();
    let in_jobset = |metadata: &mut Value| {
        metadata["ownerReferences"] = owner("jobset.x-k8s.io/v1alpha2", "JobSet", "train");
        metadata["labels"] = json!({"jobset.sigs.k8s.io/jobset-name": "train",
            "jobset.sigs.k8s.io/replicatedjob-name": "workers", "jobset.sigs.k8s.io/job-index": "3",
            "jobset.sigs.k8s.io/restart-attempt": "1"});
    };
    let jobs = vec![
        job(1, "build-x7k2p-step", &workflow("build-x7k2p")),
        job(2, "build-9fkcl-step", &workflow("build-9fkcl")),
        job(3, "report-a", &label),
        job(4, "report-b", &label),
        job(5, "db-migrate-3f9a1c2-presync-1764381814", &hook),
        job(6, "import-17", &|_| ()),
        job(7, "train-workers-3", &in_jobset),
        job(8, "once", &|_| ()),
    ];
    let rules = "{rules: [{kind: Workflow, match: '^(.+)-[a-z0-9]{5}$', name: $1}, {label: app.kubernetes.io/instance}, \
                 {match: '^(import|export)-[0-9]+$', name: '$${1}s', namespace: ^shop$}]}";
    let intake = collect("owner-rules", jobs, rules).await;

    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for point in intake
        .points()
        .iter()
        .filter(|point| point.metric == "k8s.job.failures")
    {
        let name = |key: &str| point.resource.get(key).cloned().unwrap_or_default();
        let owner = format!(
            "{}/{}{}",
            name("kube_ownerref_kind"),
            name("kube_ownerref_name"),
            name("k8s.job.name")
        );
        *owners.entry(owner).or_default() += count(point);
    }
    let expected = [
        ("/db-migrate", 1),
        ("/imports", 1),
        ("/once", 1),
        ("/shop-prod", 2),
        ("JobSet/train", 1),
        ("Workflow/build", 2),
    ];
    assert_eq!(owners, expected.map(|(owner, count)| (owner.to_owned(), count)).into());

    let records = intake.records();
    let record = records
        .iter()
        .find(|record| record.attributes["k8s.job.name"] == "train-workers-3");
    let attributes = &record.unwrap().attributes;
    for (key, expected) in [
        ("k8s.job.owner.rule", "controller"),
        ("k8s.job.owner.kind", "JobSet"),
        ("k8s.job.owner.name", "train"),
        ("k8s.jobset.name", "train"),
        ("k8s.jobset.replicated_job.name", "workers"),
    ] {
        assert_eq!(attributes[key], expected, "{key}");
    }
    assert_eq!(attributes["k8s.jobset.job.index"], 3, "{attributes:?}");
    assert_eq!(attributes["k8s.jobset.restart_attempt"], 1);
}
