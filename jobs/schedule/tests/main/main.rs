//! Tests of schedules.

#![allow(clippy::unwrap_used)]

mod due;
