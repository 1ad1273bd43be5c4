//! The processor time of the API server while each client starts, and how much more it needs for each update.

use std::time::Duration;

use crate::load::{Cluster, Updated};
use crate::reader::{Kind, Reader};
use crate::stats::ProcessStats;
use crate::updates::PER_SECOND;
use crate::{Bench, median};

/// Measures without a client and with each one, in turns, and prints a table.
pub(crate) async fn measure(bench: &Bench, cluster: &Cluster) {
    let admin = bench.plane.admin();
    let server = ProcessStats(bench.plane.api_server_pid());
    let updates = PER_SECOND as usize * bench.seconds;
    let cases: Vec<Option<Kind>> = [None]
        .into_iter()
        .chain(Kind::all(bench).into_iter().map(Some))
        .collect();
    let mut rows: Vec<[Vec<f64>; 3]> = cases.iter().map(|_| std::array::from_fn(|_| Vec::new())).collect();
    for _ in 0..bench.rounds {
        for (case, row) in cases.iter().zip(&mut rows) {
            let before = server.cpu();
            let reader = match case {
                Some(kind) => Some(Reader::start(bench, *kind).await),
                None => None,
            };
            if let Some(reader) = &reader {
                row[0].push((server.cpu() - before).as_secs_f64());
                reader.stats().rest();
            } else {
                row[0].push(0.0);
            }
            for (what, column) in [(Updated::Jobs, 1), (Updated::Pods, 2)] {
                let before = server.cpu();
                cluster.update(&admin, what, updates, PER_SECOND).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
                row[column].push((server.cpu() - before).as_nanos() as f64 / 1e3 / updates as f64);
            }
        }
    }
    println!("\n### The API server's side ({} Jobs)\n", bench.jobs);
    println!(
        "| | its CPU per start | its CPU per Job update, of that for the client | per Pod update, for the client |"
    );
    println!("|---|---|---|---|");
    let rows: Vec<[f64; 3]> = rows.into_iter().map(|row| row.map(median)).collect();
    for (case, [start, jobs, pods]) in cases.iter().zip(&rows) {
        let name = case.map_or("no client", Kind::name);
        let (more_jobs, more_pods) = (jobs - rows[0][1], pods - rows[0][2]);
        println!("| {name} | {start:.2} s | {jobs:.0} µs, {more_jobs:.0} µs | {pods:.0} µs, {more_pods:.0} µs |");
    }
}
