//! The running receiver against scripted API servers and the simulator, and its watches.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod answers;
mod checkpoint;
mod clock;
mod contract;
mod extracting;
mod faults;
mod gauge_limit;
mod notices;
mod progress;
mod receiving;
mod sharding;
mod support;
mod telemetry;
mod traps;
mod watching;
