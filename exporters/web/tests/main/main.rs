//! The exporter over real sockets, with events of recordings of a real cluster.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod api;
mod contract;
mod description;
mod recordings;
mod security;
mod size;
mod storing;
mod stream;
mod succession;
mod support;
