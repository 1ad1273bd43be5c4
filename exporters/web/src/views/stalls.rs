//! Stalls, and which of them are over.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::views::{EventKind, Listed, Snapshot};

/// A Job that makes no progress, for one cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stall {
    /// The event that reported it.
    #[serde(flatten)]
    pub event: Listed,
    /// Since its beginning until now, seconds.
    pub stalled_for: f64,
}

/// The stalls that are not over, latest first.
///
/// A recovery names the causes that it ends; one without causes ends every stall of its Job. Events are compared by Job and cause
/// and not by time, because each Job and cause is reported once and clocks may differ. A gauge of the owner that is 0 later than
/// the stall ends it too: a filter may have dropped the recovery.
pub(crate) fn open<'a>(snapshot: Snapshot<'a>, newest: &[&'a Listed]) -> Vec<&'a Listed> {
    let (mut ended, mut recovered) = (HashSet::new(), HashSet::new());
    for event in newest {
        match event.event {
            EventKind::Finished => drop(ended.insert(&*event.uid)),
            EventKind::Recovered if event.cause.is_empty() || !event.outcome.is_empty() => {
                ended.insert(&*event.uid);
            }
            EventKind::Recovered => recovered.extend(event.cause.split(',').map(|cause| (&*event.uid, cause))),
            EventKind::Stalled | EventKind::Missed => {}
        }
    }
    let is_open = |event: &&&Listed| {
        event.event == EventKind::Stalled
            && !ended.contains(&*event.uid)
            && !recovered.contains(&(&*event.uid, &*event.cause))
            && !snapshot.gauges.has_no_stall(event)
    };
    newest.iter().filter(is_open).copied().collect()
}

impl Stall {
    pub(crate) fn new(event: &Listed, now: Timestamp) -> Self {
        let since = event.since.unwrap_or(event.time);
        Stall {
            event: event.clone(),
            stalled_for: now.duration_since(since).as_secs_f64().max(0.0),
        }
    }
}
