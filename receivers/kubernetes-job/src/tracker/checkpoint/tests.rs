//! What survives a restart.

use bytes::{BufMut, Bytes};

use super::*;

const CAPACITY: usize = 100;
/// What the local clock shows when it is stored.
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
fn the_watermark_follows_but_not_past_what_is_still_on_its_way() {
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
fn a_job_whose_pods_still_run_is_listed_until_nothing_more_is_written_about_it() {
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
fn what_is_on_its_way_here_may_have_been_told_by_another_replica() {
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
fn what_is_no_checkpoint_is_refused() {
    let decode = |bytes: &'static [u8]| {
        let error = Checkpoint::decode(Bytes::from_static(bytes), 1).unwrap_err();
        error.to_string()
    };
    assert!(decode(b"").contains("too early"));
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
