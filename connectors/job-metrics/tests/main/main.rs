//! The connector between a sender of events and a receiver of metrics, under a paused clock.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;
mod metrics;
mod missed;
mod series;
mod storage;
mod succession;
mod support;
