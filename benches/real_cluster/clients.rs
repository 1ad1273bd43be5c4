//! How long each client needs until it has read everything, and what that costs.

use std::time::Duration;

use crate::reader::{Kind, Reader};
use crate::{Bench, floor, median};

/// Between two clients: the API server frees what it allocated for the one before.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
struct Measured {
    read: Duration,
    cpu: Duration,
    /// `VmRSS` and `VmHWM` at rest, MiB.
    memory: Option<(u64, u64)>,
}

/// Measures every client in turns and prints a table.
pub(crate) async fn measure(bench: &Bench) {
    let kinds = Kind::all(bench);
    let mut rows: Vec<(&str, Vec<Measured>)> = vec![("protobuf, read and dropped", Vec::new())];
    rows.extend(kinds.iter().map(|kind| (kind.name(), Vec::new())));
    let mut bytes = 0;
    for _ in 0..bench.rounds {
        tokio::time::sleep(PAUSE).await;
        let floor = floor::read(bench).await;
        bytes = floor.bytes;
        rows[0].1.push(Measured {
            read: floor.read,
            cpu: floor.cpu,
            memory: None,
        });
        for (kind, row) in kinds.iter().zip(&mut rows[1..]) {
            tokio::time::sleep(PAUSE).await;
            let reader = Reader::start(bench, *kind).await;
            let stats = reader.stats();
            stats.rest();
            row.1.push(Measured {
                read: reader.read,
                cpu: reader.read_cpu,
                memory: Some((stats.kib("VmRSS") / 1024, stats.kib("VmHWM") / 1024)),
            });
        }
    }
    let mib = bytes as f64 / 1_048_576.0;
    println!(
        "\n### Start ({} Jobs, {} Pods each; {mib:.0} MiB of protobuf)\n",
        bench.jobs, bench.pods
    );
    println!("| | start → everything read | × the first row | CPU until then | VmRSS | VmHWM |");
    println!("|---|---|---|---|---|---|");
    let seconds = |of: fn(&Measured) -> Duration, row: &[Measured]| median(row.iter().map(of).collect()).as_secs_f64();
    let least = seconds(|one| one.read, &rows[0].1);
    for (name, row) in &rows {
        let (read, cpu) = (seconds(|one| one.read, row), seconds(|one| one.cpu, row));
        let memory = |of: fn((u64, u64)) -> u64| {
            let values: Vec<u64> = row.iter().filter_map(|one| one.memory.map(of)).collect();
            match values.is_empty() {
                true => String::new(),
                false => format!("{} MiB", median(values)),
            }
        };
        let (resident, peak) = (memory(|(resident, _)| resident), memory(|(_, peak)| peak));
        println!(
            "| {name} | {read:.2} s | {:.2} | {cpu:.2} s | {resident} | {peak} |",
            read / least
        );
    }
}
