//! The connector between a sender of events and a receiver of traces.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;
mod traces;
