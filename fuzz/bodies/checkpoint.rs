//! Properties of the receiver's stored checkpoint for arbitrary bytes, which may be damaged or foreign. Run by a fuzz
//! target, and by `cargo test` on damaged checkpoints.
//!
//! Input: the bytes of a checkpoint.

use bytes::Bytes;
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
    outbox.encode(at(700))
}
