//! The rules of the views, on events written by hand.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod filters;
mod hostile;
mod overview;
mod owner;
mod stalls;

use crate::views::Filter;

/// The filter of a query.
fn filter(query: &str) -> Filter {
    Filter::parse(query, &[]).unwrap().0
}
