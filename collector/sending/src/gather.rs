//! `sending_queue::batch`: puts small batches together and cuts large ones. Pure: time is passed in.
//!
//! Resources, scopes and metrics stand behind each other as they came and are not merged, so that every record, point
//! and span stays what it was: two points of one series in one second stay two points.

use std::sync::Arc;

use tokio::time::Instant;

use super::queue_settings::{BatchSettings, Sizer};
use super::sharing::Owners;
use collector_data::split;
use collector_data::{Batch, Payload};

/// Data to make requests of, and whose it is.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) payload: Arc<Payload>,
    pub(super) owners: Owners,
}

impl From<Batch> for Gathered {
    fn from(batch: Batch) -> Self {
        let mut owners = Owners::default();
        owners.push(batch.payload.items() as u64, batch.ack);
        Gathered {
            payload: batch.payload,
            owners,
        }
    }
}

/// Data that waits for more.
#[derive(Debug)]
struct Pending {
    payload: Payload,
    owners: Owners,
    /// Measured once for each batch: what has been put together grows by thousands of batches.
    size: u64,
}

/// What has been put together of one signal.
#[derive(Debug)]
pub(super) struct Gather {
    settings: BatchSettings,
    sizer: Sizer,
    pending: Option<Pending>,
    /// When the pending data is sent however small it is.
    deadline: Option<Instant>,
}

impl Gather {
    pub(super) fn new(settings: BatchSettings, sizer: Sizer) -> Self {
        Gather {
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

    /// Takes a batch; gives what is large enough to be sent.
    pub(super) fn add(&mut self, batch: Batch, now: Instant) -> Vec<Gathered> {
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
                // Of another signal, which cannot stand in one request with it.
                Err(other) => {
                    ready.extend(gathered(earlier.payload, earlier.owners));
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
        let mut parts = self.cut(payload);
        let rest = parts.pop_if(|last| self.size(last) < self.settings.min_size);
        for part in parts {
            let own = owners.split_off_front(part.items() as u64);
            ready.extend(gathered(part, own));
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

    /// What is pending, however small it is.
    pub(super) fn flush(&mut self) -> Option<Gathered> {
        self.deadline = None;
        let pending = self.pending.take()?;
        gathered(pending.payload, pending.owners)
    }

    fn size(&self, payload: &Payload) -> u64 {
        match self.sizer {
            Sizer::Bytes => payload.encoded_len() as u64,
            Sizer::Items | Sizer::Requests => payload.items() as u64,
        }
    }

    /// The payload in order, in parts no larger than `max_size`; a single item may be larger.
    fn cut(&self, payload: Payload) -> Vec<Payload> {
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
                let mut parts = self.cut(left);
                parts.extend(self.cut(right));
                parts
            }
        }
    }
}

fn gathered(payload: Payload, owners: Owners) -> Option<Gathered> {
    let payload = Arc::new(payload);
    (payload.items() > 0).then_some(Gathered { payload, owners })
}
