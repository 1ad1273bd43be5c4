use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const LIMITS: Limits = Limits {
    line: 300,
    bytes: 100_000,
    objects: 1000,
};

fn job(number: usize) -> String {
    format!(
        "{{\"t\":0,\"resource\":\"jobs\",\"type\":\"ADDED\",\"object\":{{\"kind\":\"Job\",\"metadata\":\
         {{\"name\":\"j\",\"uid\":\"u{number}\"}}}}}}\n"
    )
}

#[test]
fn orders_jobs_of_one_name() {
    let recording: String = (0..8).map(job).collect();
    let uids = || {
        let lines = decompressed(recording.as_bytes()).unwrap();
        let replay = replay_within(lines, TrackerSettings::default(), LIMITS).unwrap();
        replay
            .unfinished
            .into_iter()
            .map(|evidence| evidence.job.uid)
            .collect::<Vec<_>>()
    };
    let first = uids();
    assert!(first.len() > 1, "{first:?}");
    for _ in 0..20 {
        assert_eq!(uids(), first);
    }
}

fn problem(recording: impl Read, limits: Limits) -> String {
    let lines = decompressed(recording).unwrap();
    let replayed = replay_within(lines, TrackerSettings::default(), limits);
    replayed.err().map(|error| error.to_string()).unwrap_or_default()
}

/// Reads `byte` this many times without a buffer.
fn repeated(byte: u8, times: u64) -> impl Read {
    std::io::repeat(byte).take(times)
}

#[test]
fn rejects_a_recording_with_a_long_line() {
    let at_most = format!("{}\n{}", job(1).trim_end(), " ".repeat(300));
    assert_eq!(problem(at_most.as_bytes(), LIMITS), "");
    let more = format!("{}{}", job(1), " ".repeat(301));
    assert_eq!(
        problem(more.as_bytes(), LIMITS),
        "line 2: longer than 300 bytes; expected one watch event a line"
    );
    assert_eq!(
        problem(repeated(b'A', 1 << 40), Limits::default()),
        "line 1: longer than 16777216 bytes; expected one watch event a line"
    );
}

#[test]
fn rejects_an_endless_recording() {
    let found = problem(repeated(b'\n', 1 << 40), LIMITS);
    assert!(
        found.starts_with("line 100001: the recording is longer than 100000 bytes (after decompression)"),
        "{found}"
    );
    assert_eq!(problem(repeated(b'\n', 100_000), LIMITS), "");
}

#[test]
fn a_compressed_recording_has_the_same_limits() {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut repeated(b'A', 1 << 26), &mut compressed).unwrap();
    let compressed = compressed.finish().unwrap();
    assert!(compressed.len() < 100_000);
    assert!(problem(&*compressed, Limits::default()).starts_with("line 1: longer than 16777216 bytes"));
    let mut good = GzEncoder::new(Vec::new(), Compression::best());
    good.write_all(job(1).as_bytes()).unwrap();
    let mut good = good.finish().unwrap();
    assert_eq!(problem(&*good, LIMITS), "");
    good.truncate(good.len() / 2);
    assert!(problem(&*good, LIMITS).starts_with("line 1: cannot be read"));
}

#[test]
fn rejects_a_recording_of_too_many_jobs() {
    let limits = Limits {
        bytes: u64::MAX,
        ..LIMITS
    };
    let jobs = |number| (0..number).map(job).collect::<String>();
    assert_eq!(problem(jobs(1000).as_bytes(), limits), "");
    let found = problem(jobs(3000).as_bytes(), limits);
    assert!(
        found.contains("the recording contains more than 1000 objects"),
        "{found}"
    );
}

#[test]
fn rejects_a_binary_recording() {
    let found = problem(&b"\xff\xfe\n"[..], LIMITS);
    assert_eq!(found, "line 1: not UTF-8; expected one watch event a line, as JSON");
}
