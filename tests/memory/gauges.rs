//! Memory of the gauges of very many owners during collection: counted in bytes on the heap, so that
//! `docs/reliability.md` can say it. `cargo test --test memory -- --nocapture` prints it.

use dhat::{HeapStats, Profiler};
use jiff::Timestamp;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::model::Job;
use job_watch::{Kind, Object, Observation, Source};
use kubernetes_job_receiver::gauges;
use serde_json::json;

/// Jobs, each its own owner.
const OWNERS: usize = 10_000;
/// How many owners' gauges go into one batch.
const BATCH: usize = 500;

fn tracker() -> Tracker {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let source = Source {
        kind: Kind::Jobs,
        scope: 0,
    };
    for number in 0..OWNERS {
        let job: Job = serde_json::from_value(json!({"metadata": {"namespace": "shop",
            "name": format!("nightly-report-job-{number:07}"), "uid": format!("00000000-0000-0000-0000-{number:012x}")}}))
        .unwrap();
        tracker.apply(
            source,
            Observation::Changed(Object::Job(Box::new(job))),
            Timestamp::UNIX_EPOCH,
        );
    }
    tracker
}

#[test]
fn gauges_take_little_memory_for_each_owner() {
    let _alone = crate::alone();
    let _profiler = Profiler::builder().testing().build();
    let mut tracker = tracker();
    let heap = || HeapStats::get().curr_bytes;
    let before = heap();
    let mut states = tracker.states();
    let sums = (heap() - before) / OWNERS;
    let before = heap();
    let batch: Vec<_> = states
        .by_ref()
        .take(BATCH)
        .map(|owner| gauges::encode(&owner, Some("production"), Timestamp::UNIX_EPOCH))
        .collect();
    let points = (heap() - before) / BATCH;
    println!("{sums} B for each owner while gauges are collected, {points} B more for each of those in a batch");
    assert_eq!(states.len(), OWNERS - BATCH);
    assert!(sums <= 250, "{sums} B for the sums of an owner");
    assert!(points <= 4000, "{points} B for the points of an owner");
    drop((batch, states));
    assert!(heap() <= before, "nothing is kept");
}
