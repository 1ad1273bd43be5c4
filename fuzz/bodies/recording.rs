//! Properties of the reader of recordings, for any bytes: it ends within its limits, with Jobs or with the line that it cannot
//! use. Run by a fuzz target, and by `cargo test` on mutated recordings.
//!
//! Input: a recording, plain or compressed.

use std::collections::BTreeSet;

use job_tracker::TrackerSettings;
use job_tracker::replay::{Limits, Replay, ReplayProblem, decompressed, replay_within};

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits {
    line: 64 * 1024,
    bytes: 256 * 1024,
    objects: 4096,
};

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let lines = decompressed(data).expect("a slice can be read");
    let settings = TrackerSettings::default();
    let is_plain = !data.starts_with(&[0x1f, 0x8b]);
    match replay_within(lines, settings.clone(), LIMITS) {
        Ok(Replay { ended, unfinished, .. }) => {
            let mut uids = BTreeSet::new();
            for evidence in &ended {
                assert!(evidence.job.outcome().is_final());
                assert!(uids.insert(&evidence.job.uid), "a Job was reported twice");
            }
            assert!(!is_plain || data.len() as u64 <= LIMITS.bytes);
            if is_plain {
                // Compression changes nothing.
                let compressed = compressed(data);
                let lines = decompressed(&*compressed).expect("a slice can be read");
                let again = replay_within(lines, settings, LIMITS).expect("the same recording");
                assert_eq!((again.ended, again.unfinished), (ended, unfinished));
            }
        }
        Err(error) => {
            assert!(error.line > 0 && error.to_string().starts_with(&format!("line {}: ", error.line)));
            match error.problem {
                ReplayProblem::TooMuch(_) if is_plain => assert!(data.len() as u64 > LIMITS.bytes),
                ReplayProblem::TooLong(_) if is_plain => {
                    let longest = data.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
                    assert!(longest > Some(LIMITS.line));
                }
                ReplayProblem::Io(_) => assert!(!is_plain, "a slice can be read"),
                _ => {}
            }
        }
    }
}

fn compressed(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, data).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}
