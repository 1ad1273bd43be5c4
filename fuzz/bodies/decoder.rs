//! Properties of the watch line decoder for arbitrary bytes. Run by a fuzz target, and by `cargo test` on mutated
//! recordings.
//!
//! Input: a byte that says how long chunks are, then the stream.

use job_tracker::replay;
use job_watch::decode::{Line, Lines, WatchEvent, watch_line};
use job_watch::model::{CronJob, Event, Job, Pod, Watched};

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let Some((chunk, stream)) = data.split_first() else {
        return;
    };
    let (lines, cut) = lines_of(stream.chunks(usize::from(*chunk).max(1)));
    let whole = lines_of(std::iter::once(stream));
    assert_eq!((&lines, cut), (&whole.0, whole.1), "lines depend on where chunks end");
    let rest = stream.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    assert_eq!(cut, !rest.is_empty());
    let mut expected: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    expected.pop();
    assert_eq!(lines, expected, "lines are lost, added or changed");
    for line in lines.iter().map(Vec::as_slice).chain([rest]) {
        read::<Job>(line);
        read::<Pod>(line);
        read::<Event>(line);
        read::<CronJob>(line);
        if let Ok(text) = std::str::from_utf8(line)
            && let Err(problem) = replay::read_line(text)
        {
            assert!(!problem.to_string().is_empty());
        }
    }
}

fn lines_of<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut lines = Lines::default();
    let mut all = Vec::new();
    for chunk in chunks {
        lines.push(chunk, |line| match line {
            Line::Whole(line) => all.push(line.to_vec()),
            Line::TooLong => panic!("no input of a fuzzer is longer than the longest line"),
        });
    }
    (all, lines.is_cut())
}

/// Decoding is deterministic; a decoded object has a UID, a failure has a reason.
fn read<T: Watched + PartialEq + std::fmt::Debug>(line: &[u8]) {
    let read = watch_line::<T>(line);
    match &read {
        Ok(WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) => {
            assert!(!object.metadata().uid.is_empty());
            assert_eq!(watch_line::<T>(line).ok(), read.ok());
        }
        Ok(WatchEvent::Bookmark { .. } | WatchEvent::Error(_)) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
