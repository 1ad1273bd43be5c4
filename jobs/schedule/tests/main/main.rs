//! Tests of schedules.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod due;
mod errors;
mod properties;
mod vectors;
