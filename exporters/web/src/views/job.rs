//! All kept events of the Jobs of one name.

use jiff::Timestamp;
use serde::Serialize;

use crate::store::StoredEvent;
use crate::store::read::comparable;
use crate::views::{Owner, Snapshot, WholeEvent};

/// The most events that are shown: each has its evidence.
const MOST: usize = 50;

/// The Jobs of one name in one namespace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobView {
    /// The time of this view.
    pub now: Timestamp,
    /// The namespace; empty if unknown.
    pub namespace: Box<str>,
    /// The name.
    pub name: Box<str>,
    /// The Jobs that had this name, newest first.
    pub jobs: Vec<JobRun>,
    /// Their events, newest first, with evidence.
    pub events: Vec<WholeEvent>,
    /// The number of events before the list was shortened.
    pub total: usize,
}

/// One Job among those of a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobRun {
    /// The UID.
    pub uid: Box<str>,
    /// The owner.
    pub owner: Owner,
    /// The outcome; absent while no end was received.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub outcome: Box<str>,
    /// The time of its latest event.
    pub time: Timestamp,
}

/// Where the events of a job view are read from: copied while the store is locked, decompressed afterwards.
pub(crate) struct Found {
    namespace: Box<str>,
    name: Box<str>,
    entries: Vec<StoredEvent>,
    total: usize,
    now: Timestamp,
}

/// The events of the Jobs of that name, or of one of them; `None` if none is kept.
pub(crate) fn find(snapshot: Snapshot<'_>, namespace: &str, name: &str, uid: Option<&str>) -> Option<Found> {
    let (namespace, name, uid) = (comparable(namespace), comparable(name), uid.map(comparable));
    let wanted = |entry: &&StoredEvent| {
        let listed = &entry.listed;
        listed.namespace == namespace && listed.name == name && uid.as_ref().is_none_or(|uid| listed.uid == *uid)
    };
    let mut entries: Vec<_> = snapshot.events.newest_entries().into_iter().filter(wanted).collect();
    let total = entries.len();
    entries.truncate(MOST);
    (total > 0).then(|| Found {
        namespace,
        name,
        entries: entries.into_iter().cloned().collect(),
        total,
        now: snapshot.now,
    })
}

impl Found {
    /// Decodes the events.
    pub(crate) fn view(self) -> JobView {
        let mut jobs: Vec<JobRun> = Vec::new();
        for entry in &self.entries {
            let listed = &entry.listed;
            match jobs.iter_mut().find(|job| job.uid == listed.uid) {
                Some(job) if job.outcome.is_empty() => job.outcome = listed.outcome.clone(),
                Some(_) => {}
                None => jobs.push(JobRun {
                    uid: listed.uid.clone(),
                    owner: listed.owner.clone(),
                    outcome: listed.outcome.clone(),
                    time: listed.time,
                }),
            }
        }
        JobView {
            now: self.now,
            namespace: self.namespace,
            name: self.name,
            jobs,
            events: self.entries.iter().map(StoredEvent::event).collect(),
            total: self.total,
        }
    }
}
