//! What waits to be sent: first in, first out, for several consumers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::places::{Place, Places};
use super::request::Request;
use super::sharing::Acks;

/// One request on its way.
#[derive(Debug)]
pub(super) enum Held {
    /// In memory; whoever waits to know what becomes of it is told at its end.
    InMemory(Request, Acks),
    /// In the store under this key. Whoever made it has been told that it is delivered.
    Stored(String),
}

/// The attempts to send a request so far.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) begin: Instant,
    pub(super) count: u64,
    pub(super) backoff: Backoff,
}

/// A request, or the parts that are left of it, and its place in the queue.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) parts: VecDeque<Held>,
    pub(super) place: Place,
    /// Attempts to send the first part, if it has let others pass.
    pub(super) attempts: Option<Attempts>,
}

impl Work {
    pub(super) fn new(held: Held, place: Place) -> Self {
        Work {
            parts: VecDeque::from([held]),
            place,
            attempts: None,
        }
    }
}

/// A queue. What bounds it is that every request in it holds a place.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Work>>,
    /// As many permits as requests wait.
    ready: Semaphore,
    places: Arc<Places>,
}

impl Queue {
    pub(super) fn new(places: Arc<Places>) -> Self {
        Queue {
            waiting: Mutex::default(),
            ready: Semaphore::new(0),
            places,
        }
    }

    pub(super) fn put(&self, work: Work) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(work);
        self.ready.add_permits(1);
    }

    /// The next request; `None` once the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Work> {
        if let Ok(permit) = self.ready.acquire().await {
            permit.forget();
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// True if the queue is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.ready.close();
    }

    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }
}
