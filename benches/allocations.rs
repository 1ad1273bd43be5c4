//! Allocations of one update, beside the full type of the Kubernetes API, bytes that the
//! tracker keeps for each Job, and allocations of one judgement.
//!
//! Counts, not times: they are the same in every run. With `--bench` (`cargo bench`) it prints them at full scale;
//! without (`cargo test`) it holds the budgets at a small one.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may end with a panic"
)]

mod support;

use dhat::{HeapStats, Profiler};
use job_tracker::Tracker;
use job_tracker::outbox::AckEvent;
use k8s_openapi::api::{batch, core};
use serde::de::DeserializeOwned;
use support::tracking::{Apply, FullLine, NOW, SETTLED, apply_job, apply_pod, tracker_of};
use support::{Recorded, evidence, line};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// An update may allocate at most this fraction (1/n) of the bytes that the full type allocates.
const LESS_THAN_FULL: u64 = 4;
/// The most blocks that an update may allocate. glibc keeps a few freed blocks of a size at hand, and merges the others.
const UPDATE_BLOCKS: u64 = 18;
/// The most heap for a running Job and its Pod, bytes.
const RUNNING_BYTES: u64 = 1536;
/// The most that is kept of a Job that is reported and still exists, bytes of heap: its place in the table of Jobs, and
/// the one its Pod had in the table of Pods, which does not shrink. 33 bytes each, and a table that has just grown has
/// 16 slots for 7 entries: 151 bytes. Up to 32,768 are also listed in the checkpoint, and were pending before: two more
/// tables of that kind, of 49 and 57 bytes each.
const REPORTED_BYTES: u64 = 400;

/// The most that judging any recorded Job may allocate, bytes of heap.
const JUDGED: u64 = 20 * 1024;

/// Requests to the heap.
#[derive(Clone, Copy)]
struct Allocated {
    blocks: u64,
    bytes: u64,
}

fn main() {
    let at_full_scale = std::env::args().any(|argument| argument == "--bench");
    let profiler = Profiler::builder().testing().build();
    updates();
    let scales: &[usize] = if at_full_scale {
        &[10_000, 100_000]
    } else {
        &[500, 1_000]
    };
    kept(scales);
    judged();
    drop(profiler);
}

fn updates() {
    println!("one update              lean          full type");
    println!("                 blocks    bytes   blocks    bytes");
    let recorded = Recorded::read();
    update::<batch::v1::Job>("Job", &recorded.running_jobs(0), apply_job);
    update::<core::v1::Pod>("Pod", &recorded.running_pods(0), apply_pod);
}

/// Takes in the second version of an object, and decodes it into the full type.
fn update<Full: DeserializeOwned>(kind: &str, versions: &[String; 2], apply: Apply) {
    let mut tracker = tracker_of(&Recorded::read(), 1);
    let [before, after] = versions.each_ref().map(|object| line(object));
    apply(&mut tracker, &before);
    let lean = allocated(|| apply(&mut tracker, &after));
    let full = allocated(|| drop(serde_json::from_slice::<FullLine<Full>>(&after).unwrap()));
    println!(
        "{kind:<15}{:>8}{:>9}{:>9}{:>9}",
        lean.blocks, lean.bytes, full.blocks, full.bytes
    );
    assert!(
        lean.blocks <= UPDATE_BLOCKS,
        "{kind}: expected at most {UPDATE_BLOCKS} blocks, found {}",
        lean.blocks
    );
    assert!(
        lean.bytes * LESS_THAN_FULL <= full.bytes,
        "{kind}: expected at most 1/{LESS_THAN_FULL} of the {} bytes the full type takes, found {}",
        full.bytes,
        lean.bytes
    );
}

fn kept(scales: &[usize]) {
    println!("\nkept, heap bytes per Job");
    println!("     Jobs   running, with its Pod   reported, still there");
    for jobs in scales.iter().copied() {
        let before = HeapStats::get().curr_bytes as u64;
        let mut tracker = tracker_of(&Recorded::read(), jobs);
        let running = (HeapStats::get().curr_bytes as u64 - before) / jobs as u64;
        fail_all(&mut tracker, jobs);
        let reported = (HeapStats::get().curr_bytes as u64 - before) / jobs as u64;
        println!("{jobs:>9}{running:>24}{reported:>24}");
        assert!(
            running <= RUNNING_BYTES,
            "expected at most {RUNNING_BYTES} bytes per Job that runs, found {running}"
        );
        assert!(
            reported <= REPORTED_BYTES,
            "expected at most {REPORTED_BYTES} bytes per Job, found {reported}"
        );
    }
}

/// Lets every Job fail and be reported.
fn fail_all(tracker: &mut Tracker, jobs: usize) {
    let recorded = Recorded::read();
    for number in 0..jobs {
        apply_job(tracker, &line(&recorded.failed_job(number)));
    }
    // Counted for the gauges once more, then forgotten.
    let mut reported = 0;
    while let Some(evidence) = tracker.poll(SETTLED) {
        // As when its event has arrived.
        let uid = job_event::Uid::new(&evidence.job.uid);
        tracker.outbox().apply(&uid, AckEvent::Acknowledged);
        reported += 1;
    }
    assert_eq!(reported, jobs);
    tracker.states().for_each(drop);
    let sizes = tracker.sizes();
    assert_eq!((sizes.live, sizes.pods, sizes.reported), (0, 0, jobs));
    assert_eq!(tracker.poll(NOW), None);
}

/// Judges every recorded Job, and does all that the processor does with its event.
fn judged() {
    let jobs = evidence::all();
    println!(
        "\nof {} recorded Jobs                           blocks    bytes",
        jobs.len()
    );
    let judging = jobs
        .iter()
        .map(|(name, job)| (name, allocated(|| drop(job_judge::judge(job)))));
    let worst = median_and_worst("judged", judging.collect());
    assert!(
        worst <= JUDGED,
        "expected at most {JUDGED} bytes to judge a Job, found {worst}"
    );
    let unfinished = evidence::unfinished();
    let stalling = unfinished
        .iter()
        .map(|(name, job, now)| (name, allocated(|| drop(job_judge::stall(job, *now)))));
    let worst = median_and_worst("stalled", stalling.collect());
    assert!(
        worst <= JUDGED,
        "expected at most {JUDGED} bytes for the stall of a Job, found {worst}"
    );
    let enriching = jobs.iter().map(|(name, job)| {
        let record = evidence::record(job);
        (name, allocated(|| drop(evidence::enrich(record))))
    });
    median_and_worst("enriched", enriching.collect());
}

/// Prints both; returns the bytes of the worst.
fn median_and_worst(what: &str, mut each: Vec<(&String, Allocated)>) -> u64 {
    each.sort_by_key(|(_, allocated)| allocated.bytes);
    let (median, worst) = (each[each.len() / 2], each[each.len() - 1]);
    for (which, (name, allocated)) in [("median", median), ("worst", worst)] {
        println!(
            "{what:<9}{which:<7}{name:<29}{:>8}{:>9}",
            allocated.blocks, allocated.bytes
        );
    }
    worst.1.bytes
}

fn allocated(work: impl FnOnce()) -> Allocated {
    let before = HeapStats::get();
    work();
    let after = HeapStats::get();
    Allocated {
        blocks: after.total_blocks - before.total_blocks,
        bytes: after.total_bytes - before.total_bytes,
    }
}
