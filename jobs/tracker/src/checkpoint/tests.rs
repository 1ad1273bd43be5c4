//! Checkpoints across restarts.

use bytes::{BufMut, Bytes};

use super::*;

const CAPACITY: usize = 100;
/// The local clock when the checkpoint is stored.
const NOW: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id(n: u32) -> Uid {
    Uid::new(&format!("00000000-0000-0000-0000-{n:012x}"))
}

fn restart(checkpoint: &mut Checkpoint) -> Checkpoint {
    Checkpoint::decode(checkpoint.encode(at(NOW)), CAPACITY).unwrap()
}

fn tell(checkpoint: &mut Checkpoint, n: u32, second: i64) {
    checkpoint.passes(at(second), None);
    checkpoint.decided("", id(n), at(second));
    checkpoint.told(&id(n));
    checkpoint.over(&id(n), at(second));
}

#[test]
fn only_what_was_told_is_told_after_a_restart() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(1000));
    tell(&mut checkpoint, 1, 1010);
    checkpoint.decided("", id(2), at(1011));
    let mut after = restart(&mut checkpoint);
    after.begin("", at(5000));
    assert_eq!(after.saved_at(), Some(at(NOW)));
    assert!(after.is_told("", &id(1), at(1010)));
    assert!(!after.is_told("", &id(2), at(1011)), "it was on its way");
    assert!(!after.is_told("", &id(3), at(1009)), "nobody has seen it");
    assert!(after.is_told("", &id(4), at(999)), "before the first start");
}

#[test]
fn watermark_stops_at_pending_reports() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    checkpoint.decided("", id(0), at(5));
    for n in 1..=50 {
        tell(&mut checkpoint, n, i64::from(n) * 60);
    }
    let after = restart(&mut checkpoint);
    assert_eq!(after.told.len(), 50);
    assert!(!after.is_told("", &id(0), at(5)));
    assert!(!after.is_told("", &id(99), at(600)));
    checkpoint.told(&id(0));
    checkpoint.over(&id(0), at(6));
    let after = restart(&mut checkpoint);
    // 3000 - 300 - 60 is the oldest that is listed.
    assert_eq!(after.told.len(), 7);
    assert!(after.is_told("", &id(0), at(5)));
    assert!(after.is_told("", &id(10), at(600)));
    assert!(
        after.is_told("", &id(99), at(600)),
        "whatever lies before the watermark"
    );
    assert!(!after.is_told("", &id(99), at(2700)));
}

#[test]
fn the_watermark_does_not_pass_what_the_next_page_may_hold() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    checkpoint.list_begins("");
    tell(&mut checkpoint, 1, 5000);
    let after = restart(&mut checkpoint);
    assert!(!after.is_told("", &id(2), at(10)), "nobody has seen it yet");
    checkpoint.list_ends("");
    let after = restart(&mut checkpoint);
    assert!(after.is_told("", &id(2), at(10)), "it would have been in the list");
}

#[test]
fn keeps_a_job_listed_while_its_pods_run() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    checkpoint.decided("", id(0), at(10));
    checkpoint.told(&id(0));
    for n in 1..=50 {
        tell(&mut checkpoint, n, i64::from(n) * 60);
    }
    let mut after = restart(&mut checkpoint);
    assert!(after.lists(&id(0)), "its Event is still to come");
    after.over(&id(0), at(3000));
    let mut after = restart(&mut after);
    assert!(after.is_told("", &id(0), at(3005)), "as the Event may say");
    for n in 51..=70 {
        tell(&mut after, n, i64::from(n) * 60);
    }
    assert!(!restart(&mut after).lists(&id(0)));
}

#[test]
fn it_is_bounded_whatever_happens_in_one_second() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    checkpoint.decided("", id(0), at(100));
    for n in 1..=1000 {
        tell(&mut checkpoint, n, 100 + i64::from(n / 60));
        assert!(checkpoint.told.len() <= CAPACITY + CAPACITY / 4 + 1);
    }
    let after = restart(&mut checkpoint);
    assert!(after.told.len() <= CAPACITY);
    for n in 1..=1000 {
        assert!(after.is_told("", &id(n), at(100 + i64::from(n / 60))), "{n}");
    }
    assert!(!after.is_told("", &id(0), at(100)));
    assert!(!after.is_told("", &id(2000), at(116)));
}

#[test]
fn each_namespace_that_is_watched_by_itself_has_its_own_watermark() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("a", at(0));
    checkpoint.begin("b", at(0));
    for n in 1..=20 {
        checkpoint.decided("a", id(n), at(i64::from(n) * 60));
        checkpoint.told(&id(n));
        checkpoint.over(&id(n), at(i64::from(n) * 60));
    }
    let mut after = restart(&mut checkpoint);
    assert!(after.is_told("a", &id(99), at(600)));
    assert!(!after.is_told("b", &id(99), at(600)), "nothing of b was seen yet");
    after.begin("", at(9999));
    assert!(
        !after.is_told("", &id(99), at(600)),
        "watching more than before is no first start"
    );
}

#[test]
fn pending_job_may_be_reported_by_another_replica() {
    let mut leader = Checkpoint::new(CAPACITY);
    leader.begin("", at(0));
    tell(&mut leader, 1, 10);
    let mut follower = Checkpoint::new(CAPACITY);
    follower.begin("", at(0));
    for n in [1, 2] {
        follower.decided("", id(n), at(10));
    }
    follower.adopt(restart(&mut leader));
    assert_eq!(follower.pending(), 1);
    assert!(follower.lists(&id(1)) && !follower.lists(&id(2)));
}

#[test]
fn rejects_invalid_checkpoints() {
    let decode = |bytes: &'static [u8]| {
        let error = Checkpoint::decode(Bytes::from_static(bytes), 1).unwrap_err();
        error.to_string()
    };
    assert!(decode(b"").contains("truncated"));
    assert!(decode(&[9]).contains("version 9"));
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("shop", at(0));
    checkpoint.decided("shop", id(1), at(10));
    checkpoint.told(&id(1));
    let bytes = checkpoint.encode(at(1));
    for length in 0..bytes.len() {
        assert!(Checkpoint::decode(bytes.slice(..length), CAPACITY).is_err(), "{length}");
    }
}

#[test]
fn a_verdict_keeps_its_own_time_and_moves_no_watermark_past_the_cluster() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    tell(&mut checkpoint, 1, 5000);
    checkpoint.decided("", id(2), at(253_000_000_000));
    checkpoint.told(&id(2));
    checkpoint.over(&id(2), at(253_000_000_000));
    let after = restart(&mut checkpoint);
    assert!(after.lists(&id(2)), "it may be listed again");
    assert!(!after.is_told("", &id(3), at(4800)), "not passed by it");
    assert!(after.is_told("", &id(4), at(4600)), "passed by the other one");
}

#[test]
fn a_local_clock_that_is_behind_does_not_hold_the_watermark() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    checkpoint.passes(at(10), Some(at(NOW)));
    for n in 1..=50 {
        checkpoint.decided("", id(n), at(NOW - 3000 + i64::from(n) * 60));
        checkpoint.told(&id(n));
        checkpoint.over(&id(n), at(10));
    }
    let after = Checkpoint::decode(checkpoint.encode(at(10)), CAPACITY).unwrap();
    assert_eq!(after.told.len(), 7);
}

#[test]
fn a_job_decided_live_shows_that_the_first_start_was_ahead() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(90_000));
    checkpoint.passes(at(90_000), Some(at(3590)));
    checkpoint.decided_now("", Some(at(3600)));
    for (second, told) in [(3500, true), (3599, true), (3600, false), (90_000, false)] {
        assert_eq!(checkpoint.is_told("", &id(1), at(second)), told, "{second}");
    }
    // A verdict's time does not move the watermark past the API server's time.
    checkpoint.decided_now("", Some(at(0)));
    assert!(checkpoint.is_told("", &id(1), at(3500)));
    checkpoint.decided_now("", None);
    assert!(restart(&mut checkpoint).is_told("", &id(1), at(3500)));
}

#[test]
fn corrects_checkpoints_from_the_future() {
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(NOW));
    let mut stored = restart(&mut checkpoint);
    assert_eq!(stored.clone().correct(at(NOW)), None);
    assert_eq!(stored.clone().correct(at(NOW - 60)), None, "clocks differ by that");
    let is_corrected = |corrected: Option<FromTheFuture>| corrected.map(|future| (future.latest, future.is_corrected));
    let now = NOW - 86_400;
    assert_eq!(is_corrected(stored.correct(at(now))), Some((at(NOW), true)));
    assert!(stored.is_told("", &id(1), at(now - 1)) && !stored.is_told("", &id(1), at(now)));
    assert!(stored.is_dirty());
    // The watermark is the cluster's time: then the local clock is behind, and nothing is wrong with the checkpoint.
    let mut checkpoint = Checkpoint::new(CAPACITY);
    checkpoint.begin("", at(0));
    tell(&mut checkpoint, 1, NOW);
    let mut stored = restart(&mut checkpoint);
    assert_eq!(is_corrected(stored.correct(at(NOW - 7200))), Some((at(NOW), false)));
    assert!(stored.is_told("", &id(2), at(NOW - 301)));
    // Unless it is too far ahead to be anybody's.
    assert_eq!(is_corrected(stored.correct(at(1))), Some((at(NOW), true)));
    assert!(!stored.is_told("", &id(2), at(NOW - 301)));
}

/// Name, watermark, and Jobs with the seconds after it.
type PartOne<'a> = (&'a str, i64, &'a [(u32, u32)]);

/// As the first version wrote it.
fn version_one(parts: &[PartOne<'_>], late: &[u32]) -> Bytes {
    let mut bytes = vec![1];
    bytes.put_i64(NOW);
    bytes.put_u16(parts.len().try_into().unwrap());
    for (name, watermark, jobs) in parts {
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

#[test]
fn a_checkpoint_of_the_first_version_is_read() {
    let stored = version_one(&[("", 1000, &[(1, 10)])], &[2]);
    let mut checkpoint = Checkpoint::decode(stored, CAPACITY).unwrap();
    checkpoint.name_parts(&[]);
    for checkpoint in [&checkpoint.clone(), &restart(&mut checkpoint)] {
        assert_eq!(checkpoint.saved_at(), Some(at(NOW)));
        assert!(checkpoint.is_told("", &id(1), at(1010)));
        assert!(!checkpoint.is_told("", &id(3), at(1000)) && checkpoint.is_told("", &id(3), at(999)));
    }
    let checkpoint = Checkpoint::decode(version_one(&[("", 1000, &[])], &[2]), CAPACITY).unwrap();
    assert!(!checkpoint.is_told("", &id(2), at(990)), "it is late");
}

#[test]
fn the_first_version_named_each_namespace_like_the_one_before_it() {
    let stored = version_one(&[("", 100, &[(1, 10)]), ("a", 200, &[(2, 20)]), ("b", 5, &[])], &[]);
    let mut checkpoint = Checkpoint::decode(stored, CAPACITY).unwrap();
    checkpoint.name_parts(&["a".into(), "b".into()]);
    let checkpoint = restart(&mut checkpoint);
    for (part, watermark, told) in [("a", 100, 1), ("b", 200, 2)] {
        assert!(checkpoint.is_told(part, &id(9), at(watermark - 1)), "{part}");
        assert!(!checkpoint.is_told(part, &id(9), at(watermark)), "{part}");
        assert!(checkpoint.lists(&id(told)));
    }
    assert_eq!(checkpoint.parts.len(), 2);
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = Checkpoint::new(CAPACITY).encode(at(1)).to_vec();
    bytes.push(0);
    let error = Checkpoint::decode(bytes.into(), CAPACITY).unwrap_err();
    assert!(error.to_string().contains("1 bytes after"), "{error}");
}
