//! The sender: from an exporter's inbox through one queue for each signal to its destination.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};

use opentelemetry::metrics::Meter;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::condition::Condition;
use super::deliver::{Lane, lock};
use super::destination::Destination;
use super::instruments::Instruments;
use super::log_pace::LogPace;
use super::queue::{Places, Queue};
use super::settings::{QueueSettings, RetrySettings};
use crate::batch::{Batch, Signal};
use crate::component::{ComponentError, ComponentId, Running};
use crate::outlet::Inbox;

/// Queues, sends and retries for one exporter.
///
/// Each signal has its own queue and consumers, so that a destination that refuses metrics for a while does not
/// delay events. Only when one signal's queue is full and `block_on_overflow` is set does the whole inbox wait.
pub struct Sender<D> {
    destination: Arc<D>,
    exporter: ComponentId,
    retry: RetrySettings,
    queue: QueueSettings,
    meter: Meter,
    random: fn() -> f64,
}

impl<D: Destination> Sender<D> {
    /// A sender for the exporter with the given id; the settings are checked already.
    pub fn new(
        destination: D,
        exporter: ComponentId,
        retry: RetrySettings,
        queue: QueueSettings,
        meter: Meter,
    ) -> Self {
        Sender {
            destination: Arc::new(destination),
            exporter,
            retry,
            queue,
            meter,
            random,
        }
    }

    /// Takes the chance of the waits from `random` (evenly spread over 0..1), for tests.
    #[must_use]
    pub fn with_random(self, random: fn() -> f64) -> Self {
        Sender { random, ..self }
    }

    /// Sends what comes in until `input` is closed and every batch is decided.
    ///
    /// After `input` is closed it still tries as long as the settings say; whoever is in a hurry drops the future,
    /// and with it all batches, which then count as lost.
    ///
    /// # Errors
    /// If a consumer died.
    pub async fn run(self, mut input: Inbox, running: Running) -> Result<(), ComponentError> {
        let condition = Arc::new(Condition::new(running.health.clone()));
        let mut lanes: BTreeMap<Signal, (Arc<Lane<D>>, Queue)> = BTreeMap::new();
        // Dropping the set ends the consumers with this future.
        let mut consumers: JoinSet<()> = JoinSet::new();
        let mut undelivered = Undelivered {
            exporter: self.exporter.clone(),
            lanes: Vec::new(),
        };
        loop {
            tokio::select! {
                batch = input.recv() => {
                    let Some(batch) = batch else { break };
                    let signal = batch.payload.signal();
                    let (lane, queue) = lanes
                        .entry(signal)
                        .or_insert_with(|| self.open(signal, &condition, &running, &mut consumers));
                    self.put(lane, queue, batch).await;
                }
                Some(ended) = consumers.join_next() => ended?,
            }
        }

        let left: usize = lanes.values().map(|(_, queue)| queue.places().taken()).sum();
        if left > 0 {
            tracing::info!(exporter = %self.exporter, "shutting down: {left} batches are still to be sent");
        }
        undelivered.lanes.extend(
            lanes
                .iter()
                .map(|(signal, (_, queue))| (*signal, queue.places().clone())),
        );
        drop(lanes);
        while let Some(ended) = consumers.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Makes the queue of a signal and starts its consumers.
    fn open(
        &self,
        signal: Signal,
        condition: &Arc<Condition>,
        running: &Running,
        consumers: &mut JoinSet<()>,
    ) -> (Arc<Lane<D>>, Queue) {
        // Without a queue, one batch at a time: a queue with one place that is free again when the batch is decided.
        let (capacity, count) = if self.queue.enabled {
            (
                self.queue.queue_size,
                self.queue.num_consumers.min(self.queue.queue_size),
            )
        } else {
            (1, 1)
        };
        let (queue, take) = Queue::new(capacity);
        let lane = Arc::new(Lane {
            destination: Arc::clone(&self.destination),
            exporter: self.exporter.clone(),
            signal,
            retry: self.retry.clone(),
            instruments: Instruments::new(&self.meter, &self.exporter, signal, queue.places()),
            condition: Arc::clone(condition),
            shutdown: running.shutdown.clone(),
            random: self.random,
            failures: Mutex::new(LogPace::new()),
            losses: Mutex::new(LogPace::new()),
        });
        for _ in 0..count.max(1) {
            let (lane, take) = (Arc::clone(&lane), take.clone());
            consumers.spawn(async move {
                while let Some(work) = take.next().await {
                    let (batch, place) = work.into_parts();
                    lane.deliver(batch).await;
                    drop(place);
                }
            });
        }
        (lane, queue)
    }

    async fn put(&self, lane: &Lane<D>, queue: &Queue, batch: Batch) {
        let wait = self.queue.block_on_overflow || !self.queue.enabled;
        let Err(batch) = queue.put(batch, wait).await else {
            return;
        };
        let items = batch.payload.items();
        lane.instruments.enqueue_failed(items as u64);
        if let Some(line) = lock(&lane.losses).failed(Instant::now()) {
            tracing::error!(
                exporter = %lane.exporter,
                signal = %lane.signal,
                not_shown = line.held_back,
                "{items} items are lost: the sending queue is full ({} batches)",
                queue.places().capacity(),
            );
        }
        batch.ack.dropped("the sending queue is full");
    }
}

/// Says at the end of its life what was not delivered: the runtime drops a sender that takes too long to stop.
struct Undelivered {
    exporter: ComponentId,
    lanes: Vec<(Signal, Places)>,
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        for (signal, places) in &self.lanes {
            let left = places.taken();
            if left > 0 {
                tracing::error!(
                    exporter = %self.exporter,
                    %signal,
                    "{left} batches are lost: the shutdown did not wait for them any longer",
                );
            }
        }
    }
}

/// Chance good enough to spread retries, from the seed of the standard library's hash maps.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
