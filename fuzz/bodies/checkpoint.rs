//! Properties of the receiver's stored checkpoint for arbitrary bytes, which may be damaged or foreign. Run by a fuzz
//! target, and by `cargo test` on damaged checkpoints.
//!
//! Input: the bytes of a checkpoint.

use bytes::Bytes;
use jiff::Timestamp;
use job_event::Uid;
use job_tracker::checkpoint::Checkpoint;

const CAPACITY: usize = 64;

/// Panics if something does not hold.
pub fn run(data: &[u8]) {
    let mut stored = match Checkpoint::decode(Bytes::copy_from_slice(data), CAPACITY) {
        Ok(stored) => stored,
        Err(error) => {
            let error = error.to_string();
            assert!(error.starts_with("cannot read the stored checkpoint: "), "{error}");
            return;
        }
    };
    let now = Timestamp::constant(1_795_450_476, 0);
    stored.name_parts(&["a".into(), "b".into()]);
    stored.correct(now);
    assert_eq!(
        stored.correct(now).filter(|future| future.is_corrected),
        None,
        "corrected once"
    );
    stored.begin("a", now);
    stored.passes(now, Some(now));

    let (told, pending) = (Uid::new("told"), Uid::new("pending"));
    let mut running = Checkpoint::new(CAPACITY);
    running.begin("a", now);
    for uid in [told, pending] {
        running.decided("a", uid, now);
    }
    running.adopt(stored.clone());
    running.decided_now("a", Some(now));
    running.told(&told);
    running.over(&told, now);
    let again = Checkpoint::decode(running.encode(now), CAPACITY).expect("what was written can be read");
    assert_eq!(again.saved_at(), Some(now));
    assert!(
        again.is_told("a", &told, now) || !running.lists(&told),
        "what was reported stays so"
    );
    assert!(!again.lists(&pending) || stored.lists(&pending), "what was not is not");
}

/// A checkpoint as it is stored, for inputs to begin with.
#[allow(dead_code, reason = "the fuzz target itself needs none")]
pub fn example() -> Bytes {
    let at = |second| Timestamp::from_second(1_795_450_000 + second).unwrap_or_default();
    let mut checkpoint = Checkpoint::new(CAPACITY);
    for part in ["", "shop", "billing"] {
        checkpoint.begin(part, at(0));
        for number in 0..20_i64 {
            let uid = Uid::new(&format!("{part}-{number}"));
            checkpoint.decided(part, uid, at(number * 30));
            if number != 7 {
                checkpoint.told(&uid);
            }
            if number % 3 != 0 {
                checkpoint.over(&uid, at(number * 30 + 1));
            }
        }
    }
    checkpoint.encode(at(700))
}
