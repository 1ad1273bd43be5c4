//! Objects of a real cluster, as many as a benchmark needs.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "no benchmark uses all of it, and each may end with a panic"
)]

pub(crate) mod collector;
pub(crate) mod evidence;
pub(crate) mod http;
pub(crate) mod stats;
pub(crate) mod tls;
pub(crate) mod tracking;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A Job of one Pod that runs for a while and fails, in the words of a real API server.
const RECORDING: &str = "deadline-seed";
/// The names and UIDs in it, which are replaced by those of the copy.
const JOB_NAME: &str = "deadline-exceeded-test-job";
const JOB_UID: &str = "de3a51b8-55e3-4fe0-8237-514a566ec862";
const POD_UID: &str = "e75a0804-f913-42ae-80c7-b7d635a6df3b";
const VERSION: &str = r#""resourceVersion":""#;

/// The versions of the recorded Job and of its Pod, each as the JSON of the object.
pub(crate) struct Recorded {
    jobs: Vec<String>,
    pods: Vec<String>,
}

impl Recorded {
    /// Reads them from the corpus.
    pub(crate) fn read() -> Recorded {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/{RECORDING}.jsonl.gz"));
        let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut jobs, mut pods) = (Vec::new(), Vec::new());
        for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
            let line = line.unwrap();
            let object = line.split_once(r#""object":"#).unwrap().1.strip_suffix('}').unwrap();
            assert!(object.starts_with(r#"{"kind":"#), "the object stands last in a line");
            if line.contains(r#""resource":"jobs""#) {
                jobs.push(object.to_owned());
            } else if line.contains(r#""resource":"pods""#) {
                pods.push(object.to_owned());
            }
        }
        Recorded { jobs, pods }
    }

    /// Two versions of Job number `number` between which its Pod became ready.
    pub(crate) fn running_jobs(&self, number: usize) -> [String; 2] {
        let ready = |job: &&String| job.contains(r#""active":1"#) && job.contains(r#""ready":1"#);
        let waiting = |job: &&String| job.contains(r#""active":1"#) && job.contains(r#""ready":0"#);
        [self.jobs.iter().find(waiting), self.jobs.iter().find(ready)].map(|job| copy(job.unwrap(), number))
    }

    /// Job number `number` after it failed.
    pub(crate) fn failed_job(&self, number: usize) -> String {
        copy(self.jobs.last().unwrap(), number)
    }

    /// Two versions of the Pod of Job number `number`: its container is being created, and it runs.
    pub(crate) fn running_pods(&self, number: usize) -> [String; 2] {
        let phase = |phase: &str| {
            let mut pods = self.pods.iter();
            pods.find(|pod| pod.contains(phase) && pod.contains("containerStatuses"))
                .unwrap()
        };
        [phase(r#""phase":"Pending""#), phase(r#""phase":"Running""#)].map(|pod| copy(pod, number))
    }
}

/// Every event of the corpus as a line of a watch, and as a frame in protobuf.
pub(crate) fn both_forms() -> Vec<(Vec<u8>, Vec<u8>)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unpacked = |path: &Path| {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let entries = std::fs::read_dir(here.join("tests/corpus")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    paths.sort();
    let recorded = paths.iter().flat_map(|path| {
        String::from_utf8(unpacked(path))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let lines = recorded.map(|recorded| {
        format!(
            "{{{}",
            recorded
                .split_once(r#""resource":"#)
                .unwrap()
                .1
                .split_once(',')
                .unwrap()
                .1
        )
        .into_bytes()
    });
    let stream = unpacked(&here.join("jobs/watch/tests/protobuf/corpus.frames.gz"));
    let (mut rest, mut frames) = (&*stream, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (frame, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        frames.push(frame.to_vec());
        rest = after;
    }
    let lines: Vec<Vec<u8>> = lines.collect();
    assert_eq!(lines.len(), frames.len());
    lines.into_iter().zip(frames).collect()
}

/// A line of a watch.
pub(crate) fn line(object: &str) -> Vec<u8> {
    format!(r#"{{"type":"MODIFIED","object":{object}}}"#).into_bytes()
}

/// The same object under the name and the UIDs of number `number`, with nothing shorter or longer. All have the same
/// version, so that none is older than another.
fn copy(object: &str, number: usize) -> String {
    let name = format!("nightly-report-job-{number:07}");
    assert_eq!(name.len(), JOB_NAME.len());
    let (head, tail) = object.split_once(VERSION).unwrap();
    let (_, tail) = tail.split_once('"').unwrap();
    format!("{head}{VERSION}9000\"{tail}")
        .replace(JOB_NAME, &name)
        .replace(JOB_UID, &uid(number, 8))
        .replace(POD_UID, &uid(number, 9))
}

/// A UUID of its own for every number; looks random, as real ones do.
fn uid(number: usize, variant: u8) -> String {
    let scrambled = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{number:08x}-55e3-4fe0-{variant}237-{:012x}", scrambled >> 16)
}
