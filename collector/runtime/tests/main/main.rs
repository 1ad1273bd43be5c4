//! The runtime from outside: graphs of scripted components are checked and run.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

mod dying;
mod graph;
mod reload;
mod reload_failing;
mod reload_random;
mod replaceable;
mod running;
mod scripted;
