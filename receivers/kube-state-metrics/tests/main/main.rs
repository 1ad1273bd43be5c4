//! Receiver `kube_state_metrics`.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;
mod receiving;
mod state;
