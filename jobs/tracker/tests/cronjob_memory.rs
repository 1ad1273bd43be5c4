//! The heap that a CronJob takes: its record, its slots, its mark, and its place in the queue.

use dhat::{HeapStats, Profiler};
use job_tracker::{Tracker, TrackerSettings};
use job_watch::{Kind, Object, Observation, Source, model};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Bytes for each CronJob, of which 512 are for its slots and its state. The rest are its name, its UID and its policy.
const MOST: usize = 512 + 250;
const CRONJOBS: usize = 7000;

fn cronjob(number: usize) -> Object {
    let mut cronjob = model::CronJob::default();
    cronjob.metadata.namespace = "shop".into();
    cronjob.metadata.name = format!("nightly-{number}").into();
    cronjob.metadata.uid = format!("00000000-0000-4000-8000-{number:012}").into();
    cronjob.metadata.generation = Some(1);
    cronjob.metadata.creation_timestamp = "2026-11-28T12:00:00Z".parse().ok();
    // Some schedules are shared.
    let schedule = format!("{} {} * * *", number % 60, number / 60 % 24);
    cronjob.spec.schedule = Some(schedule.into());
    cronjob.spec.time_zone = Some("Europe/Berlin".into());
    cronjob.spec.concurrency_policy = Some("Forbid".into());
    Object::CronJob(Box::new(cronjob))
}

#[test]
fn a_cronjob_takes_little_heap() {
    let _profiler = Profiler::builder().testing().build();
    let source = Source {
        kind: Kind::CronJobs,
        scope: 0,
    };
    let now = "2026-11-28T12:00:00Z".parse().unwrap();
    let mut tracker = Tracker::new(TrackerSettings::default());
    // Tables and time zones that all share.
    tracker.apply(source, Observation::Changed(cronjob(0)), now);
    let before = HeapStats::get().curr_bytes;
    for number in 1..=CRONJOBS {
        tracker.apply(source, Observation::Changed(cronjob(number)), now);
    }
    let bytes = (HeapStats::get().curr_bytes - before) / CRONJOBS;
    assert!(bytes <= MOST, "{bytes} bytes");
    assert_eq!(tracker.cronjob_states(now).len(), CRONJOBS + 1);
}
