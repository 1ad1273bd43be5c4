//! The time of one update: the tracker observes a decoded line of a watch. For comparison, the same line is decoded
//! into the full type of the Kubernetes API.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark has no users and may end with a panic"
)]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use job_watch::decode::{watch_frame, watch_line};
use job_watch::model;
use k8s_openapi::api::{batch, core};
use support::tracking::{
    Apply, ApplyLabeled, FullLine, apply_job, apply_labeled_job, apply_labeled_pod, apply_pod, decode, label_rules,
    tracker_of,
};
use support::{Recorded, line};

/// The number of Jobs in the tracker.
const JOBS: usize = 10_000;
/// The distance between two updated objects, so that neither lines nor records are in the cache from the last round.
const STEP: usize = 10;

fn updates(criterion: &mut Criterion) {
    let recorded = Recorded::read();
    let lines = |versions: fn(&Recorded, usize) -> [String; 2]| -> Vec<Vec<u8>> {
        let jobs = (0..JOBS).step_by(STEP);
        jobs.flat_map(|number| versions(&recorded, number))
            .map(|object| line(&object))
            .collect()
    };
    let jobs = lines(Recorded::running_jobs);
    let pods = lines(Recorded::running_pods);
    compare::<model::Job, batch::v1::Job>(criterion, "job", &jobs, (apply_job, apply_labeled_job));
    compare::<model::Pod, core::v1::Pod>(criterion, "pod", &pods, (apply_pod, apply_labeled_pod));
}

fn compare<Lean: model::Watched, Full: serde::de::DeserializeOwned>(
    criterion: &mut Criterion,
    kind: &str,
    lines: &[Vec<u8>],
    (apply, apply_labeled): (Apply, ApplyLabeled),
) {
    let mut group = criterion.benchmark_group(kind);
    group.throughput(Throughput::Elements(1));
    let mut tracker = tracker_of(&Recorded::read(), JOBS);
    let mut next = lines.iter().cycle();
    group.bench_function("decode_and_track", |b| {
        b.iter(|| apply(&mut tracker, next.next().unwrap()))
    });
    let rules = label_rules();
    let mut labeled = tracker_of(&Recorded::read(), JOBS);
    group.bench_function("decode_and_track_labels", |b| {
        b.iter(|| apply_labeled(&mut labeled, next.next().unwrap(), &rules))
    });
    group.bench_function("decode", |b| b.iter(|| decode::<Lean>(next.next().unwrap())));
    group.bench_function("decode_full_type", |b| {
        b.iter(|| serde_json::from_slice::<FullLine<Full>>(next.next().unwrap()).unwrap());
    });
    group.finish();
}

/// Every recorded event of a kind, in both forms.
fn forms(criterion: &mut Criterion) {
    let events = support::both_forms();
    form::<model::Job>(criterion, "recorded_job", &events);
    form::<model::Pod>(criterion, "recorded_pod", &events);
}

fn form<T: model::Watched>(criterion: &mut Criterion, kind: &str, events: &[(Vec<u8>, Vec<u8>)]) {
    let is_of_kind = |frame: &[u8]| watch_frame::<T>(frame, None).is_ok();
    let events: Vec<_> = events.iter().filter(|(_, frame)| is_of_kind(frame)).collect();
    let mut group = criterion.benchmark_group(kind);
    group.throughput(Throughput::Elements(1));
    let mut next = events.iter().cycle();
    group.bench_function("decode_json", |b| {
        b.iter(|| watch_line::<T>(&next.next().unwrap().0).unwrap());
    });
    group.bench_function("decode_protobuf", |b| {
        b.iter(|| watch_frame::<T>(&next.next().unwrap().1, None).unwrap());
    });
    group.finish();
}

criterion_group!(benches, updates, forms);
criterion_main!(benches);
