//! `sending_queue::batch`: merges small batches and splits large ones. Pure: time is passed in.
//!
//! Resources, scopes and metrics are appended and not combined, so every record, point and span stays as it is: two
//! points of one series in one second stay two points.

use std::sync::Arc;

use tokio::time::Instant;

use super::queue_settings::{BatchSettings, Sizer};
use super::sharing::Owners;
use collector_data::split;
use collector_data::{Batch, Payload};

/// Data for one or more requests, and the batches that own it.
#[derive(Debug)]
pub(super) struct MergedBatch {
    pub(super) payload: Arc<Payload>,
    pub(super) owners: Owners,
}

impl From<Batch> for MergedBatch {
    fn from(batch: Batch) -> Self {
        let mut owners = Owners::default();
        owners.push(batch.payload.items() as u64, batch.ack);
        MergedBatch {
            payload: batch.payload,
            owners,
        }
    }
}

/// Data that waits to be merged with more.
#[derive(Debug)]
struct Pending {
    payload: Payload,
    owners: Owners,
    /// Measured once for each batch: merged data may grow by thousands of batches.
    size: u64,
}

/// Merges the batches of one signal.
#[derive(Debug)]
pub(super) struct Batcher {
    settings: BatchSettings,
    sizer: Sizer,
    pending: Option<Pending>,
    /// When the pending data is sent regardless of its size.
    deadline: Option<Instant>,
}

impl Batcher {
    pub(super) fn new(settings: BatchSettings, sizer: Sizer) -> Self {
        Batcher {
            settings,
            sizer,
            pending: None,
            deadline: None,
        }
    }

    /// When [`flush`](Self::flush) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Adds a batch and returns the data that is large enough to be sent.
    pub(super) fn add(&mut self, batch: Batch, now: Instant) -> Vec<MergedBatch> {
        let items = batch.payload.items() as u64;
        let mut payload = Arc::unwrap_or_clone(batch.payload);
        let mut size = self.size(&payload);
        let mut ready = Vec::new();
        let mut owners = Owners::default();
        if let Some(mut earlier) = self.pending.take() {
            match earlier.payload.append(payload) {
                Ok(()) => {
                    size += earlier.size;
                    (payload, owners) = (earlier.payload, earlier.owners);
                }
                // Data of another signal cannot share a request.
                Err(other) => {
                    ready.extend(merged(earlier.payload, earlier.owners));
                    payload = other;
                }
            }
        }
        owners.push(items, batch.ack);
        if size < self.settings.min_size {
            self.deadline.get_or_insert(now + self.settings.flush_timeout.get());
            self.pending = Some(Pending { payload, owners, size });
            return ready;
        }
        self.deadline = None;
        let mut parts = self.split(payload);
        let rest = parts.pop_if(|last| self.size(last) < self.settings.min_size);
        for part in parts {
            let own = owners.split_off_front(part.items() as u64);
            ready.extend(merged(part, own));
        }
        if let Some(rest) = rest {
            self.deadline = Some(now + self.settings.flush_timeout.get());
            self.pending = Some(Pending {
                size: self.size(&rest),
                payload: rest,
                owners,
            });
        }
        ready
    }

    /// The pending data, regardless of its size.
    pub(super) fn flush(&mut self) -> Option<MergedBatch> {
        self.deadline = None;
        let pending = self.pending.take()?;
        merged(pending.payload, pending.owners)
    }

    fn size(&self, payload: &Payload) -> u64 {
        match self.sizer {
            Sizer::Bytes => payload.encoded_len() as u64,
            Sizer::Items | Sizer::Requests => payload.items() as u64,
        }
    }

    /// The payload in order, in parts of at most `max_size`; a single item may be larger.
    fn split(&self, payload: Payload) -> Vec<Payload> {
        let max = self.settings.max_size;
        if max == 0 || self.size(&payload) <= max {
            return vec![payload];
        }
        if self.sizer != Sizer::Bytes {
            let items = payload.items();
            let step = usize::try_from(max).unwrap_or(usize::MAX);
            let starts = (0..items).step_by(step);
            return starts
                .map(|start| split::range(&payload, start, start.saturating_add(step).min(items)))
                .collect();
        }
        match split::halves(&payload) {
            None => vec![payload],
            Some((left, right)) => {
                let mut parts = self.split(left);
                parts.extend(self.split(right));
                parts
            }
        }
    }
}

fn merged(payload: Payload, owners: Owners) -> Option<MergedBatch> {
    let payload = Arc::new(payload);
    (payload.items() > 0).then_some(MergedBatch { payload, owners })
}
