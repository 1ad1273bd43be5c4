//! The answers to a reader's questions, as data: pure functions from the kept events, the gauges, a filter and the time.
//!
//! The JSON API serves them as they are, and the pages show them. Text is verbatim and may be hostile: a page escapes
//! it, and text shown on one line passes through `escape::one_line`.
//!
//! Rules:
//! * Deleted and replaced runs are neither failures nor successes.
//! * An owner is failing while the latest of its runs that was decided failed.
//! * A stall is over once a recovery with its cause, or the end of the Job, was received, whatever the clocks say.
//! * An event from the future counts as new; no age is negative.

mod event;
mod events;
mod filter;
mod job;
mod overview;
mod owner;
mod stalls;
#[cfg(test)]
mod tests;
mod timeline;

use jiff::Timestamp;
use serde::Serialize;

use crate::gauges::Gauges;
use crate::store::Events;

pub(crate) use events::events;
pub(crate) use job::{Found as FoundJob, find as find_job};
pub(crate) use overview::{OwnerKey, overview, owner_key};
pub(crate) use owner::owner;

pub use event::{EventKind, Listed, Owner, WholeEvent};
pub use events::EventList;
pub use filter::{Filter, QueryError};
pub use job::{JobRun, JobView};
pub use overview::{FailingGroup, MissedGroup, Overview, Totals};
pub use owner::{CauseCount, OwnerRun, OwnerView};
pub use stalls::Stall;
pub use timeline::{Bucket, Timeline};

/// Everything that a view is made from.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot<'a> {
    pub(crate) events: &'a Events,
    pub(crate) gauges: &'a Gauges,
    pub(crate) now: Timestamp,
}

/// The first part of a list, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shortened<T> {
    /// The entries, at most as many as a page shows.
    pub items: Vec<T>,
    /// The number of entries before the list was shortened.
    pub total: usize,
}

impl<T> Shortened<T> {
    pub(crate) fn new(mut items: Vec<T>, most: usize) -> Self {
        let total = items.len();
        items.truncate(most);
        Shortened { items, total }
    }
}

impl<T> Default for Shortened<T> {
    fn default() -> Self {
        Shortened {
            items: Vec::new(),
            total: 0,
        }
    }
}
