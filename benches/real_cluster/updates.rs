//! The processor time of each client per update, and while nothing happens.

use std::time::Duration;

use crate::load::{Cluster, Updated};
use crate::reader::{Kind, Reader};
use crate::{Bench, median};

/// The pace of the updates.
pub(crate) const PER_SECOND: u32 = 300;
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(20);

/// Measures every client in turns and prints a table.
pub(crate) async fn measure(bench: &Bench, cluster: &Cluster) {
    let admin = bench.plane.admin();
    let updates = PER_SECOND as usize * bench.seconds;
    let kinds = Kind::all(bench);
    let mut rows: Vec<[Vec<f64>; 4]> = kinds.iter().map(|_| std::array::from_fn(|_| Vec::new())).collect();
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
            let (before, wakeups) = (stats.cpu(), stats.wakeups());
            tokio::time::sleep(IDLE).await;
            row[2].push((stats.cpu() - before).as_secs_f64() / IDLE.as_secs_f64() * 100.0);
            row[3].push((stats.wakeups() - wakeups) as f64 / IDLE.as_secs_f64());
        }
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
}
