//! The extension on a real disk.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;
mod crashes;
mod storing;
mod support;
