//! How often the whole collector wakes up, and its processor time, at 300 updates a second and while nothing changes. One
//! collector for each value of `watch::coalesce`; all watch the same simulated API server over TLS. Linux only: it reads
//! `/proc`. Options, after `--`: `--ticks 25ms,200ms` (default `0s,25ms`) and `--jobs N` (default 1,000).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may end with a panic"
)]

#[path = "support/arguments.rs"]
mod arguments;
mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use simulator::otlp_intake::OtlpIntake;
use simulator::{ObjectStore, Resource, Simulator, SimulatorOptions};
use support::collector::Collector;
use support::{Recorded, tls};
use tokio::time::{Instant, MissedTickBehavior};

/// The lists and watches of the receiver.
const WATCHES: usize = 8;
const PER_SECOND: u32 = 300;

/// The size of a run.
struct Scale {
    jobs: usize,
    rounds: usize,
    /// Seconds of updates in each round.
    busy: u32,
    idle: Duration,
}

/// A statistic of a process over a period.
struct Spent {
    cpu: Duration,
    switches: u64,
}

#[tokio::main]
async fn main() {
    let at_full_scale = std::env::args().any(|argument| argument == "--bench");
    let scale = match at_full_scale {
        true => Scale {
            jobs: arguments::number("--jobs").unwrap_or(1_000),
            rounds: 3,
            busy: 10,
            idle: Duration::from_secs(20),
        },
        false => Scale {
            jobs: 10,
            rounds: 1,
            busy: 1,
            idle: Duration::from_secs(1),
        },
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wakeups");
    std::fs::create_dir_all(&folder).unwrap();
    let recorded = Recorded::read();
    let store = ObjectStore::new(SimulatorOptions::default().store);
    for number in 0..scale.jobs {
        put(&store, Resource::Jobs, &recorded.running_jobs(number)[1]);
        put(&store, Resource::Pods, &recorded.running_pods(number)[1]);
    }
    let api = Simulator::start_with(SimulatorOptions::default(), store).await.unwrap();
    let intake = OtlpIntake::start(None).await.unwrap();
    let kubeconfig = folder.join("kubeconfig.yaml");
    tls::relay(api.address(), &kubeconfig).await;
    let ticks = arguments::text("--ticks").unwrap_or_else(|| "0s,25ms".into());
    let ticks: Vec<&str> = ticks.split(',').collect();
    let start = |(number, coalesce): (usize, &&str)| {
        let config = folder.join(format!("pipeline-{number}.yaml"));
        std::fs::write(&config, pipeline(&kubeconfig, &intake.url(), coalesce)).unwrap();
        Collector::start(&config, &folder.join(format!("collector-{number}.log")))
    };
    let mut collectors: Vec<Collector> = ticks.iter().enumerate().map(start).collect();
    while api.open_watches() < WATCHES * collectors.len() {
        collectors.iter_mut().for_each(Collector::assert_running);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The first seconds hold what follows a start.
    tokio::time::sleep(Duration::from_secs(5)).await;

    type Versions = fn(&Recorded, usize) -> [String; 2];
    let kinds: [(&str, Resource, Versions); 2] = [
        ("Job", Resource::Jobs, Recorded::running_jobs),
        ("Pod", Resource::Pods, Recorded::running_pods),
    ];
    for (kind, resource, versions) in kinds {
        println!("{PER_SECOND} updates of {kind}s a second, each round {} s", scale.busy);
        for _ in 0..scale.rounds {
            let before: Vec<Spent> = collectors.iter().map(spent).collect();
            let updates = update(&api, &scale, |number, version| {
                (resource, versions(&recorded, number)[version].clone())
            });
            let updates = updates.await;
            for ((collector, before), coalesce) in collectors.iter().zip(before).zip(&ticks) {
                let Spent { cpu, switches } = since(collector, &before);
                let each = cpu.as_secs_f64() * 1e6 / f64::from(updates);
                let switches = switches as f64 / f64::from(scale.busy);
                println!(
                    "  coalesce {coalesce:>5}: {each:>6.1} µs of processor time per update, {switches:>6.1} wake-ups a second"
                );
            }
        }
    }
    println!("idle, {} running Jobs, each with a Pod", scale.jobs);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..scale.rounds {
        let before: Vec<Spent> = collectors.iter().map(spent).collect();
        tokio::time::sleep(scale.idle).await;
        for ((collector, before), coalesce) in collectors.iter().zip(before).zip(&ticks) {
            let Spent { cpu, switches } = since(collector, &before);
            let share = cpu.as_secs_f64() / scale.idle.as_secs_f64() * 100.0;
            let switches = switches as f64 / scale.idle.as_secs_f64();
            println!("  coalesce {coalesce:>5}: {share:>6.3} % of a core, {switches:>4.1} wake-ups a second");
        }
    }
    prove_that_they_watched(&api, &intake, &recorded, ticks.len()).await;
}

/// Updates objects at the pace of a large cluster; returns how many.
async fn update(api: &Simulator, scale: &Scale, object: impl Fn(usize, usize) -> (Resource, String)) -> u32 {
    let updates = scale.busy * PER_SECOND;
    let mut next = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    next.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for update in 0..updates as usize {
        next.tick().await;
        let (resource, json) = object(update % scale.jobs, update / scale.jobs % 2);
        put(api.store(), resource, &json);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    updates
}

/// A Job fails, and each collector reports it.
async fn prove_that_they_watched(api: &Simulator, intake: &OtlpIntake, recorded: &Recorded, collectors: usize) {
    put(api.store(), Resource::Jobs, &recorded.failed_job(0));
    let began = Instant::now();
    while intake.records().len() < collectors {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "each collector reports the failed Job"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn spent(collector: &Collector) -> Spent {
    Spent {
        cpu: collector.cpu(),
        switches: collector.voluntary_switches(),
    }
}

fn since(collector: &Collector, before: &Spent) -> Spent {
    let now = spent(collector);
    Spent {
        cpu: now.cpu - before.cpu,
        switches: now.switches - before.switches,
    }
}

fn put(store: &ObjectStore, resource: Resource, json: &str) {
    let object: Value = serde_json::from_str(json).unwrap();
    store.put(resource, object).unwrap();
}

/// The shipped pipeline between the simulator and the intake.
fn pipeline(kubeconfig: &Path, intake: &str, coalesce: &str) -> String {
    format!(
        "receivers:
  k8s_job:
    auth_type: kubeConfig
    kubeconfig: {}
    watch: {{coalesce: {coalesce}}}
processors:
  reason_enrichment:
connectors:
  job_metrics:
exporters:
  otlp_http:
    endpoint: {intake}
service:
  pipelines:
    logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, job_metrics]}}
    metrics: {{receivers: [k8s_job, job_metrics], exporters: [otlp_http]}}
",
        kubeconfig.display()
    )
}
