//! The processor time of each client per update, and while nothing happens.

use std::time::Duration;

use crate::control_plane::process::Process;
use crate::load::{Cluster, Updated};
use crate::reader::{Kind, Reader};
use crate::stats::ProcessStats;
use crate::{Bench, median};

/// The pace of the updates.
pub(crate) const PER_SECOND: u32 = 300;
/// How long the work after a change takes: the collector checks each Job that has changed within a minute.
const SETTLED: Duration = Duration::from_secs(65);
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(20);
/// Between two wake-ups of the process that does nothing else: about as often as the collector while idle.
const PAUSE: Duration = Duration::from_millis(350);
/// The option that makes this program that process.
pub(crate) const ONLY_WAKES: &str = "--only-wakes";

/// Wakes up again and again, and does nothing.
pub(crate) fn only_wake() -> ! {
    loop {
        std::thread::sleep(PAUSE);
    }
}

/// The share of a processor, in percent, and the wake-ups per second of a process while nothing happens.
async fn idle(stats: &ProcessStats) -> [f64; 2] {
    let (before, wakeups) = (stats.cpu(), stats.wakeups());
    tokio::time::sleep(IDLE).await;
    let cpu = (stats.cpu() - before).as_secs_f64() / IDLE.as_secs_f64();
    let wakeups = (stats.wakeups() - wakeups) as f64 / IDLE.as_secs_f64();
    [cpu * 100.0, wakeups]
}

/// Measures every client in turns and prints a table.
pub(crate) async fn measure(bench: &Bench, cluster: &Cluster) {
    let admin = bench.plane.admin();
    let updates = PER_SECOND as usize * bench.seconds;
    let kinds = Kind::all(bench);
    let mut rows: Vec<[Vec<f64>; 4]> = kinds.iter().map(|_| std::array::from_fn(|_| Vec::new())).collect();
    let mut floor: [Vec<f64>; 2] = Default::default();
    for _ in 0..bench.rounds {
        for (kind, row) in kinds.iter().zip(&mut rows) {
            let reader = Reader::start(bench, *kind).await;
            let stats = reader.stats();
            stats.rest();
            for (what, column) in [(Updated::Jobs, 0), (Updated::Pods, 1)] {
                let before = stats.cpu();
                cluster.update(&admin, what, updates, PER_SECOND).await;
                stats.rest();
                row[column].push((stats.cpu() - before).as_nanos() as f64 / 1e3 / updates as f64);
            }
            tokio::time::sleep(SETTLED).await;
            let [cpu, wakeups] = idle(&stats).await;
            row[2].push(cpu);
            row[3].push(wakeups);
        }
        let program = std::env::current_exe().unwrap();
        let process = Process::start(&program, &[ONLY_WAKES.into()], &bench.folder.join("only-wakes.log"));
        let [cpu, wakeups] = idle(&ProcessStats(process.pid())).await;
        floor[0].push(cpu);
        floor[1].push(wakeups);
    }
    println!(
        "\n### Updates ({PER_SECOND} a second, {updates} of each; {} Jobs)\n",
        bench.jobs
    );
    println!("| | CPU per Job update | CPU per Pod update | idle, of a processor | idle, wake-ups per second |");
    println!("|---|---|---|---|---|");
    for (kind, row) in kinds.iter().zip(rows) {
        let [jobs, pods, idle, wakeups] = row.map(median);
        println!(
            "| {} | {jobs:.1} µs | {pods:.1} µs | {idle:.3} % | {wakeups:.1} |",
            kind.name()
        );
    }
    let [idle, wakeups] = floor.map(median);
    println!("| a process that only wakes up | | | {idle:.3} % | {wakeups:.1} |");
}
