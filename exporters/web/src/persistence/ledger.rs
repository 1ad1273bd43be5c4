//! Which events the store has, and the changes that bring it up to date. Pure.
//!
//! Each event is one entry under the key `event/<number>`, the number as 16 hexadecimal digits; the value is the stored form of
//! `store::encode`. A store with a capacity has the newest events that fit.

use std::collections::BTreeMap;

use bytes::Bytes;
use collector_runtime::storage::Change;

use crate::store::{Addition, Events, StoredEvent};

/// The prefix of the keys of events.
pub(crate) const PREFIX: &str = "event/";
/// The most events in one transaction.
const MOST: usize = 256;
/// The highest valid number of a stored event, so that there is always a next one.
const LAST: u64 = u64::MAX / 2;
/// A larger part of a small store than this is not spent on one event: one in eight.
const LARGEST_PART: usize = 8;

/// The content of the store.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The size of each stored entry, by number.
    stored: BTreeMap<u64, usize>,
    bytes: usize,
    capacity: Option<usize>,
    /// Events up to this number were written or skipped.
    written: u64,
    /// Keys that are no events.
    foreign: Vec<String>,
}

/// The content of the store at startup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) events: usize,
    pub(crate) damaged: u64,
}

/// A transaction, and what it does.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) changes: Vec<Change>,
    /// Events up to this number are stored or skipped once it is applied.
    pub(crate) upto: u64,
    /// Events that are too large for the store.
    pub(crate) skipped: u64,
}

impl Ledger {
    /// The ledger of an empty store.
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        Ledger {
            capacity,
            ..Ledger::default()
        }
    }

    /// Reads the stored entries into `events`. This process may have received some of them before, and had stored or
    /// skipped all up to the number `stored`: those keep their numbers. Later ones get new numbers after the stored ones, and will be
    /// written.
    pub(crate) fn restore(&mut self, entries: Vec<(String, Bytes)>, events: &mut Events, stored: u64) -> Restored {
        let mut restored = Restored::default();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (number, entry) in events.take() {
            match number <= stored {
                true => old.push((number, entry)),
                false => new.push(entry),
            }
        }
        for (key, value) in entries {
            let Some(number) = number(&key) else {
                restored.damaged += 1;
                tracing::warn!(
                    key,
                    "cannot read a stored event: the key has no number; skipped and deleted"
                );
                self.foreign.push(key);
                continue;
            };
            self.note(number, key.len() + value.len());
            match StoredEvent::decode(value) {
                Ok(entry) => {
                    if matches!(events.restore(number, entry), Addition::Added(_)) {
                        restored.events += 1;
                    }
                }
                Err(problem) => {
                    restored.damaged += 1;
                    tracing::warn!(key, problem, "cannot read a stored event; skipped");
                    // Its number stays taken: the entry leaves when it is older than all others.
                    events.skip(number);
                }
            }
        }
        for (number, entry) in old {
            events.restore(number, entry);
        }
        self.written = events.next() - 1;
        for entry in new {
            events.add(entry);
        }
        restored
    }

    /// The next changes; empty if the store is up to date. They count as applied.
    pub(crate) fn transaction(&mut self, events: &Events) -> Transaction {
        let mut transaction = Transaction {
            upto: self.written,
            ..Transaction::default()
        };
        let changes = &mut transaction.changes;
        changes.extend(self.foreign.drain(..).map(Change::Delete));
        let oldest = events.first().unwrap_or(events.next());
        while let Some((number, _)) = self.stored.first_key_value().filter(|(number, _)| **number < oldest) {
            changes.push(self.delete(*number));
        }
        for (number, entry) in events.after(self.written).take(MOST) {
            transaction.upto = number;
            let size = key(number).len() + entry.whole.len();
            if self.capacity.is_some_and(|capacity| size > capacity / LARGEST_PART) {
                transaction.skipped += 1;
                continue;
            }
            while self.capacity.is_some_and(|capacity| self.bytes + size > capacity) {
                let Some((oldest, _)) = self.stored.first_key_value() else {
                    break;
                };
                let oldest = *oldest;
                // An entry of this very transaction has left again.
                let written = changes
                    .iter()
                    .position(|change| matches!(change, Change::Set(set, _) if *set == key(oldest)));
                let deletion = self.delete(oldest);
                match written {
                    Some(at) => drop(changes.remove(at)),
                    None => changes.push(deletion),
                }
            }
            self.note(number, size);
            changes.push(Change::Set(key(number), entry.whole.clone()));
        }
        // Events that left memory before they were written need no entry.
        if events.after(transaction.upto).next().is_none() {
            transaction.upto = events.next() - 1;
        }
        self.written = transaction.upto;
        transaction
    }

    /// Events up to this number were written or skipped.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    fn note(&mut self, number: u64, size: usize) {
        self.bytes += size;
        if let Some(before) = self.stored.insert(number, size) {
            self.bytes -= before;
        }
    }

    fn delete(&mut self, number: u64) -> Change {
        self.bytes -= self.stored.remove(&number).unwrap_or_default();
        Change::Delete(key(number))
    }
}

fn key(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}

fn number(key: &str) -> Option<u64> {
    let digits = key.strip_prefix(PREFIX).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16)
        .ok()
        .filter(|number| (1..=LAST).contains(number))
}
