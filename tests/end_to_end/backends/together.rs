//! Several exporters at once: one slow, one down for a while. None blocks the others, and all end with the same totals.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use simulator::otlp_intake::profile::{GRAFANA_CLOUD, HONEYCOMB};
use simulator::otlp_intake::{
    DATADOG, IntakeOptions, OtlpIntake, PointValue, Profile, ScriptedReply, Signal, Temporality,
};
use simulator::{Ending, Ids, JobGenerator, Player};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::setup::{COUNTS, PATIENCE, Setup, Totals, series, sums, until_totals};

/// Fewer where the test runs among all others.
const JOBS: usize = if cfg!(debug_assertions) { 200 } else { 2_000 };
const SEED: u64 = 20_261_124;
/// How many are played at once.
const PORTION: usize = 250;
/// How many Jobs have an owner of their own; the others are runs of a CronJob.
const ALONE: usize = 20;

/// The expected totals.
fn expected(endings: &[(String, Ending)]) -> Totals {
    let mut totals = Totals::new();
    for (owner, ending) in endings {
        let mut add =
            |metric: &str, rest: &str, value| *totals.entry(format!("{metric} {owner} {rest}")).or_default() += value;
        let mut failed = |reason: &str, cause: &str| add("k8s.job.failures", &format!("{reason} {cause}"), 1);
        let failed_attempts = match ending {
            Ending::Failed => {
                failed("BackoffLimitExceeded", "NonZeroExit");
                1
            }
            Ending::RetriesExhausted => {
                failed("BackoffLimitExceeded", "NonZeroExit");
                3
            }
            Ending::DeadlineExceeded => {
                failed("DeadlineExceeded", "RanTooLong");
                0
            }
            Ending::Succeeded => {
                add("k8s.job.completions", " ", 1);
                0
            }
            Ending::SucceededAfterRetry => {
                add("k8s.job.completions", " ", 1);
                1
            }
            Ending::Deleted => 0,
        };
        if failed_attempts > 0 {
            add("k8s.job.attempt.failures", " NonZeroExit", failed_attempts);
        }
    }
    totals
}

/// Plays the Jobs, all of which have ended by now, and returns the expected totals of their metrics.
///
/// All Jobs at once exceed the window of a watch; a watch that lags behind sees only the last state of a Job. So they
/// are played in portions, each once `intake` has the counts of the previous one.
async fn play(setup: &Setup, intake: &OtlpIntake) -> Totals {
    println!("seed {SEED}, {JOBS} Jobs");
    let start = Timestamp::now() - jiff::SignedDuration::from_mins(2);
    let mut lives = JobGenerator::new("work", 1, start, Ids::new(SEED));
    Player::new(setup.simulator.store().clone(), vec![lives.cron_job()]).play_all();
    let mut endings = Vec::new();
    for number in 0..JOBS {
        let ending = Ending::ALL[number % Ending::ALL.len()];
        let name = format!("j-{number}");
        let (owner, life) = match number < ALONE {
            true => (name.clone(), lives.job(&name, ending, None, start)),
            false => ("recurring".to_owned(), lives.run(&name, ending, None, start)),
        };
        setup.play(life.steps);
        endings.push((owner, ending));
        if endings.len() % PORTION == 0 || endings.len() == JOBS {
            until_totals("protobuf", intake, sums, &expected(&endings)).await;
        }
    }
    expected(&endings)
}

/// An address that is free now.
pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The totals that Prometheus scrapes.
pub(super) async fn scrape(address: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The totals in an exposition.
fn totals(exposition: &str) -> Totals {
    let mut totals = Totals::new();
    for metric in COUNTS {
        let name = format!("{}_total{{", metric.replace('.', "_"));
        for line in exposition.lines().filter_map(|line| line.strip_prefix(&name)) {
            let (labels, value) = line.split_once("} ").unwrap();
            let label = |name: &str| {
                let start = labels.split(&format!("{name}=\"")).nth(1);
                start.and_then(|rest| rest.split('"').next()).unwrap_or_default()
            };
            let owner = [label("k8s_cronjob_name"), label("k8s_job_name")].concat();
            let value = value.split(' ').next().unwrap().parse::<f64>().unwrap() as i64;
            totals.insert(
                format!("{metric} {owner} {} {}", label("reason"), label("cause")),
                value,
            );
        }
    }
    totals
}

/// Scrapes until it shows these totals.
async fn until_scraped(address: &str, expected: &Totals) {
    let scraping = async { while totals(&scrape(address).await) != *expected {} };
    if tokio::time::timeout(PATIENCE, scraping).await.is_err() {
        panic!("{}\nexpected {expected:#?}", scrape(address).await);
    }
}

async fn start(profile: Profile) -> OtlpIntake {
    OtlpIntake::start_with(IntakeOptions::of(profile, "key")).await.unwrap()
}

/// The sum of totals: the latest of each series and start time.
fn latest(intake: &OtlpIntake) -> Totals {
    let mut latest = BTreeMap::new();
    for point in intake.points().iter().filter(|point| COUNTS.contains(&&*point.metric)) {
        assert_eq!(point.temporality, Some(Temporality::Cumulative), "{point:?}");
        let PointValue::Int(value) = point.value else {
            panic!("{point:?} is not a count")
        };
        let place = latest.entry((series(point), point.start_unix_nano)).or_insert((0, 0));
        *place = (*place).max((point.time_unix_nano, value));
    }
    let mut totals = Totals::new();
    for ((series, _), (_, value)) in latest {
        *totals.entry(series).or_default() += value;
    }
    totals
}

/// The pipeline: five exporters of the same metrics. Pods arrive over another watch than their Jobs, and hundreds of
/// Jobs at once keep both busy, so evidence has more time to arrive.
fn pipeline([proto, json, grpc, cumulative]: [&OtlpIntake; 4], prometheus: &str) -> String {
    let retry = "retry_on_failure: {initial_interval: 100ms, max_interval: 200ms, max_elapsed_time: 0s}";
    let http = |name: &str, intake: &OtlpIntake, more: &str| {
        let url = intake.url();
        format!("  otlp_http/{name}: {{endpoint: \"{url}\", {retry}, {more}}}\n")
    };
    let grpc = grpc.grpc_address();
    [
        "receivers:\n  k8s_job: {settle_time: 5s}\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics: {interval: 1s}\nexporters:\n".into(),
        http("proto", proto, "headers: {dd-api-key: key}"),
        http("json", json, "headers: {dd-api-key: key}, encoding: json, compression: zstd"),
        format!("  otlp_grpc: {{endpoint: \"http://{grpc}\", {retry}, headers: {{x-honeycomb-team: key}}}}\n"),
        http("totals", cumulative, "headers: {authorization: Basic key}, temporality: cumulative"),
        format!("  prometheus: {{endpoint: \"{prometheus}\", start_at_zero: 0s, resource_to_telemetry_conversion: {{enabled: true}}}}\n"),
        "service:\n  pipelines:\n    logs: {receivers: [k8s_job], processors: [reason_enrichment], exporters: [job_metrics]}\n    metrics:\n      \
         receivers: [job_metrics]\n      exporters: [otlp_http/proto, otlp_http/json, otlp_grpc, otlp_http/totals, prometheus]\n"
            .into(),
    ]
    .concat()
}

#[tokio::test]
async fn five_exporters_end_with_the_same_totals_though_one_is_slow_and_one_is_down() {
    let mut setup = Setup::new("together").await;
    let [proto, json] = [start(DATADOG).await, start(DATADOG).await];
    let [grpc, cumulative] = [start(HONEYCOMB).await, start(GRAFANA_CLOUD).await];
    let prometheus = free_address();
    json.answer_all(Signal::Metrics, Some(ScriptedReply::Delay(Duration::from_millis(300))));
    grpc.refuse_connections(true).await;
    let config = pipeline([&proto, &json, &grpc, &cumulative], &prometheus);
    setup.collect(&config, &[], &[]).await;
    // Four backends have all data while one is down: no exporter waits for it.
    let expected = play(&setup, &proto).await;
    until_totals("totals", &cumulative, latest, &expected).await;
    until_totals("JSON, slowly", &json, sums, &expected).await;
    until_scraped(&prometheus, &expected).await;
    assert!(grpc.received().is_empty());
    grpc.refuse_connections(false).await;
    until_totals("gRPC, which was down", &grpc, sums, &expected).await;
    let log = setup.stop().await;
    for (intake, totals) in [
        (&proto, sums as fn(&OtlpIntake) -> Totals),
        (&json, sums),
        (&grpc, sums),
        (&cumulative, latest),
    ] {
        assert_eq!(totals(intake), expected, "no more after the end\n{log}");
        assert_eq!((intake.rejected(), intake.lost()), (0, vec![]));
    }
    for intake in [&proto, &json] {
        assert_eq!(intake.violations(), []);
    }
}
