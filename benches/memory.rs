//! The whole collector beside a simulated API server: resident memory and time of the first list with very many Jobs,
//! and processor time per update. Linux only: it reads `/proc`.
//!
//! `-- --jobs N` measures the memory of N unfinished Jobs alone, `-- --finished N` of N finished ones, and `-- --owners N`
//! the gauges of N owners.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may end with a panic"
)]

#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/owners.rs"]
mod owners;
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::otlp_intake::OtlpIntake;
use simulator::{ObjectStore, Resource, Simulator, SimulatorOptions, Verb};
use support::collector::Collector;
use support::{Recorded, http};
use tokio::task::spawn_blocking;

/// Updates of Jobs, and then of Pods, over which processor time is measured.
const UPDATES: usize = 20_000;
/// The lists and watches of the receiver: CronJobs, Jobs, Pods, Events of Jobs, of Pods (two) and of nodes.
const WATCHES: usize = 8;
/// How many updates a second the busy cluster makes; the kubelets and the Job controller of a large one do not make more.
const PER_SECOND: u32 = 1_000;

#[tokio::main]
async fn main() {
    let at_full_scale = std::env::args().any(|argument| argument == "--bench");
    let (scales, updates, owners): (&[usize], _, _) = if at_full_scale {
        (&[10_000, 100_000], UPDATES, 50_000)
    } else {
        (&[100], 200, 100)
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory");
    std::fs::create_dir_all(&folder).unwrap();
    let mut is_whole = true;
    for (option, kind) in [
        ("--jobs", Load::Unfinished),
        ("--finished", Load::Finished),
        ("--owners", Load::Owners),
    ] {
        if let Some(jobs) = arguments::number(option) {
            is_whole = false;
            match kind {
                Load::Owners => owners::measure(&folder, jobs).await,
                _ => only_listed(&folder, jobs, kind).await,
            }
        }
    }
    if !is_whole {
        return;
    }
    owners::measure(&folder, owners).await;
    let empty = measure(&folder, 0, 0).await;
    println!("no Jobs: VmRSS {} KiB", empty.resident);
    let mut last = (0, empty.resident);
    for jobs in scales.iter().copied() {
        let Measured { resident } = measure(&folder, jobs, updates).await;
        let slope = (resident as i64 - last.1 as i64) * 1024 / (jobs - last.0) as i64;
        println!("  resident per Job with its Pod, over {} Jobs: {slope} bytes", last.0);
        last = (jobs, resident);
    }
}

struct Measured {
    /// `VmRSS` after the first list, KiB.
    resident: u64,
}

/// The Jobs of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// Each runs, with a Pod.
    Unfinished,
    /// Each has failed, without a Pod.
    Finished,
    /// As unfinished ones; each is its own owner.
    Owners,
}

/// The memory after the first list, and its maximum until then.
async fn only_listed(folder: &Path, jobs: usize, load: Load) {
    let recorded = Recorded::read();
    let (api, intake, config) = cluster(folder, jobs, load, "1h", &recorded).await;
    let began = Instant::now();
    let mut collector = Collector::start(&config, &folder.join(format!("collector-{load:?}-{jobs}.log")));
    until_watching(&api, &mut collector).await;
    let listed = began.elapsed();
    collector.rest();
    println!(
        "{jobs} Jobs, {load:?}: VmRSS {} KiB, VmHWM {} KiB; first list {:.2} s, {:.2} s of processor time",
        collector.kib("VmRSS"),
        collector.kib("VmHWM"),
        listed.as_secs_f64(),
        collector.cpu().as_secs_f64(),
    );
    drop(collector);
    api.shutdown().await;
    intake.shutdown().await;
}

/// Waits until every first list is complete.
async fn until_watching(api: &Simulator, collector: &mut Collector) {
    while api.open_watches() < WATCHES {
        collector.assert_running();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A cluster of this many Jobs, an intake, and the configuration of a collector between them.
async fn cluster(
    folder: &Path,
    jobs: usize,
    load: Load,
    interval: &str,
    recorded: &Recorded,
) -> (Simulator, OtlpIntake, PathBuf) {
    let options = SimulatorOptions::default();
    let store = ObjectStore::new(options.store.clone());
    for number in 0..jobs {
        let create = |resource, json: &str| store.create(resource, object(json)).unwrap();
        if load == Load::Finished {
            create(Resource::Jobs, &recorded.failed_job(number));
            continue;
        }
        create(Resource::Jobs, &recorded.running_jobs(number)[1]);
        create(Resource::Pods, &recorded.running_pods(number)[1]);
    }
    let api = Simulator::start_with(options, store).await.unwrap();
    let intake = OtlpIntake::start(None).await.unwrap();
    let config = folder.join("pipeline.yaml");
    let kubeconfig = folder.join("kubeconfig.yaml");
    api.write_kubeconfig(&kubeconfig).unwrap();
    std::fs::write(&config, pipeline(&kubeconfig, &intake.url(), interval)).unwrap();
    (api, intake, config)
}

async fn measure(folder: &Path, jobs: usize, updates: usize) -> Measured {
    let recorded = Recorded::read();
    let (api, intake, config) = cluster(folder, jobs, Load::Unfinished, "1h", &recorded).await;

    let began = Instant::now();
    let mut collector = Collector::start(&config, &folder.join(format!("collector-{jobs}.log")));
    until_watching(&api, &mut collector).await;
    let listed = began.elapsed();
    collector.rest();
    let listed_cpu = collector.cpu();
    let resident = collector.kib("VmRSS");
    if jobs == 0 {
        return Measured { resident };
    }
    println!("{jobs} Jobs, each with a Pod that runs");
    println!("  VmRSS {resident} KiB, VmHWM {} KiB", collector.kib("VmHWM"));
    let (served, bytes) = serve_again(&api).await;
    println!(
        "  first list {:.2} s from the start of the process, {:.2} s of processor time; the same {:.0} MiB \
         read by a client that does nothing: {:.2} s",
        listed.as_secs_f64(),
        listed_cpu.as_secs_f64(),
        bytes as f64 / 1024.0 / 1024.0,
        served.as_secs_f64(),
    );

    type Versions = fn(&Recorded, usize) -> [String; 2];
    let kinds: [(&str, Resource, Versions); 2] = [
        ("Job", Resource::Jobs, Recorded::running_jobs),
        ("Pod", Resource::Pods, Recorded::running_pods),
    ];
    for (kind, resource, versions) in kinds {
        for (pace, wait) in [
            ("at once", None),
            ("1,000 a second", Some(Duration::from_secs(1) / PER_SECOND)),
        ] {
            collector.rest();
            let before = collector.cpu();
            let mut next = tokio::time::interval(wait.unwrap_or(Duration::from_nanos(1)));
            for update in 0..updates {
                let number = update % jobs;
                let version = &versions(&recorded, number)[update / jobs % 2];
                api.store().put(resource, object(version)).unwrap();
                match wait {
                    Some(_) => drop(next.tick().await),
                    // The bounded window of changes must not overtake the watch.
                    None if update % 1_000 == 999 => tokio::time::sleep(Duration::from_millis(20)).await,
                    None => {}
                }
            }
            collector.rest();
            let each = (collector.cpu() - before) / u32::try_from(updates).unwrap();
            println!(
                "  {updates} updates of {kind}s {pace}: {:.1} µs of processor time each",
                each.as_nanos() as f64 / 1e3
            );
        }
    }
    prove_that_it_watched(&api, &intake, &recorded).await;
    println!(
        "  after that: VmRSS {} KiB, VmHWM {} KiB",
        collector.kib("VmRSS"),
        collector.kib("VmHWM")
    );
    drop(collector);
    api.shutdown().await;
    intake.shutdown().await;
    Measured { resident }
}

/// A Job fails, and its event arrives: the collector watched all the time and did not restart.
async fn prove_that_it_watched(api: &Simulator, intake: &OtlpIntake, recorded: &Recorded) {
    let lists = lists(api).len();
    api.store()
        .put(Resource::Jobs, object(&recorded.failed_job(0)))
        .unwrap();
    let arrived = async {
        while intake.records().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), arrived)
        .await
        .expect("the event of a failed Job arrives");
    assert_eq!(lists, self::lists(api).len());
}

/// Asks for every first list once more, one after the other as the receiver does, and throws it away.
async fn serve_again(api: &Simulator) -> (Duration, usize) {
    let (server, lists) = (api.address(), lists(api));
    spawn_blocking(move || {
        let began = Instant::now();
        let bytes = lists.iter().map(|list| http::get(server, list)).sum();
        (began.elapsed(), bytes)
    })
    .await
    .unwrap()
}

/// Every requested list: each page, and each stream.
fn lists(api: &Simulator) -> Vec<String> {
    let requests = api.requests().into_iter();
    let lists = requests.filter(|r| r.verb == Some(Verb::List) || r.query.contains("sendInitialEvents=true"));
    lists
        .map(|request| format!("{}?{}", request.path, request.query))
        .collect()
}

fn object(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// The shipped pipeline with the simulator at both ends. `interval`: how often the state gauges are sent.
fn pipeline(kubeconfig: &Path, intake: &str, interval: &str) -> String {
    format!(
        "receivers:
  k8s_job:
    auth_type: kubeConfig
    kubeconfig: {}
    collection_interval: {interval}
    # Every owner has its own gauges; the default keeps 2,000 series and adds up the others.
    cardinality_limit: 0
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
