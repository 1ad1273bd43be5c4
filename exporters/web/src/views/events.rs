//! The list of events, page by page.

use serde::Serialize;

use crate::views::{Filter, Listed, Snapshot};

/// A page of the list of events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventList {
    /// The events, latest received first.
    pub events: Vec<Listed>,
    /// The number of kept events that match, on all pages.
    pub matching: usize,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The page after a cursor, which is the number of an event, in the order in which events were received: pages stay disjoint
/// while events arrive.
pub(crate) fn events(snapshot: Snapshot<'_>, filter: &Filter, before: Option<u64>, limit: usize) -> EventList {
    let matching = || {
        let received = snapshot.events.latest_received();
        received.filter(|(_, event)| filter.matches(event, snapshot.now))
    };
    let mut page = matching().filter(|(number, _)| before.is_none_or(|before| *number < before));
    let mut last = None;
    let mut events = Vec::new();
    for (number, event) in page.by_ref().take(limit) {
        last = Some(number);
        events.push(event.clone());
    }
    let has_more = page.next().is_some();
    EventList {
        events,
        matching: matching().count(),
        next: last.filter(|_| has_more).map(|number| number.to_string()),
    }
}
