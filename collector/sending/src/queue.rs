//! The queue of one signal: first in, first out, for several consumers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::capacity::{QueueCapacity, Reservation};
use super::request::Request;
use super::sharing::Acks;

/// A request in the queue.
#[derive(Debug)]
pub(super) enum QueuedRequest {
    /// In memory; it is acknowledged at its end.
    InMemory(Request, Acks),
    /// In the store under this key. It was acknowledged when it was stored.
    Stored(String),
}

/// The attempts to send a request so far.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) begin: Instant,
    pub(super) count: u32,
}

/// One request, or the parts that remain of it, with its room in the queue.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) requests: VecDeque<QueuedRequest>,
    /// Frees its room in the queue when the unit is dropped.
    _reservation: Reservation,
    /// The attempts to send the first request, if it has let others pass.
    pub(super) attempts: Option<Attempts>,
}

impl Unit {
    pub(super) fn new(request: QueuedRequest, reservation: Reservation) -> Self {
        Unit {
            requests: VecDeque::from([request]),
            _reservation: reservation,
            attempts: None,
        }
    }
}

/// A queue. Its bound is the capacity in which every unit holds a reservation.
#[derive(Debug)]
pub(super) struct Queue {
    pending: Mutex<VecDeque<Unit>>,
    /// As many permits as pending units.
    ready: Semaphore,
    capacity: Arc<QueueCapacity>,
}

impl Queue {
    pub(super) fn new(capacity: Arc<QueueCapacity>) -> Self {
        Queue {
            pending: Mutex::default(),
            ready: Semaphore::new(0),
            capacity,
        }
    }

    pub(super) fn put(&self, unit: Unit) {
        self.pending().push_back(unit);
        self.ready.add_permits(1);
    }

    /// The next unit; `None` once the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Unit> {
        if let Ok(permit) = self.ready.acquire().await {
            permit.forget();
        }
        self.pending().pop_front()
    }

    /// Takes the pending units; for a closed queue without consumers.
    pub(super) fn take(&self) -> VecDeque<Unit> {
        std::mem::take(&mut *self.pending())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    /// Lets consumers end once the queue is empty.
    pub(super) fn close(&self) {
        self.ready.close();
    }

    pub(super) fn capacity(&self) -> &Arc<QueueCapacity> {
        &self.capacity
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<Unit>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
