//! Exporter `prometheus`.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;
mod exposition;
mod serving;
mod store;
mod support;
mod verbatim;
