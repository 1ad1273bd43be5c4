//! Stalls of Jobs that finish later: none of a Job that succeeds, and no other cause than that of its failure.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use job_event::{Evidence, Notice, Outcome};
use job_judge::{Cause, judge};
use job_tracker::replay::decompressed;

use crate::replayed::{replayed, text, thirty_seconds};
use crate::stories;

pub(crate) fn corpus() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().replace(".jsonl.gz", "");
    let mut recordings: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .map(|path| (name(&path), path))
        .collect();
    recordings.sort();
    recordings
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    decompressed(File::open(path).unwrap())
        .unwrap()
        .read_to_end(&mut text)
        .unwrap();
    text
}

/// The stalls of Jobs that finish, with the cause of the failure; `None` for another end.
fn stalls(notices: &[Notice], finished: &[Evidence]) -> Vec<(String, &'static str, Option<Cause>)> {
    let stalled = notices.iter().filter_map(|notice| match notice {
        Notice::Stalled(stalled) => Some(stalled),
        _ => None,
    });
    stalled
        .filter_map(|stalled| {
            let end = finished.iter().find(|evidence| evidence.job.uid == stalled.job.uid)?;
            let failed = end.job.outcome() == Outcome::Failed;
            Some((
                stalled.job.name.to_string(),
                stalled.cause,
                judge(end).cause.filter(|_| failed),
            ))
        })
        .collect()
}

#[test]
fn stalls_of_the_corpus_have_the_cause_of_the_failure() {
    let mut seen = Vec::new();
    for (name, path) in corpus() {
        let (notices, finished) = replayed(&read(&path), thirty_seconds());
        for (job, stall, cause) in stalls(&notices, &finished) {
            assert_eq!(cause.map(Cause::as_str), Some(stall), "{name}/{job}");
            seen.push(name.clone());
        }
    }
    seen.dedup();
    println!("stalled before they failed: {seen:?}");
}

#[test]
fn stalls_of_the_stories_have_the_cause_of_the_failure() {
    let mut different = Vec::new();
    for story in stories::all() {
        let (notices, finished) = replayed(&text(&story), thirty_seconds());
        for (_, stall, cause) in stalls(&notices, &finished) {
            if cause.map(Cause::as_str) != Some(stall) {
                different.push((story.name, stall, cause));
            }
        }
    }
    // The volume was attached late; then the image was slow.
    assert_eq!(
        different,
        [("attached-at-last", "VolumeUnavailable", Some(Cause::SlowStart))]
    );
}
