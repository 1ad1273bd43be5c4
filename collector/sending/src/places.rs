//! How full a queue is. A place is taken until its request has come to its end, not until a consumer takes it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::queue_settings::Sizer;
use super::request::Request;

/// The room in one queue.
#[derive(Debug)]
pub(super) struct Places {
    state: Mutex<State>,
    freed: Notify,
    sizer: Sizer,
    capacity: u64,
}

#[derive(Debug, Default)]
struct State {
    used: Size,
    /// When each request was queued, and a number that makes it unique.
    queued: BTreeSet<(u64, u64)>,
    next: u64,
}

/// How large requests are, by every sizer.
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

impl Places {
    pub(super) fn new(sizer: Sizer, capacity: u64) -> Arc<Self> {
        Arc::new(Places {
            state: Mutex::default(),
            freed: Notify::new(),
            sizer,
            capacity,
        })
    }

    /// Places for all of these, once there is room for them together. What is larger than the whole queue gets in when
    /// the queue is empty: it could never be sent otherwise.
    pub(super) async fn take(self: &Arc<Self>, wanted: &[Size], queued: u64) -> Vec<Place> {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // Before looking, so that a place that is given back between looking and waiting wakes us.
            freed.as_mut().enable();
            if let Some(places) = self.try_take(wanted, queued) {
                return places;
            }
            freed.await;
        }
    }

    /// Places for all of these if there is room now.
    pub(super) fn try_take(self: &Arc<Self>, wanted: &[Size], queued: u64) -> Option<Vec<Place>> {
        let mut state = self.locked();
        let used = state.used.by(self.sizer);
        let more: u64 = wanted.iter().map(|size| size.by(self.sizer)).sum();
        if used > 0 && used.saturating_add(more) > self.capacity {
            return None;
        }
        Some(wanted.iter().map(|size| self.add(&mut state, *size, queued)).collect())
    }

    /// A place whether there is room or not, for what is in the store already.
    pub(super) fn take_anyway(self: &Arc<Self>, size: Size, queued: u64) -> Place {
        self.add(&mut self.locked(), size, queued)
    }

    fn add(self: &Arc<Self>, state: &mut State, size: Size, queued: u64) -> Place {
        state.used.add(size);
        let queued = (queued, state.next);
        state.next += 1;
        state.queued.insert(queued);
        Place {
            places: Arc::clone(self),
            size,
            queued,
        }
    }

    /// What waits or is being sent.
    pub(super) fn used(&self) -> Size {
        self.locked().used
    }

    /// The same in the unit of the queue's capacity.
    pub(super) fn taken(&self) -> u64 {
        self.used().by(self.sizer)
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The unit of the capacity, for people.
    pub(super) fn unit(&self) -> &'static str {
        match self.sizer {
            Sizer::Requests => "requests",
            Sizer::Items => "items",
            Sizer::Bytes => "bytes",
        }
    }

    /// When the oldest of what waits or is being sent was queued, in nanoseconds since 1970.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.locked().queued.first().map(|(queued, _)| *queued)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one request; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    size: Size,
    queued: (u64, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.locked();
        state.used.subtract(self.size);
        state.queued.remove(&self.queued);
        drop(state);
        self.places.freed.notify_waiters();
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
    fn the_capacity_is_measured_by_the_sizer() {
        for (sizer, capacity) in [(Sizer::Requests, 2), (Sizer::Items, 7), (Sizer::Bytes, 70)] {
            let places = Places::new(sizer, capacity);
            let first = places.try_take(&[size(3)], 1).unwrap();
            let second = places.try_take(&[size(4)], 2).unwrap();
            assert!(places.try_take(&[size(1)], 3).is_none(), "{sizer:?}");
            assert_eq!((places.taken(), places.oldest()), (capacity, Some(1)));
            drop(first);
            assert_eq!(places.oldest(), Some(2));
            assert!(places.try_take(&[size(1)], 3).is_some());
            drop(second);
            assert_eq!((places.used(), places.oldest()), (Size::default(), None));
        }
    }

    #[test]
    fn all_get_in_or_none_and_what_is_too_large_only_alone() {
        let places = Places::new(Sizer::Items, 10);
        let first = places.try_take(&[size(4)], 1).unwrap();
        assert!(places.try_take(&[size(4), size(4)], 1).is_none());
        assert_eq!(places.taken(), 4);
        assert!(places.try_take(&[size(100)], 1).is_none());
        drop(first);
        let large = places.try_take(&[size(100)], 1).unwrap();
        assert_eq!(places.taken(), 100);
        assert!(places.try_take(&[size(1)], 1).is_none());
        drop(large);
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_place_that_is_free_again() {
        let places = Places::new(Sizer::Requests, 1);
        let first = places.take(&[size(1)], 1).await;
        let wanted = [size(1)];
        let mut second = std::pin::pin!(places.take(&wanted, 2));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await.len(), 1);
    }
}
