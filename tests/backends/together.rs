//! Several exporters at once: one slow, one down for a while. None holds up the others, and all end with the same totals.

use std::time::Duration;

use jiff::Timestamp;
use simulator::otlp_intake::{Answer, DATADOG, Options, OtlpIntake, Signal};
use simulator::{Fate, Ids, Lives, Player};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{COUNTS, PATIENCE, Totals, World, sums, until_totals};

/// Fewer where the test runs among all others.
const JOBS: usize = if cfg!(debug_assertions) { 200 } else { 2_000 };
const SEED: u64 = 20_261_124;
/// How many Jobs have an owner of their own; the others are runs of a CronJob.
const ALONE: usize = 20;

/// What the metrics must come to.
fn expected(fates: &[(String, Fate)]) -> Totals {
    let mut totals = Totals::new();
    for (owner, fate) in fates {
        let mut add =
            |metric: &str, rest: &str, value| *totals.entry(format!("{metric} {owner} {rest}")).or_default() += value;
        let mut failed = |reason: &str, cause: &str| add("k8s.job.failures", &format!("{reason} {cause}"), 1);
        let failed_attempts = match fate {
            Fate::Fails => {
                failed("BackoffLimitExceeded", "NonZeroExit");
                1
            }
            Fate::FailsAfterRetries => {
                failed("BackoffLimitExceeded", "NonZeroExit");
                3
            }
            Fate::MissesDeadline => {
                failed("DeadlineExceeded", "RanTooLong");
                0
            }
            Fate::Succeeds => {
                add("k8s.job.completions", " ", 1);
                0
            }
            Fate::SucceedsAfterRetry => {
                add("k8s.job.completions", " ", 1);
                1
            }
            Fate::Deleted => 0,
        };
        if failed_attempts > 0 {
            add("k8s.job.attempt.failures", " NonZeroExit", failed_attempts);
        }
    }
    totals
}

/// The Jobs, all ended by now, and what became of each by owner.
fn play(world: &World) -> Vec<(String, Fate)> {
    println!("seed {SEED}, {JOBS} Jobs");
    let start = Timestamp::now() - jiff::SignedDuration::from_mins(2);
    let mut lives = Lives::new("work", 1, start, Ids::new(SEED));
    Player::new(world.simulator.store().clone(), vec![lives.cron_job()]).play_all();
    let mut fates = Vec::new();
    for number in 0..JOBS {
        let fate = Fate::ALL[number % Fate::ALL.len()];
        let name = format!("j-{number}");
        let (owner, life) = match number < ALONE {
            true => (name.clone(), lives.job(&name, fate, None, start)),
            false => ("recurring".to_owned(), lives.run(&name, fate, None, start)),
        };
        world.play(life.steps);
        fates.push((owner, fate));
    }
    fates
}

/// An address that is free now.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// What Prometheus would see.
async fn scrape(address: &str) -> String {
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

async fn start(profile: simulator::otlp_intake::Profile) -> OtlpIntake {
    OtlpIntake::start_with(Options::of(profile, "key")).await.unwrap()
}

#[tokio::test]
async fn all_exporters_end_with_the_same_totals_though_one_is_slow_and_one_is_down() {
    let mut world = World::new("together").await;
    let [proto, slow, down] = [start(DATADOG).await, start(DATADOG).await, start(DATADOG).await];
    slow.answer_all(Signal::Metrics, Some(Answer::Delay(Duration::from_millis(300))));
    down.refuse_connections(true).await;
    let otlp = |name: &str, intake: &OtlpIntake, more: &str| {
        format!(
            "  otlp_http/{name}: {{endpoint: \"{}\", headers: {{dd-api-key: key}}, {more}\n    retry_on_failure: {{initial_interval: 100ms, \
             max_interval: 200ms, max_elapsed_time: 0s}}}}\n",
            intake.url()
        )
    };
    let prometheus = free_address();
    let config = format!(
        "receivers:\n  k8s_job:\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics: {{interval: 1s}}\nexporters:\n\
         {}{}{}  prometheus: {{endpoint: \"{prometheus}\", start_at_zero: 0s, resource_to_telemetry_conversion: {{enabled: true}}}}\nservice:\n  pipelines:\n    logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [job_metrics]}}\n    \
         metrics: {{receivers: [job_metrics], exporters: [otlp_http/proto, otlp_http/slow, otlp_http/down, prometheus]}}\n",
        otlp("proto", &proto, ""),
        otlp("slow", &slow, "compression: zstd,"),
        otlp("down", &down, "compression: none,"),
    );
    world.collect(&config, &[], &[]).await;
    let expected = expected(&play(&world));
    for (name, intake) in [("the plain one", &proto), ("the slow one", &slow)] {
        until_totals(name, intake, &expected).await;
    }
    assert!(down.received().is_empty(), "nobody waited for the one that is down");
    until_scraped(&prometheus, &expected).await;
    down.refuse_connections(false).await;
    until_totals("the one that was down", &down, &expected).await;
    let log = world.stop().await;
    for intake in [&proto, &slow, &down] {
        assert_eq!(sums(intake), expected, "no more after the end\n{log}");
        assert_eq!(
            (intake.rejected(), intake.lost(), intake.violations()),
            (0, vec![], vec![])
        );
    }
}
