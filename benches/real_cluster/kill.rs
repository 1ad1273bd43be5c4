//! Jobs that fail and vanish while the collector is killed again and again.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Bench;
use crate::control_plane::collector::{Collector, Settings, Storage, events, failures_in};
use crate::control_plane::jobs::{PlayedJob, create_namespace};

const NAMESPACE: &str = "killed";
/// The time between two Jobs, and how long each exists after it has failed.
const EVERY: Duration = Duration::from_millis(150);
const EXISTS: Duration = Duration::from_secs(1);
/// The time between two kills, and how long the collector is down.
const KILLED: Duration = Duration::from_secs(33);
const DOWN: Duration = Duration::from_secs(2);
/// How long to wait for events and counts after the last Job.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays this many Jobs and prints how many were lost.
pub(crate) async fn measure(bench: &Bench, jobs: usize) {
    let admin = bench.plane.admin();
    create_namespace(&admin, NAMESPACE).await;
    let settings = Settings {
        settle: "1s",
        log: "debug",
        storage: Storage::File,
        ..Settings::default()
    };
    let kubeconfig = bench.plane.kubeconfig();
    let mut collector = Collector::new(&bench.folder, "killed", &kubeconfig, &bench.intake, &settings);
    collector.start_watching().await;
    let mut playing = JoinSet::new();
    let begin = Instant::now();
    let (mut next_kill, mut kills) = (begin + KILLED, 0);
    for number in 0..jobs {
        let admin = admin.clone();
        let at = begin + EVERY * u32::try_from(number).unwrap();
        playing.spawn(async move {
            tokio::time::sleep_until(at).await;
            let job = PlayedJob::create(&admin, NAMESPACE, &format!("job-{number}")).await;
            job.start(&admin).await;
            job.fail(&admin, "BackoffLimitExceeded").await;
            tokio::time::sleep(EXISTS).await;
            job.delete(&admin).await;
            (number, job.uid)
        });
    }
    let end = begin + EVERY * u32::try_from(jobs).unwrap();
    while next_kill < end {
        tokio::time::sleep_until(next_kill).await;
        collector.kill().await;
        kills += 1;
        tokio::time::sleep(DOWN).await;
        collector.start();
        next_kill += KILLED;
    }
    let mut uids = playing.join_all().await;
    uids.sort_unstable();
    let uids: Vec<String> = uids.into_iter().map(|(_, uid)| uid).collect();
    let complete = async {
        loop {
            let arrived = events(&bench.intake);
            if uids.iter().all(|uid| arrived.contains_key(uid)) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    // Those that are lost never arrive.
    let _ = tokio::time::timeout(PATIENCE, complete).await;
    collector.stop().await;
    let events = events(&bench.intake);
    let lost: Vec<usize> = (0..jobs)
        .filter(|number| !events.contains_key(&uids[*number]))
        .collect();
    let repeated: usize = uids
        .iter()
        .filter_map(|uid| events.get(uid))
        .map(|all| all.len() - 1)
        .sum();
    let counted = failures_in(&bench.intake, NAMESPACE);
    println!("\n### Killed every {KILLED:?} for {DOWN:?} ({kills} times)\n");
    println!("| Jobs | lost | counted | events sent again |\n|---|---|---|---|");
    println!("| {jobs} | {} | {counted} | {repeated} |", lost.len());
    if !lost.is_empty() {
        let log = bench.folder.join("killed.log");
        std::fs::write(&log, collector.log()).unwrap();
        println!("\nlost: {lost:?}; the log is in {}", log.display());
    }
}
