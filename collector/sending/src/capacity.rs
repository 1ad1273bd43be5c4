//! The capacity of a queue. A request holds its reservation until its end, not only until a consumer takes it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector_runtime::health::QueueReading;
use tokio::sync::Notify;

use super::queue_settings::Sizer;
use super::request::Request;

/// The capacity of one queue, and how much of it is used.
#[derive(Debug)]
pub(super) struct QueueCapacity {
    state: Mutex<CapacityState>,
    freed: Notify,
    sizer: Sizer,
    limit: u64,
}

#[derive(Debug, Default)]
struct CapacityState {
    used: Size,
    /// When each request was queued, with a number that makes it unique.
    queued: BTreeSet<(u64, u64)>,
    next: u64,
}

/// The size of requests by every sizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) requests: u64,
    pub(super) items: u64,
    pub(super) bytes: u64,
}

impl Size {
    pub(super) fn of(request: &Request) -> Self {
        Size {
            requests: 1,
            items: request.items,
            bytes: request.body.len() as u64,
        }
    }

    pub(super) fn by(self, sizer: Sizer) -> u64 {
        match sizer {
            Sizer::Requests => self.requests,
            Sizer::Items => self.items,
            Sizer::Bytes => self.bytes,
        }
    }

    fn add(&mut self, other: Size) {
        self.requests += other.requests;
        self.items += other.items;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Size) {
        self.requests -= other.requests;
        self.items -= other.items;
        self.bytes -= other.bytes;
    }
}

impl QueueCapacity {
    pub(super) fn new(sizer: Sizer, limit: u64) -> Arc<Self> {
        Arc::new(QueueCapacity {
            state: Mutex::default(),
            freed: Notify::new(),
            sizer,
            limit,
        })
    }

    /// Waits until all of these fit together. Requests larger than the whole queue are admitted when it is empty:
    /// otherwise they could never be sent.
    pub(super) async fn reserve(self: &Arc<Self>, wanted: &[Size], queued: u64) -> Vec<Reservation> {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // Before the check, so that room freed between check and wait wakes this task.
            freed.as_mut().enable();
            if let Some(capacity) = self.try_reserve(wanted, queued) {
                return capacity;
            }
            freed.await;
        }
    }

    /// Reserves room for all of these if they fit now.
    pub(super) fn try_reserve(self: &Arc<Self>, wanted: &[Size], queued: u64) -> Option<Vec<Reservation>> {
        let mut state = self.locked();
        let used = state.used.by(self.sizer);
        let more: u64 = wanted.iter().map(|size| size.by(self.sizer)).sum();
        if used > 0 && used.saturating_add(more) > self.limit {
            return None;
        }
        Some(wanted.iter().map(|size| self.add(&mut state, *size, queued)).collect())
    }

    /// Reserves room even if the queue is full, for a request that is stored already.
    pub(super) fn exceed(self: &Arc<Self>, size: Size, queued: u64) -> Reservation {
        self.add(&mut self.locked(), size, queued)
    }

    fn add(self: &Arc<Self>, state: &mut CapacityState, size: Size, queued: u64) -> Reservation {
        state.used.add(size);
        let queued = (queued, state.next);
        state.next += 1;
        state.queued.insert(queued);
        Reservation {
            capacity: Arc::clone(self),
            size,
            queued,
        }
    }

    /// The size of the queued requests, including those in flight.
    pub(super) fn used(&self) -> Size {
        self.locked().used
    }

    /// The used capacity in the unit of [`limit`](Self::limit).
    pub(super) fn used_units(&self) -> u64 {
        self.used().by(self.sizer)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// The unit of the limit, for messages.
    pub(super) fn unit(&self) -> &'static str {
        match self.sizer {
            Sizer::Requests => "requests",
            Sizer::Items => "items",
            Sizer::Bytes => "bytes",
        }
    }

    /// The fill, for a snapshot of the process.
    pub(super) fn reading(&self) -> QueueReading {
        QueueReading {
            size: self.used_units(),
            capacity: self.limit,
            unit: self.unit(),
        }
    }

    /// When the oldest request was queued, in nanoseconds since 1970.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.locked().queued.first().map(|(queued, _)| *queued)
    }

    fn locked(&self) -> MutexGuard<'_, CapacityState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one request; dropping it frees the room.
#[derive(Debug)]
pub(super) struct Reservation {
    capacity: Arc<QueueCapacity>,
    size: Size,
    queued: (u64, u64),
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.capacity.locked();
        state.used.subtract(self.size);
        state.queued.remove(&self.queued);
        drop(state);
        self.capacity.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(items: u64) -> Size {
        Size {
            requests: 1,
            items,
            bytes: 10 * items,
        }
    }

    #[test]
    fn the_sizer_measures_the_capacity() {
        for (sizer, limit) in [(Sizer::Requests, 2), (Sizer::Items, 7), (Sizer::Bytes, 70)] {
            let capacity = QueueCapacity::new(sizer, limit);
            let first = capacity.try_reserve(&[size(3)], 1).unwrap();
            let second = capacity.try_reserve(&[size(4)], 2).unwrap();
            assert!(capacity.try_reserve(&[size(1)], 3).is_none(), "{sizer:?}");
            assert_eq!((capacity.used_units(), capacity.oldest()), (limit, Some(1)));
            drop(first);
            assert_eq!(capacity.oldest(), Some(2));
            assert!(capacity.try_reserve(&[size(1)], 3).is_some());
            drop(second);
            assert_eq!((capacity.used(), capacity.oldest()), (Size::default(), None));
        }
    }

    #[test]
    fn admits_all_or_none_and_an_oversized_request_alone() {
        let capacity = QueueCapacity::new(Sizer::Items, 10);
        let first = capacity.try_reserve(&[size(4)], 1).unwrap();
        assert!(capacity.try_reserve(&[size(4), size(4)], 1).is_none());
        assert_eq!(capacity.used_units(), 4);
        assert!(capacity.try_reserve(&[size(100)], 1).is_none());
        drop(first);
        let large = capacity.try_reserve(&[size(100)], 1).unwrap();
        assert_eq!(capacity.used_units(), 100);
        assert!(capacity.try_reserve(&[size(1)], 1).is_none());
        drop(large);
    }

    #[tokio::test]
    async fn freed_room_wakes_a_waiting_producer() {
        let capacity = QueueCapacity::new(Sizer::Requests, 1);
        let first = capacity.reserve(&[size(1)], 1).await;
        let wanted = [size(1)];
        let mut second = std::pin::pin!(capacity.reserve(&wanted, 2));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await.len(), 1);
    }
}
