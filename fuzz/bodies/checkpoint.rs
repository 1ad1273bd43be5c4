//! Properties of the receiver's stored checkpoint for arbitrary bytes, which may be damaged or foreign. Run by a fuzz
//! target, and by `cargo test` on damaged checkpoints. The marks of unfinished Jobs and CronJobs are arbitrary too.
//!
//! Input: the bytes of a checkpoint.

use bytes::{BufMut, Bytes};
use jiff::Timestamp;
use job_event::Uid;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::{AckEvent, Outbox};

const CAPACITY: usize = 64;

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let mut stored = match Checkpoint::decode(Bytes::copy_from_slice(data), CAPACITY) {
        Ok(stored) => stored,
        Err(error) => {
            let error = error.to_string();
            assert!(error.starts_with("cannot read the stored checkpoint: "), "{error}");
            return;
        }
    };
    let now = Timestamp::constant(1_795_450_476, 0);
    stored.name_scopes(&["a".into(), "b".into()]);
    stored.correct(now);
    assert_eq!(
        stored.correct(now).filter(|future| future.is_corrected),
        None,
        "corrected once"
    );

    let (reported, pending) = (Uid::new("reported"), Uid::new("pending"));
    let mut running = Outbox::new(Checkpoint::new(CAPACITY));
    running.begin("a", now);
    for uid in [reported, pending] {
        running.finished("a", uid, now);
    }
    running.adopt(stored.clone());
    running.begin("a", now);
    running.time_passes(now, Some(now));
    acknowledge(&mut running, &reported);
    running.over(&reported, now);
    let again = Checkpoint::decode(running.encode(now), CAPACITY).expect("what was written can be read");
    assert_eq!(again.saved_at(), Some(now));
    assert!(
        again.is_reported("a", &reported, now) || !running.checkpoint().lists(&reported),
        "what was reported stays so"
    );
    assert!(!again.lists(&pending) || stored.lists(&pending), "what was not is not");
    bounded(stored, now);
}

/// A checkpoint that is too large is stored without some of its marks.
fn bounded(stored: Checkpoint, now: Timestamp) {
    let whole = Outbox::new(stored.clone()).encode(now).len();
    let unmarked = Outbox::new(stored.clone().with_max_size(0)).encode(now).len();
    for size in [unmarked, whole.midpoint(unmarked), whole] {
        let mut outbox = Outbox::new(stored.clone().with_max_size(size));
        let bytes = outbox.encode(now);
        assert!(bytes.len() <= size, "{} bytes, expected {size} at most", bytes.len());
        assert_eq!(
            outbox.checkpoint().omitted() == 0,
            bytes.len() == whole,
            "omitted marks are counted"
        );
        Checkpoint::decode(bytes, CAPACITY).expect("a smaller checkpoint can be read");
    }
}

fn acknowledge(outbox: &mut Outbox, uid: &Uid) {
    outbox.apply(uid, AckEvent::Sent);
    outbox.apply(uid, AckEvent::Acknowledged);
}

/// A checkpoint as it is stored, for inputs to begin with.
#[allow(dead_code, reason = "the fuzz target itself needs none")]
pub(super) fn example() -> Bytes {
    let at = |second| Timestamp::from_second(1_795_450_000 + second).unwrap_or_default();
    let mut outbox = Outbox::new(Checkpoint::new(CAPACITY));
    for scope in ["", "shop", "billing"] {
        outbox.begin(scope, at(0));
        for number in 0..20_i64 {
            let uid = Uid::new(&format!("{scope}-{number}"));
            outbox.finished(scope, uid, at(number * 30));
            if number != 7 {
                acknowledge(&mut outbox, &uid);
            }
            if number % 3 != 0 {
                outbox.over(&uid, at(number * 30 + 1));
            }
        }
    }
    let bytes = outbox.encode(at(700));
    let marks = bytes.len() - 5 * 4;
    [&bytes[..marks], &example_marks()].concat().into()
}

/// Marks as they are stored: announced stalls and runs, stalls, CronJobs and histories.
fn example_marks() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_u32(1);
    put_stall(&mut bytes, 1, &["ImagePull"]);
    bytes.put_u32(1);
    for time in [2, 1_795_450_000, 1_795_450_060] {
        bytes.put_u64(time);
    }
    bytes.put_u32(2);
    bytes.put_u8(3);
    bytes.put_u32(20);
    for job in 0..20 {
        put_stall(&mut bytes, job, &[]);
        bytes.put_slice(&[1, 0, 2]);
        for cause in ["ImagePull", "Unschedulable"] {
            put_cause(&mut bytes, cause);
        }
    }
    bytes.put_u32(20);
    for cronjob in 0..20 {
        bytes.put_u64(cronjob);
        bytes.put_u64(0x6b04_0000_6b03_0000);
        bytes.put_u16(1);
        bytes.put_u16(3);
        bytes.put_u32(0x6b04_0000);
    }
    bytes.put_u32(20);
    for owner in 0..20 {
        bytes.put_u64(owner);
        bytes.put_u8(owner as u8);
        bytes.put_bytes(7, owner as usize);
    }
    bytes
}

fn put_stall(bytes: &mut Vec<u8>, job: u64, causes: &[&str]) {
    bytes.put_u64(job);
    bytes.put_i64(1_795_450_000);
    for cause in causes {
        put_cause(bytes, cause);
    }
}

fn put_cause(bytes: &mut Vec<u8>, cause: &str) {
    bytes.put_u8(cause.len() as u8);
    bytes.put_slice(cause.as_bytes());
}
