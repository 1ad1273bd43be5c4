//! The latest events: a short row of each, which lists need, and the whole event, compressed. Pure; the time is passed in.
//!
//! Events are numbered as they are received. The oldest by number leaves first, so that no clock decides what is kept.

mod encode;
mod limits;
pub(crate) mod read;
mod whole;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::size_of;

use bytes::Bytes;
use job_event::Uid;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::views::{Listed, OwnerKey, WholeEvent, owner_key};

pub(crate) use limits::StoreLimits;

/// The memory of an entry besides its texts and bytes: the row, its nodes in the two maps, and allocations.
const OVERHEAD: usize = size_of::<StoredEvent>() + 160;

/// A kept event.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    pub(crate) listed: Listed,
    /// The stored form, with version: the record and its resource.
    pub(crate) whole: Bytes,
}

/// The result of adding an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addition {
    /// It is kept under this number.
    Added(u64),
    /// It is kept already.
    Known,
    /// It alone exceeds the limit.
    TooLarge,
}

/// The latest events.
#[derive(Debug)]
pub(crate) struct Events {
    limits: StoreLimits,
    entries: BTreeMap<u64, StoredEvent>,
    by_id: HashMap<Uid, u64>,
    bytes: usize,
    next: u64,
}

impl Events {
    pub(crate) fn new(limits: StoreLimits) -> Self {
        Events {
            limits,
            entries: BTreeMap::new(),
            by_id: HashMap::new(),
            bytes: 0,
            next: 1,
        }
    }

    /// Keeps an event. The oldest leave to make room.
    pub(crate) fn add(&mut self, entry: StoredEvent) -> Addition {
        let number = self.next;
        let addition = self.insert(number, entry);
        if matches!(addition, Addition::Added(_)) {
            self.next += 1;
        }
        addition
    }

    /// Keeps a stored event under its number.
    pub(crate) fn restore(&mut self, number: u64, entry: StoredEvent) -> Addition {
        let addition = self.insert(number, entry);
        self.next = self.next.max(number.saturating_add(1));
        addition
    }

    /// Uses up the number of a stored event that cannot be read.
    pub(crate) fn skip(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
    }

    /// Removes all events.
    pub(crate) fn take(&mut self) -> BTreeMap<u64, StoredEvent> {
        self.by_id.clear();
        self.bytes = 0;
        self.next = 1;
        std::mem::take(&mut self.entries)
    }

    fn insert(&mut self, number: u64, entry: StoredEvent) -> Addition {
        let id = Uid::new(&entry.listed.id);
        if self.by_id.contains_key(&id) || self.entries.contains_key(&number) {
            return Addition::Known;
        }
        let size = entry.size();
        if size > self.limits.max_bytes {
            return Addition::TooLarge;
        }
        self.bytes += size;
        self.by_id.insert(id, number);
        self.entries.insert(number, entry);
        self.shrink();
        Addition::Added(number)
    }

    pub(crate) fn limits(&self) -> StoreLimits {
        self.limits
    }

    /// Sets other limits.
    pub(crate) fn limit(&mut self, limits: StoreLimits) {
        self.limits = limits;
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.entries.len() > self.limits.max_events || self.bytes > self.limits.max_bytes {
            let Some((_, entry)) = self.entries.pop_first() else {
                return;
            };
            self.bytes -= entry.size();
            self.by_id.remove(&Uid::new(&entry.listed.id));
        }
    }

    /// The number of events.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The memory of all events, bytes; at most `max_bytes`.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number that the next event gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The number of the oldest event.
    pub(crate) fn first(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(number, _)| *number)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&StoredEvent> {
        self.entries.get(&number)
    }

    /// The entries after a number, in the order in which they were received.
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &StoredEvent)> {
        let from = number.saturating_add(1);
        self.entries.range(from..).map(|(number, entry)| (*number, entry))
    }

    /// The rows, latest received first.
    pub(crate) fn latest_received(&self) -> impl Iterator<Item = (u64, &Listed)> {
        self.entries
            .iter()
            .rev()
            .map(|(number, entry)| (*number, &entry.listed))
    }

    /// The entries by the time of the event, newest first; at the same time the latest received first.
    pub(crate) fn newest_entries(&self) -> Vec<&StoredEvent> {
        let mut entries: Vec<&StoredEvent> = self.entries.values().rev().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.listed.time));
        entries
    }

    /// The owners of all events.
    pub(crate) fn owners(&self) -> HashSet<OwnerKey<'_>> {
        self.entries.values().map(|entry| owner_key(&entry.listed)).collect()
    }

    /// The rows in that order.
    pub(crate) fn newest(&self) -> Vec<&Listed> {
        self.newest_entries().into_iter().map(|entry| &entry.listed).collect()
    }
}

impl StoredEvent {
    /// Reads an event; `None` if the record is another event. `received` replaces a missing time.
    pub(crate) fn read(
        resource: Option<&Resource>,
        record: &LogRecord,
        received: jiff::Timestamp,
    ) -> Option<Result<StoredEvent, String>> {
        let listed = read::listed(resource, record, received)?;
        Some(encode::encode(resource, record).map(|whole| StoredEvent { listed, whole }))
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub(crate) fn decode(whole: Bytes) -> Result<StoredEvent, String> {
        let (resource, record) = encode::decode(&whole)?;
        let listed = read::listed(resource.as_ref(), &record, jiff::Timestamp::UNIX_EPOCH);
        let listed = listed.ok_or("it is not an event of a Job or CronJob")?;
        Ok(StoredEvent { listed, whole })
    }

    /// The whole event. A stored form that cannot be read, which only a defect can cause, gives the row alone.
    pub(crate) fn event(&self) -> WholeEvent {
        match encode::decode(&self.whole) {
            Ok((resource, record)) => whole::event(self.listed.clone(), resource, record),
            Err(problem) => {
                tracing::error!(event = &*self.listed.id, problem, "cannot decode a kept event");
                whole::event(self.listed.clone(), None, LogRecord::default())
            }
        }
    }

    /// Its memory, bytes.
    fn size(&self) -> usize {
        let listed = &self.listed;
        let texts = [
            &listed.id,
            &listed.namespace,
            &listed.name,
            &listed.uid,
            &listed.owner.kind,
            &listed.owner.name,
            &listed.owner.rule,
            &listed.cluster,
            &listed.outcome,
            &listed.reason,
            &listed.cause,
            &listed.category,
            &listed.retry,
            &listed.summary,
        ];
        OVERHEAD + self.whole.len() + texts.iter().map(|text| text.len()).sum::<usize>()
    }
}
