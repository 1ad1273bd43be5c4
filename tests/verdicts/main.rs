//! Verdicts on recordings of a real cluster and on stories written by hand, and the page of causes.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod causes;
mod late_looks;
mod newest_server;
mod recordings;
mod reported;
mod side_containers;
mod stall_events;
mod stalls;
#[path = "../support/stories/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod stories;
mod verdicts;
