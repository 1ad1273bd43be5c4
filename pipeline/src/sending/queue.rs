//! A bounded queue with several consumers. Work counts until it is done, not until it is taken.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::batch::Batch;

/// The producer's end; dropping it closes the queue.
#[derive(Debug)]
pub(super) struct Queue {
    places: Places,
    sender: mpsc::UnboundedSender<Work>,
}

/// The consumers' end.
#[derive(Clone, Debug)]
pub(super) struct Take(Arc<Mutex<mpsc::UnboundedReceiver<Work>>>);

/// How full a queue is.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    capacity: usize,
}

/// A batch and its place in the queue.
#[derive(Debug)]
pub(super) struct Work {
    batch: Batch,
    place: OwnedSemaphorePermit,
}

impl Work {
    /// The batch, and its place, to be dropped when the batch is decided.
    pub(super) fn into_parts(self) -> (Batch, OwnedSemaphorePermit) {
        (self.batch, self.place)
    }
}

impl Queue {
    /// A queue for `capacity` batches, at least one.
    pub(super) fn new(capacity: usize) -> (Queue, Take) {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        // Unbounded only in type: every message in it holds a place.
        let (sender, receiver) = mpsc::unbounded_channel();
        let places = Places {
            free: Arc::new(Semaphore::new(capacity)),
            capacity,
        };
        (Queue { places, sender }, Take(Arc::new(Mutex::new(receiver))))
    }

    /// Puts the batch in; gives it back if there is no room and `wait` is false.
    pub(super) async fn put(&self, batch: Batch, wait: bool) -> Result<(), Batch> {
        let free = Arc::clone(&self.places.free);
        let place = if wait {
            free.acquire_owned().await.ok()
        } else {
            free.try_acquire_owned().ok()
        };
        let Some(place) = place else { return Err(batch) };
        self.sender.send(Work { batch, place }).map_err(|unsent| unsent.0.batch)
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }
}

impl Take {
    /// The next batch; `None` once the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Work> {
        self.0.lock().await.recv().await
    }
}

impl Places {
    /// How many batches wait or are being sent.
    pub(super) fn taken(&self) -> usize {
        self.capacity - self.free.available_permits()
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }
}
