//! The time that it takes to judge one Job, over every recording: the judgement alone, and all that the processor does with
//! an event. `allocations` counts its allocations.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark has no users, prints, and may end with a panic"
)]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use job_event::Evidence;
use job_judge::judge;
use support::evidence::{self, enrich, record};

/// How often each Job is judged to find the median and the worst one.
const ROUNDS: u32 = 2000;

fn judging(criterion: &mut Criterion) {
    let jobs = evidence::all();
    let mut each: Vec<(Duration, &str)> = jobs.iter().map(|(name, job)| (time(job), name.as_str())).collect();
    each.sort();
    let (median, worst) = (each[each.len() / 2], each[each.len() - 1]);
    println!("{} Jobs: median {median:?}, worst {worst:?}", each.len());

    let mut group = criterion.benchmark_group("judge");
    for name in [median.1, worst.1] {
        let job = &jobs[name];
        group.bench_function(format!("judge/{name}"), |b| b.iter(|| judge(black_box(job))));
        let record = record(job);
        group.bench_function(format!("enrich/{name}"), |b| {
            b.iter_with_large_drop(|| enrich(record.clone()))
        });
    }
    group.finish();
}

fn time(job: &Evidence) -> Duration {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(judge(black_box(job)));
    }
    start.elapsed() / ROUNDS
}

criterion_group!(benches, judging);
criterion_main!(benches);
