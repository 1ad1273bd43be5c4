//! The collector beside a real API server, and other clients of it for comparison. Linux only.
//!
//! `ETCD` and `KUBE_APISERVER` are the paths of programs, `KUBE_STATE_METRICS` that of a program to compare with. Without the
//! first two it does nothing. Options after `--`: `--parts clients,updates,watches,delay,killed` (all), `--jobs N` (50,000),
//! `--pods N` of each Job (1), `--rounds N` (3),
//! `--seconds N` of updates (10), `--delays N` (400), `--lost-jobs N` (2,000).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may end with a panic"
)]

#[path = "../support/arguments.rs"]
mod arguments;
mod clients;
#[path = "../../tests/support/control_plane/mod.rs"]
mod control_plane;
mod delay;
mod floor;
mod kill;
mod load;
mod reader;
#[path = "../support/stats.rs"]
mod stats;
mod updates;
mod watches;

use std::path::{Path, PathBuf};

use control_plane::{ControlPlane, Programs};
use simulator::otlp_intake::OtlpIntake;

/// The servers and the scale of all measurements.
struct Bench {
    plane: ControlPlane,
    intake: OtlpIntake,
    folder: PathBuf,
    /// The Jobs of the cluster, and the Pods of each.
    jobs: usize,
    pods: usize,
    /// How long updates are made in each measurement, seconds.
    seconds: usize,
    /// How often each measurement is repeated; the tables have the medians.
    rounds: usize,
    kube_state_metrics: Option<PathBuf>,
}

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == updates::ONLY_WAKES) {
        updates::only_wake();
    }
    let Some(programs) = Programs::from_env() else {
        println!("set ETCD and KUBE_APISERVER to the paths of the programs; see docs/benchmarks.md");
        return;
    };
    let at_full_scale = std::env::args().any(|argument| argument == "--bench");
    let number = |option, full, small| arguments::number(option).unwrap_or(if at_full_scale { full } else { small });
    let parts = arguments::text("--parts").unwrap_or_else(|| "clients,updates,watches,delay,killed".into());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-cluster-bench");
    let _ = std::fs::remove_dir_all(&folder);
    let bench = Bench {
        plane: ControlPlane::start(&programs, &folder.join("servers"), &[]).await,
        intake: OtlpIntake::start(None).await.unwrap(),
        folder,
        jobs: number("--jobs", 50_000, 50),
        pods: number("--pods", 1, 1),
        seconds: number("--seconds", 10, 1),
        rounds: number("--rounds", 3, 1),
        kube_state_metrics: std::env::var_os("KUBE_STATE_METRICS").map(PathBuf::from),
    };
    let cluster = load::fill(&bench).await;
    for part in parts.split(',') {
        match part {
            "clients" => clients::measure(&bench).await,
            "updates" => updates::measure(&bench, &cluster).await,
            "watches" => watches::measure(&bench, &cluster).await,
            "delay" => delay::measure(&bench, number("--delays", 400, 5)).await,
            "killed" => kill::measure(&bench, number("--lost-jobs", 2000, 5)).await,
            _ => panic!("--parts: expected clients, updates, watches, delay or killed, found {part:?}"),
        }
    }
}

/// The median.
fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}
