//! Stored marks: round trips, damaged bytes, and their bound.

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use job_event::Uid;
use job_event::notice::MissReason;
use job_watch::Kind;

use super::super::{AnnouncedRuns, Checkpoint, CronJobMark, FinishedJob, Mark, Marks, StallMark, StoredPosition};
use crate::outbox::AckState;

const NOW: Timestamp = Timestamp::constant(1_795_450_476, 0);
const CAPACITY: usize = 10_000;

fn stall(since: i64, is_open: bool) -> StallMark {
    StallMark {
        since,
        is_open,
        causes: vec!["ImagePull".into(), "Unschedulable".into()],
        recovered: usize::from(!is_open),
    }
}

fn cronjob(slot: i64, failures: u32) -> CronJobMark {
    CronJobMark {
        slot,
        failures,
        last_success: slot - 60,
        last_failure: if failures > 0 { slot - 30 } else { 0 },
        generation: 2,
    }
}

fn example() -> Marks {
    let mut marks = Marks::default();
    marks.stalls.insert(1, stall(1000, true));
    marks.stalls.insert(2, stall(2000, false));
    marks.cronjobs.insert(3, cronjob(3000, 4));
    marks.histories.insert(5, Box::from([6, 7, 8]));
    let stalled = Mark::Stalled {
        job: 1,
        cause: "ImagePull".into(),
        since: 1000,
    };
    marks.announce(&stalled, None);
    let missed = Mark::Missed { cronjob: 3, slot: 90 };
    let runs = AnnouncedRuns {
        last: 90,
        count: 3,
        reason: MissReason::ConcurrencyForbidden,
    };
    marks.announce(&missed, Some((30, runs)));
    marks
}

fn checkpoint(marks: Marks) -> Checkpoint {
    Checkpoint {
        marks,
        ..Checkpoint::new(CAPACITY)
    }
}

fn decode(bytes: Bytes) -> Checkpoint {
    Checkpoint::decode(bytes, CAPACITY).unwrap()
}

/// A checkpoint with `jobs` reported Jobs and marks of all kinds; UIDs count from 0.
fn large(jobs: u64, stalls: u64, cronjobs: u64, histories: u64) -> Checkpoint {
    let at = |uid: u64| 1_795_000_000 + i64::try_from(uid).unwrap();
    let mut marks = Marks::default();
    marks
        .stalls
        .extend((0..stalls).map(|uid| (uid, stall(at(uid), uid % 2 == 0))));
    marks
        .cronjobs
        .extend((0..cronjobs).map(|uid| (uid, cronjob(at(uid), u32::from(uid % 10 == 0)))));
    let history = |uid: u64| vec![0; (uid % 32).try_into().unwrap()].into_boxed_slice();
    marks.histories.extend((0..histories).map(|uid| (uid, history(uid))));
    let mut checkpoint = checkpoint(marks);
    checkpoint
        .scopes
        .insert("".into(), super::super::Scope { since: 0, watermark: 0 });
    let job = FinishedJob::new(AckState::Acknowledged, "", NOW, 0);
    checkpoint.reported.extend((0..jobs).map(|uid| (uid, job.clone())));
    checkpoint
}

#[test]
fn marks_survive_a_restart() {
    let bytes = checkpoint(example()).encode(NOW);
    let read = decode(bytes.clone());
    assert_eq!(read.marks, example());
    assert_eq!(decode(read.clone().encode(NOW)).marks, example());
    assert_eq!(bytes[0], 4);
}

#[test]
fn every_reason_survives_a_restart() {
    for (first, reason) in (0..).zip(MissReason::ALL) {
        let mut marks = Marks::default();
        let runs = AnnouncedRuns {
            last: 9,
            count: 1,
            reason,
        };
        marks.announce(&Mark::Missed { cronjob: 1, slot: 9 }, Some((first, runs)));
        assert_eq!(decode(checkpoint(marks.clone()).encode(NOW)).marks, marks, "{reason:?}");
    }
}

#[test]
fn announced_stalls_of_a_former_process_are_open() {
    let mut marks = Marks::default();
    let stalled = Mark::Stalled {
        job: 1,
        cause: "ImagePull".into(),
        since: 1000,
    };
    marks.announce(&stalled, None);
    let read = decode(checkpoint(marks).encode(NOW)).marks;
    assert_eq!(read.stalls[&1].causes, ["ImagePull".into()]);
    assert_eq!((read.stalls[&1].since, read.stalls[&1].is_open), (1000, true));
    assert!(!read.covers(&stalled), "it is reported again while it lasts");
    let recovered = Mark::Recovered {
        job: 1,
        causes: 1,
        is_over: false,
    };
    assert!(!read.covers(&recovered));
}

#[test]
fn a_recovery_covers_the_causes_that_were_reported_before_it() {
    let stalled = |cause: &str| Mark::Stalled {
        job: 1,
        cause: cause.into(),
        since: 1000,
    };
    let recovered = |causes| Mark::Recovered {
        job: 1,
        causes,
        is_over: false,
    };
    let mut marks = Marks::default();
    marks.apply(stalled("ImagePull"));
    // Meanwhile another process has reported one more, which this one does not know to be acknowledged.
    marks.announce(&stalled("ContainerConfig"), None);
    marks.resume_announced();
    marks.apply(recovered(1));
    assert_eq!((marks.stalls[&1].recovered, marks.stalls[&1].is_open), (1, true));
    assert!(marks.announces(&stalled("ContainerConfig")), "it is reported again");
    marks.apply(recovered(2));
    assert_eq!((marks.stalls[&1].recovered, marks.stalls[&1].is_open), (2, false));
    assert!(!marks.announces(&stalled("ContainerConfig")));
}

#[test]
fn version_two_has_no_marks() {
    let mut old = large(10, 0, 0, 0);
    let mut bytes = old.encode(NOW).to_vec();
    bytes[0] = 2;
    // The number of watches, and the marks.
    bytes.truncate(bytes.len() - (8 + 2) - 5 * 4);
    let read = decode(bytes.into());
    assert_eq!((read.reported.len(), &read.marks), (10, &Marks::default()));
    assert!(read.lists(&Uid::from_bytes([0; 16])));
}

#[test]
fn version_three_has_no_positions() {
    let mut bytes = checkpoint(example()).encode(NOW).to_vec();
    bytes[0] = 3;
    // After the version, the time, and the numbers of scopes and of late Jobs.
    bytes.drain(1 + 8 + 2 + 4..1 + 8 + 2 + 4 + (8 + 2));
    let read = decode(bytes.into());
    assert_eq!((&read.marks, &*read.positions), (&example(), &[][..]));
}

#[test]
fn positions_survive_a_restart() {
    let position = |kind, scope: &str, version| StoredPosition {
        kind,
        scope: scope.into(),
        version,
    };
    let positions = [
        position(Kind::Jobs, "", 7),
        position(Kind::Pods, "", u64::MAX),
        position(Kind::Jobs, "team-a", 9),
    ];
    let mut stored = checkpoint(example());
    stored.set_positions(1000, positions.to_vec());
    assert!(stored.has_new_positions());
    let mut read = decode(stored.encode(NOW));
    assert!(!stored.has_new_positions());
    assert_eq!((&read.marks, &*read.positions), (&example(), &positions[..]));
    assert_eq!(read.positions_at, 1000);
    read.set_positions(1000, positions.to_vec());
    assert!(!read.has_new_positions(), "nothing has changed");
}

#[test]
fn truncated_marks_are_errors() {
    let mut stored = checkpoint(example());
    stored.set_positions(
        1000,
        vec![StoredPosition {
            kind: Kind::Pods,
            scope: "a".into(),
            version: 7,
        }],
    );
    let bytes = stored.encode(NOW);
    for length in 0..bytes.len() {
        let error = Checkpoint::decode(bytes.slice(..length), CAPACITY).unwrap_err();
        assert!(error.to_string().contains("truncated"), "{length}: {error}");
    }
}

#[test]
fn a_cause_that_is_no_text_is_an_error() {
    let mut bytes = BytesMut::from(&checkpoint(example()).encode(NOW)[..]);
    let at = bytes.windows(9).position(|part| part == b"ImagePull").unwrap();
    bytes[at] = 0xff;
    let error = Checkpoint::decode(bytes.freeze(), CAPACITY).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

#[test]
fn impossible_values_are_stored_as_possible_ones() {
    let mut marks = Marks::default();
    marks.cronjobs.insert(
        1,
        CronJobMark {
            slot: -5,
            failures: u32::MAX,
            last_success: i64::MAX,
            last_failure: -1,
            generation: u16::MAX,
        },
    );
    let long = "ü".repeat(200);
    let causes = vec![long.as_str().into(); 300];
    let (since, is_open, recovered) = (i64::MIN, true, 300);
    let stall = StallMark {
        since,
        is_open,
        causes,
        recovered,
    };
    marks.stalls.insert(2, stall);
    marks.histories.insert(3, vec![1; 1000].into());
    let read = decode(checkpoint(marks).encode(NOW)).marks;
    let cronjob = read.cronjobs[&1];
    assert_eq!(
        (cronjob.slot, cronjob.failures, cronjob.last_success),
        (0, u32::from(u16::MAX), i64::from(u32::MAX))
    );
    let stall = &read.stalls[&2];
    assert_eq!((stall.since, stall.causes.len(), stall.recovered), (i64::MIN, 255, 255));
    assert_eq!(&*stall.causes[0], &long[..254]);
    assert_eq!(read.histories[&3].len(), 255);
}

#[test]
fn slots_from_the_future_are_corrected() {
    let now = NOW.as_second();
    let mut marks = Marks::default();
    marks.cronjobs.insert(1, cronjob(now + 86_400, 0));
    marks.cronjobs.insert(2, cronjob(now + 30, 0));
    let mut read = decode(checkpoint(marks).encode(NOW));
    assert_eq!(read.correct(NOW), None, "no Job is concerned");
    assert_eq!(read.marks.cronjobs[&1].slot, now);
    assert_eq!(read.marks.cronjobs[&2].slot, now + 30, "clocks differ by that");
    assert!(read.is_dirty());
}

/// The most that `k8s_storage` takes.
const SMALL: usize = 188_000;

#[test]
fn a_small_store_takes_five_thousand_cronjobs() {
    let mut checkpoint = large(3000, 500, 5000, 200).with_max_size(SMALL);
    let bytes = checkpoint.encode(NOW);
    assert_eq!(checkpoint.omitted(), 0, "{} bytes", bytes.len());
    assert_eq!(decode(bytes).marks, checkpoint.marks);
}

#[test]
fn omits_marks_in_the_order_of_their_importance() {
    let encode = |jobs, stalls, cronjobs, histories| {
        let mut checkpoint = large(jobs, stalls, cronjobs, histories).with_max_size(SMALL);
        let bytes = checkpoint.encode(NOW);
        assert!(bytes.len() <= SMALL, "{}", bytes.len());
        let stored = decode(bytes);
        assert_eq!(stored.reported.len(), checkpoint.reported.len());
        let sum = |marks: &Marks| marks.stalls.len() + marks.cronjobs.len() + marks.histories.len();
        assert_eq!(checkpoint.omitted(), sum(&checkpoint.marks) - sum(&stored.marks));
        stored.marks
    };
    // Histories first, the shortest of them.
    let marks = encode(3000, 500, 5000, 5000);
    assert_eq!((marks.stalls.len(), marks.cronjobs.len()), (500, 5000));
    assert!(!marks.histories.is_empty() && marks.histories.len() < 5000);
    assert!(marks.histories.values().all(|durations| durations.len() > 16));
    // Then CronJobs without failures that ran longest ago.
    let marks = encode(10_000, 500, 5000, 5000);
    assert_eq!((marks.stalls.len(), marks.histories.len()), (500, 0));
    assert!(marks.cronjobs.len() > 1000 && marks.cronjobs.len() < 5000);
    assert!(
        (0..5000).step_by(10).all(|uid| marks.cronjobs.contains_key(&uid)),
        "failures"
    );
    assert!(marks.cronjobs.contains_key(&4999) && !marks.cronjobs.contains_key(&1));
    // Then stalls that have ended.
    let marks = encode(10_000, 1500, 5000, 5000);
    assert!(marks.cronjobs.len() < 3 && marks.stalls.len() < 1500);
    assert!((0..1500).step_by(2).all(|uid| marks.stalls.contains_key(&uid)), "open");
    assert!(marks.stalls.contains_key(&1499) && !marks.stalls.contains_key(&1));
}

#[test]
fn adopting_keeps_the_size() {
    let mut outbox = crate::outbox::Outbox::new(Checkpoint::new(10).with_max_size(100));
    outbox.adopt(large(0, 100, 0, 0));
    assert!(outbox.encode(NOW).len() <= 100);
    assert!(outbox.checkpoint().omitted() > 90);
}
