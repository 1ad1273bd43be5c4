//! Checkpoints across restarts.

use bytes::{BufMut, Bytes};

use super::super::*;
use crate::checkpoint::FromTheFuture;

const CAPACITY: usize = 100;
/// The local clock when the checkpoint is stored.
const NOW: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id(n: u32) -> Uid {
    Uid::new(&format!("00000000-0000-0000-0000-{n:012x}"))
}

fn new() -> Outbox {
    Outbox::new(Checkpoint::new(CAPACITY))
}

fn restart(outbox: &mut Outbox) -> Outbox {
    Outbox::new(Checkpoint::decode(outbox.encode(at(NOW)), CAPACITY).unwrap())
}

/// True if a Job that finished at `second` needs no report.
fn is_reported(outbox: &Outbox, scope: &str, n: u32, second: i64) -> bool {
    outbox.checkpoint().is_reported(scope, &id(n), at(second))
}

/// The Job finishes and its event is acknowledged.
fn report_in(outbox: &mut Outbox, scope: &str, n: u32, second: i64) {
    outbox.finished(scope, id(n), at(second));
    acknowledge(outbox, n);
}

fn acknowledge(outbox: &mut Outbox, n: u32) {
    outbox.apply(&id(n), AckEvent::Sent);
    outbox.apply(&id(n), AckEvent::Acknowledged);
}

fn report(outbox: &mut Outbox, n: u32, second: i64) {
    outbox.time_passes(at(second), None);
    report_in(outbox, "", n, second);
    outbox.over(&id(n), at(second));
}

#[test]
fn after_a_restart_only_acknowledged_jobs_are_reported_ones() {
    let mut outbox = new();
    outbox.begin("", at(1000));
    report(&mut outbox, 1, 1010);
    outbox.finished("", id(2), at(1011));
    let mut after = restart(&mut outbox);
    after.begin("", at(5000));
    assert_eq!(after.checkpoint().saved_at(), Some(at(NOW)));
    assert!(is_reported(&after, "", 1, 1010));
    assert!(!is_reported(&after, "", 2, 1011), "not acknowledged");
    assert!(!is_reported(&after, "", 3, 1009), "never observed");
    assert!(is_reported(&after, "", 4, 999), "before the first start");
}

#[test]
fn watermark_stops_at_pending_reports() {
    let mut outbox = new();
    outbox.begin("", at(0));
    outbox.finished("", id(0), at(5));
    for n in 1..=50 {
        report(&mut outbox, n, i64::from(n) * 60);
    }
    let after = restart(&mut outbox);
    assert_eq!(after.checkpoint.reported.len(), 50);
    assert!(!is_reported(&after, "", 0, 5));
    assert!(!is_reported(&after, "", 99, 600));
    acknowledge(&mut outbox, 0);
    outbox.over(&id(0), at(6));
    let after = restart(&mut outbox);
    // 3000 - 300 - 60 is the oldest that is listed.
    assert_eq!(after.checkpoint.reported.len(), 7);
    assert!(is_reported(&after, "", 0, 5));
    assert!(is_reported(&after, "", 10, 600));
    assert!(is_reported(&after, "", 99, 600), "finished before the watermark");
    assert!(!is_reported(&after, "", 99, 2700));
}

#[test]
fn late_jobs_outlive_restarts_that_list_nothing() {
    let mut outbox = new();
    outbox.begin("", at(0));
    outbox.finished("", id(0), at(5));
    outbox.finished("", id(1), at(6));
    for n in 2..=2 + 2 * u32::try_from(CAPACITY).unwrap() {
        report(&mut outbox, n, 1000);
    }
    let mut after = restart(&mut restart(&mut outbox));
    for n in [0, 1] {
        assert!(!is_reported(&after, "", n, 5), "late, and not listed since");
    }
    // One of them is listed and acknowledged, the other one is gone.
    after.list_begins("");
    report_in(&mut after, "", 0, 5);
    after.list_ends("");
    let after = restart(&mut after);
    assert!(is_reported(&after, "", 0, 5) && is_reported(&after, "", 1, 6));
}

#[test]
fn the_watermark_does_not_move_during_a_list() {
    let mut outbox = new();
    outbox.begin("", at(0));
    outbox.list_begins("");
    report(&mut outbox, 1, 5000);
    let after = restart(&mut outbox);
    assert!(!is_reported(&after, "", 2, 10), "not listed yet");
    outbox.list_ends("");
    let after = restart(&mut outbox);
    assert!(is_reported(&after, "", 2, 10), "it would have been in the list");
}

#[test]
fn keeps_a_job_listed_while_its_pods_run() {
    let mut outbox = new();
    outbox.begin("", at(0));
    report_in(&mut outbox, "", 0, 10);
    for n in 1..=50 {
        report(&mut outbox, n, i64::from(n) * 60);
    }
    let mut after = restart(&mut outbox);
    assert!(after.checkpoint().lists(&id(0)), "its Event is still to come");
    after.over(&id(0), at(3000));
    let mut after = restart(&mut after);
    assert!(is_reported(&after, "", 0, 3005), "as the Event may say");
    for n in 51..=70 {
        report(&mut after, n, i64::from(n) * 60);
    }
    assert!(!restart(&mut after).checkpoint().lists(&id(0)));
}

#[test]
fn bounds_jobs_that_finish_in_one_second() {
    let mut outbox = new();
    outbox.begin("", at(0));
    outbox.finished("", id(0), at(100));
    for n in 1..=1000 {
        report(&mut outbox, n, 100 + i64::from(n / 60));
        assert!(outbox.checkpoint.reported.len() <= CAPACITY + CAPACITY / 4 + 1);
    }
    let after = restart(&mut outbox);
    assert!(after.checkpoint.reported.len() <= CAPACITY);
    for n in 1..=1000 {
        assert!(is_reported(&after, "", n, 100 + i64::from(n / 60)), "{n}");
    }
    assert!(!is_reported(&after, "", 0, 100));
    assert!(!is_reported(&after, "", 2000, 116));
}

#[test]
fn each_separately_watched_namespace_has_a_watermark() {
    let mut outbox = new();
    outbox.begin("a", at(0));
    outbox.begin("b", at(0));
    for n in 1..=20 {
        report_in(&mut outbox, "a", n, i64::from(n) * 60);
        outbox.over(&id(n), at(i64::from(n) * 60));
    }
    let mut after = restart(&mut outbox);
    assert!(is_reported(&after, "a", 99, 600));
    assert!(!is_reported(&after, "b", 99, 600), "nothing in b was observed yet");
    after.begin("", at(9999));
    assert!(
        !is_reported(&after, "", 99, 600),
        "watching more scopes is not a first start"
    );
}

#[test]
fn another_replica_may_watch_fewer_namespaces() {
    let mut other = new();
    other.begin("a", at(0));
    let mut outbox = new();
    for scope in ["a", "b"] {
        outbox.begin(scope, at(0));
    }
    outbox.adopt(other.checkpoint);
    report_in(&mut outbox, "b", 1, 10);
    assert!(is_reported(&restart(&mut outbox), "b", 1, 10));
}

#[test]
fn pending_job_may_be_reported_by_another_replica() {
    let mut leader = new();
    leader.begin("", at(0));
    report(&mut leader, 1, 10);
    let mut follower = new();
    follower.begin("", at(0));
    for n in [1, 2] {
        follower.finished("", id(n), at(10));
    }
    follower.adopt(restart(&mut leader).checkpoint);
    assert_eq!(follower.pending.len(), 1);
    assert!(follower.checkpoint().lists(&id(1)) && !follower.checkpoint().lists(&id(2)));
}

#[test]
fn rejects_invalid_checkpoints() {
    let decode = |bytes: &'static [u8]| {
        let error = Checkpoint::decode(Bytes::from_static(bytes), 1).unwrap_err();
        error.to_string()
    };
    assert!(decode(b"").contains("truncated"));
    assert!(decode(&[9]).contains("version 9"));
    let mut outbox = new();
    outbox.begin("shop", at(0));
    report_in(&mut outbox, "shop", 1, 10);
    let bytes = outbox.encode(at(1));
    for length in 0..bytes.len() {
        assert!(Checkpoint::decode(bytes.slice(..length), CAPACITY).is_err(), "{length}");
    }
}

#[test]
fn a_verdict_from_the_future_moves_no_watermark() {
    let mut outbox = new();
    outbox.begin("", at(0));
    report(&mut outbox, 1, 5000);
    report_in(&mut outbox, "", 2, 253_000_000_000);
    outbox.over(&id(2), at(253_000_000_000));
    let after = restart(&mut outbox);
    assert!(after.checkpoint().lists(&id(2)), "it may be listed again");
    assert!(!is_reported(&after, "", 3, 4800), "not passed by it");
    assert!(is_reported(&after, "", 4, 4600), "passed by the other one");
}

#[test]
fn a_late_local_clock_does_not_hold_the_watermark() {
    let mut outbox = new();
    outbox.begin("", at(0));
    outbox.time_passes(at(10), Some(at(NOW)));
    for n in 1..=50 {
        report_in(&mut outbox, "", n, NOW - 3000 + i64::from(n) * 60);
        outbox.over(&id(n), at(10));
    }
    let after = Checkpoint::decode(outbox.encode(at(10)), CAPACITY).unwrap();
    assert_eq!(after.reported.len(), 7);
}

#[test]
fn a_job_finished_live_corrects_the_first_start() {
    let mut outbox = new();
    outbox.begin("", at(90_000));
    outbox.time_passes(at(90_000), Some(at(3590)));
    outbox.finished_live("", Some(at(3600)));
    for (second, reported) in [(3500, true), (3599, true), (3600, false), (90_000, false)] {
        assert_eq!(is_reported(&outbox, "", 1, second), reported, "{second}");
    }
    // A verdict's time does not move the watermark past the API server's time.
    outbox.finished_live("", Some(at(0)));
    assert!(is_reported(&outbox, "", 1, 3500));
    outbox.finished_live("", None);
    assert!(restart(&mut outbox).checkpoint().is_reported("", &id(1), at(3500)));
}

#[test]
fn corrects_checkpoints_from_the_future() {
    let stored = |outbox: &mut Outbox| restart(outbox).checkpoint;
    let correct = |stored: &Checkpoint, now| {
        let mut stored = stored.clone();
        let corrected = stored.correct(at(now));
        let corrected = corrected.map(|FromTheFuture { latest, is_corrected }| (latest, is_corrected));
        (corrected, Outbox::new(stored))
    };
    let mut outbox = new();
    outbox.begin("", at(NOW));
    let first_start = stored(&mut outbox);
    assert_eq!(correct(&first_start, NOW).0, None);
    assert_eq!(correct(&first_start, NOW - 60).0, None, "clocks differ by that");
    let now = NOW - 86_400;
    let (corrected, after) = correct(&first_start, now);
    assert_eq!(corrected, Some((at(NOW), true)));
    assert!(is_reported(&after, "", 1, now - 1) && !is_reported(&after, "", 1, now));
    assert!(after.checkpoint().is_dirty());
    // The watermark is the cluster's time: then the local clock is behind, and nothing is wrong with the checkpoint.
    let mut outbox = new();
    outbox.begin("", at(0));
    report(&mut outbox, 1, NOW);
    let right = stored(&mut outbox);
    let (corrected, after) = correct(&right, NOW - 7200);
    assert_eq!(corrected, Some((at(NOW), false)));
    assert!(is_reported(&after, "", 2, NOW - 301));
    // Unless it is too far ahead for any clock.
    let (corrected, after) = correct(&right, 1);
    assert_eq!(corrected, Some((at(NOW), true)));
    assert!(!is_reported(&after, "", 2, NOW - 301));
}

/// Name, watermark, and Jobs with the seconds after it.
type ScopeOne<'a> = (&'a str, i64, &'a [(u32, u32)]);

/// As the first version wrote it.
fn version_one(scopes: &[ScopeOne<'_>], late: &[u32]) -> Bytes {
    let mut bytes = vec![1];
    bytes.put_i64(NOW);
    bytes.put_u16(scopes.len().try_into().unwrap());
    for (name, watermark, jobs) in scopes {
        bytes.put_u16(name.len().try_into().unwrap());
        bytes.put_slice(name.as_bytes());
        bytes.put_i64(*watermark);
        bytes.put_u32(jobs.len().try_into().unwrap());
        for (n, after) in *jobs {
            bytes.put_u64(id(*n).short());
            bytes.put_u32(*after);
            bytes.put_u16(0);
        }
    }
    bytes.put_u32(late.len().try_into().unwrap());
    for n in late {
        bytes.put_u64(id(*n).short());
    }
    bytes.into()
}

fn read(bytes: Bytes, scopes: &[Box<str>]) -> Outbox {
    let mut checkpoint = Checkpoint::decode(bytes, CAPACITY).unwrap();
    checkpoint.name_scopes(scopes);
    Outbox::new(checkpoint)
}

#[test]
fn reads_version_one() {
    let read_once = read(version_one(&[("", 1000, &[(1, 10)])], &[2]), &[]);
    let again = restart(&mut read(version_one(&[("", 1000, &[(1, 10)])], &[2]), &[]));
    for outbox in [&read_once, &again] {
        assert_eq!(outbox.checkpoint().saved_at(), Some(at(NOW)));
        assert!(is_reported(outbox, "", 1, 1010));
        assert!(!is_reported(outbox, "", 3, 1000) && is_reported(outbox, "", 3, 999));
    }
    let late = read(version_one(&[("", 1000, &[])], &[2]), &[]);
    assert!(!is_reported(&late, "", 2, 990), "it is late");
}

#[test]
fn corrects_the_scope_names_of_version_one() {
    let stored = version_one(&[("", 100, &[(1, 10)]), ("a", 200, &[(2, 20)]), ("b", 5, &[])], &[]);
    let outbox = restart(&mut read(stored, &["a".into(), "b".into()]));
    for (scope, watermark, reported) in [("a", 100, 1), ("b", 200, 2)] {
        assert!(is_reported(&outbox, scope, 9, watermark - 1), "{scope}");
        assert!(!is_reported(&outbox, scope, 9, watermark), "{scope}");
        assert!(outbox.checkpoint().lists(&id(reported)));
    }
    assert_eq!(outbox.checkpoint.scopes.len(), 2);
}

#[test]
fn rejects_trailing_bytes() {
    let mut bytes = new().encode(at(1)).to_vec();
    bytes.push(0);
    let error = Checkpoint::decode(bytes.into(), CAPACITY).unwrap_err();
    assert!(error.to_string().contains("1 bytes after"), "{error}");
}
