//! The rules, on evidence written by hand: pairs that differ in one fact, and evidence that no recording contains.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod admission;
mod attempt;
mod autoscaler;
mod causes;
mod deadline;
mod image;
mod missing;
mod node;
mod running_long;
mod runtime;
mod scheduler;
mod sides;
mod stages;
mod stall;
mod start;
mod storage;
mod support;
mod unfinished;
mod verdict;
