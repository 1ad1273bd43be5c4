//! The memory that the documentation states, against the heap.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy's exception for tests does not reach their helpers"
)]

use std::sync::{Mutex, MutexGuard, PoisonError};

mod gauges;
mod kube_state;
mod limits;
mod stalls;
#[path = "../../benches/support/mod.rs"]
mod support;
mod work;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The heap has one profiler, so one test measures at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
