//! The state gauges of Jobs, each its own owner: most of the sent data, none of which is stored.

use std::path::Path;
use std::time::{Duration, Instant};

use prost::Message;
use simulator::otlp_intake::ReceivedData;
use tokio::sync::broadcast::error::TryRecvError;

use crate::support::Recorded;
use crate::support::collector::Collector;
use crate::{Load, cluster, until_watching};

/// The gauges of an owner.
const GAUGES: usize = 5;
/// The time between two collections, and how many are measured.
const INTERVAL: Duration = Duration::from_secs(10);
const COLLECTIONS: usize = 3;
/// The time over which a rate is measured.
const WINDOW: Duration = Duration::from_secs(1);
/// How many windows may pass until every point has arrived.
const WINDOWS: usize = 300;

/// The cost of one window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    cpu: Duration,
    bytes: usize,
    points: usize,
}

/// Measures memory, processor time and bytes while the gauges of this many owners are sent.
pub(crate) async fn measure(folder: &Path, jobs: usize) {
    let interval = format!("{}s", INTERVAL.as_secs());
    let (api, intake, config) = cluster(folder, jobs, Load::Owners, &interval, &Recorded::read()).await;
    let mut collector = Collector::start(&config, &folder.join("collector-gauges.log"));
    until_watching(&api, &mut collector).await;
    collector.rest();
    // Points that came before belong to no window.
    let mut arrivals = intake.subscribe();
    let (listed, first_list) = (collector.kib("VmHWM"), collector.cpu());
    let mut windows = Vec::new();
    let (mut points, mut used) = (0, first_list);
    while points < COLLECTIONS * GAUGES * jobs {
        let end = Instant::now() + WINDOW;
        tokio::time::sleep_until(end.into()).await;
        let mut window = Window::default();
        loop {
            match arrivals.try_recv() {
                Ok(received) => {
                    let ReceivedData::Metrics(request) = &received.payload else {
                        continue;
                    };
                    window.bytes += request.encoded_len();
                    let resources = request.resource_metrics.iter();
                    window.points += resources
                        .map(|owner| owner.scope_metrics[0].metrics.len())
                        .sum::<usize>();
                }
                Err(TryRecvError::Empty) => break,
                Err(error) => panic!("{error}"),
            }
        }
        let now = collector.cpu();
        (window.cpu, used) = (now - used, now);
        points += window.points;
        windows.push(window);
        assert!(windows.len() < WINDOWS, "only {points} points in {WINDOWS} windows");
        collector.assert_running();
    }
    report(jobs, &windows, &collector, listed);
    drop(collector);
    api.shutdown().await;
    intake.shutdown().await;
}

fn report(owners: usize, windows: &[Window], collector: &Collector, listed: u64) {
    let sum = |of: fn(&Window) -> usize| windows.iter().map(of).sum::<usize>();
    let max = |of: fn(&Window) -> usize| windows.iter().map(of).max().unwrap_or_default();
    let cpu: Duration = windows.iter().map(|window| window.cpu).sum();
    let peak = windows.iter().map(|window| window.cpu).max().unwrap_or_default();
    println!(
        "{owners} Jobs of as many owners, gauges every {INTERVAL:?}, {} points:",
        sum(|window| window.points)
    );
    println!(
        "  VmHWM after the first list {listed} KiB; then VmRSS {} KiB, VmHWM {} KiB",
        collector.kib("VmRSS"),
        collector.kib("VmHWM")
    );
    println!(
        "  processor time per second: mean {:.3} s, peak {:.3} s; bytes per second: mean {}, peak {}",
        cpu.as_secs_f64() / windows.len() as f64,
        peak.as_secs_f64(),
        sum(|window| window.bytes) / windows.len(),
        max(|window| window.bytes),
    );
    let busy = windows.iter().filter(|window| window.points > 0).count();
    println!("  {busy} of {} seconds had points", windows.len());
}
