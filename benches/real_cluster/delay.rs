//! From the failure of a Job, as the API server accepts it, to its event at the backend.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::control_plane::jobs::{PlayedJob, create_namespace};
use crate::reader::{Kind, Reader};

const NAMESPACE: &str = "delay";
/// The time between two failures.
const EVERY: Duration = Duration::from_millis(50);

/// Lets Jobs fail one after another and prints the quantiles.
pub(crate) async fn measure(bench: &Bench, jobs: usize) {
    let admin = bench.plane.admin();
    create_namespace(&admin, NAMESPACE).await;
    let reader = Reader::start(bench, Kind::Collector).await;
    let mut arrivals = bench.intake.subscribe();
    let collecting = tokio::spawn(async move {
        let mut arrived: HashMap<String, Instant> = HashMap::new();
        while arrived.len() < jobs {
            let received = arrivals.recv().await.unwrap();
            let now = Instant::now();
            for record in received.payload.records() {
                if record.resource.get("k8s.namespace.name").and_then(|name| name.as_str()) == Some(NAMESPACE) {
                    let uid = record.attributes["k8s.job.uid"].as_str().unwrap().to_owned();
                    arrived.entry(uid).or_insert(now);
                }
            }
        }
        arrived
    });
    let mut failed = HashMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    for number in 0..jobs {
        let job = PlayedJob::create(&admin, NAMESPACE, &format!("job-{number}")).await;
        job.start(&admin).await;
        ticks.tick().await;
        // The event may arrive before the answer: the time before the request is not later than the failure.
        let before = Instant::now();
        job.fail(&admin, "BackoffLimitExceeded").await;
        failed.insert(job.uid, before);
    }
    let arrived = tokio::time::timeout(Duration::from_secs(60), collecting).await;
    let arrived = arrived.expect("every event arrives").unwrap();
    let mut delays: Vec<Duration> = failed.iter().map(|(uid, at)| arrived[uid] - *at).collect();
    delays.sort_unstable();
    let quantile = |part: f64| delays[((delays.len() - 1) as f64 * part) as usize].as_secs_f64();
    println!(
        "\n### Failure → event at the backend (settle_time: 1s, {jobs} Jobs; {} more exist)\n",
        bench.jobs
    );
    println!("| p50 | p99 | longest |\n|---|---|---|");
    println!(
        "| {:.3} s | {:.3} s | {:.3} s |",
        quantile(0.5),
        quantile(0.99),
        quantile(1.0)
    );
    drop(reader);
}
