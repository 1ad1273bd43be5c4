//! Stalls, recoveries and missed runs in stories written by hand and in recordings of a real cluster.
//!
//! The expectations were written from Kubernetes' source before the stories were replayed.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod cronjobs;
mod cuts;
mod held;
mod own_events;
mod progress;
mod replayed;
mod retries;
#[path = "../support/stories/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stories;
mod stuck;
mod verdicts;

use stories::Story;

/// A story without a verdict.
fn story(name: &'static str) -> Story {
    Story::other(name, "Running", None)
}
