//! The exporter against the simulated API server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod answers;
mod contract;
mod creating;
mod support;
