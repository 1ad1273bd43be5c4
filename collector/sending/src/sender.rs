//! The sender: from an exporter's inbox through one queue for each signal to its destination.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use opentelemetry::metrics::Meter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::condition::Condition;
use super::destination::Destination;
use super::instruments::Instruments;
use super::intake::take_in;
use super::kept::{Found, Kept};
use super::lane::Lane;
use super::places::{Place, Places};
use super::queue::{Held, Queue, Work};
use super::queue_settings::{QueueSettings, Sizer};
use super::retry_settings::RetrySettings;
use collector_config::ComponentId;
use collector_data::Signal;
use collector_runtime::component::{ComponentError, Kind, Running};
use collector_runtime::outlet::Inbox;
use collector_runtime::storage::Storage;
use pacing::LogPace;

/// Queues, sends and retries for one exporter.
///
/// Each signal has its own way in, queue and consumers, so that a destination that refuses metrics for a while does
/// not delay events, not even when the queue of metrics is full.
pub struct Sender<D> {
    destination: Arc<D>,
    exporter: ComponentId,
    retry: RetrySettings,
    queue: QueueSettings,
    storage: Option<Arc<dyn Storage>>,
    meter: Meter,
    random: fn() -> f64,
    clock: Clock,
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
            storage: None,
            meter,
            random,
            clock: Clock::new(SystemTime::now),
        }
    }

    /// Keeps the queue in this storage, which [`QueueSettings::open`] found.
    #[must_use]
    pub fn with_storage(self, storage: Option<Arc<dyn Storage>>) -> Self {
        Sender { storage, ..self }
    }

    /// Takes the chance of the waits from `random` (evenly spread over 0..1), for tests.
    #[must_use]
    pub fn with_random(self, random: fn() -> f64) -> Self {
        Sender { random, ..self }
    }

    /// Takes the time of day from `now`, for tests.
    #[must_use]
    pub fn with_clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Sender {
            clock: Clock::new(now),
            ..self
        }
    }

    /// Sends what comes in until `input` is closed and every batch is decided.
    ///
    /// After `input` is closed it still tries as long as the settings say; whoever is in a hurry drops the future,
    /// and with it all batches, which then count as lost. With a storage it tries each request once more, leaves what
    /// does not arrive in the store, and ends.
    ///
    /// # Errors
    /// If a consumer died, or the store cannot be used.
    pub async fn run(self, input: Inbox, running: Running) -> Result<(), ComponentError> {
        let condition = Arc::new(Condition::new(running.health.clone()));
        let (opened, mut openings) = mpsc::unbounded_channel();
        let mut lanes = Lanes {
            condition: Arc::clone(&condition),
            kept: None,
            running,
            lanes: Mutex::default(),
            opened,
            sender: self,
        };
        let mut found = Found::default();
        if let Some(storage) = &lanes.sender.storage {
            let sender = &lanes.sender;
            let store = storage.open(Kind::Exporter, &sender.exporter).await?;
            let kept = Kept::new(store, sender.exporter.clone(), condition, sender.random);
            found = kept.load().await?;
            lanes.kept = Some(Arc::new(kept));
        }
        lanes.go_on(found);

        let lanes = Arc::new(lanes);
        // Dropping the sets ends their tasks with this future.
        let (mut intakes, mut consumers) = (JoinSet::new(), JoinSet::new());
        for channel in input.into_channels() {
            let lanes = Arc::clone(&lanes);
            intakes.spawn(async move { take_in(channel, &lanes.sender.queue, |signal| lanes.of(signal)).await });
        }
        let mut left = Vec::new();
        let undelivered = Undelivered(Arc::clone(&lanes));
        while !intakes.is_empty() {
            tokio::select! {
                Some(lane) = openings.recv() => lanes.spawn(&lane, &mut consumers),
                Some(ended) = intakes.join_next() => ended??,
                Some(ended) = consumers.join_next() => left.extend(ended??),
            }
        }
        while let Ok(lane) = openings.try_recv() {
            lanes.spawn(&lane, &mut consumers);
        }

        let waiting: u64 = lanes.all().iter().map(|lane| lane.queue.places().used().requests).sum();
        if waiting > 0 {
            tracing::info!(exporter = %lanes.sender.exporter, "shutting down: {waiting} requests are still to be sent");
        }
        lanes.all().iter().for_each(|lane| lane.queue.close());
        while let Some(ended) = consumers.join_next().await {
            left.extend(ended??);
        }
        drop(undelivered);
        Ok(())
    }
}

/// How a consumer ended: with the place of a request that it left for the next start, if it did.
type Consumed = Result<Option<Place>, ComponentError>;

/// The lanes of one sender, each opened when it is needed first.
struct Lanes<D> {
    sender: Sender<D>,
    kept: Option<Arc<Kept>>,
    condition: Arc<Condition>,
    running: Running,
    lanes: Mutex<BTreeMap<Signal, Arc<Lane<D>>>>,
    /// Lanes whose consumers are to be started.
    opened: mpsc::UnboundedSender<Arc<Lane<D>>>,
}

impl<D: Destination> Lanes<D> {
    /// The lane of a signal.
    fn of(&self, signal: Signal) -> Arc<Lane<D>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(signal).or_insert_with(|| {
            let lane = Arc::new(self.open(signal));
            // Whoever starts the consumers lives as long as the intakes.
            let _ = self.opened.send(Arc::clone(&lane));
            lane
        });
        Arc::clone(lane)
    }

    fn open(&self, signal: Signal) -> Lane<D> {
        let sender = &self.sender;
        // Without a queue, one at a time: a queue with one place that is free again when the request is decided.
        let places = match sender.queue.enabled {
            true => Places::new(sender.queue.sizer(), sender.queue.queue_size),
            false => Places::new(Sizer::Requests, 1),
        };
        Lane {
            destination: Arc::clone(&sender.destination),
            exporter: sender.exporter.clone(),
            signal,
            retry: sender.retry.clone(),
            blocks: sender.queue.block_on_overflow || !sender.queue.enabled,
            instruments: Instruments::new(&sender.meter, &sender.exporter, signal, &places, &sender.clock),
            queue: Queue::new(places),
            kept: self.kept.clone(),
            condition: Arc::clone(&self.condition),
            shutdown: self.running.shutdown.clone(),
            random: sender.random,
            clock: sender.clock.clone(),
            in_order: !sender.queue.enabled || sender.queue.num_consumers == 1,
            delivered: AtomicU64::new(0),
            failures: Mutex::new(LogPace::new()),
            losses: Mutex::new(LogPace::new()),
        }
    }

    /// Takes up what the process before this one has left.
    fn go_on(&self, found: Found) {
        let count = found.requests.len();
        if count > 0 {
            let exporter = &self.sender.exporter;
            tracing::info!(%exporter, "{count} stored requests of an earlier run are still to be sent");
        }
        for (key, signal, size, queued) in found.requests {
            let lane = self.of(signal);
            let place = lane.queue.places().take_anyway(size, queued);
            let held = Held::Stored(key);
            lane.queue.put(Work::new(held, place));
        }
        for signal in found.unreadable {
            self.of(signal).instruments.unreadable();
        }
    }

    fn spawn(&self, lane: &Arc<Lane<D>>, consumers: &mut JoinSet<Consumed>) {
        let count = match self.sender.queue.enabled {
            true => self.sender.queue.num_consumers.max(1),
            false => 1,
        };
        for _ in 0..count {
            consumers.spawn(Arc::clone(lane).consume());
        }
    }
}

impl<D> Lanes<D> {
    fn all(&self) -> Vec<Arc<Lane<D>>> {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values().cloned().collect()
    }
}

/// Says at the end of its life what was not delivered: the runtime drops a sender that takes too long to stop.
struct Undelivered<D>(Arc<Lanes<D>>);

impl<D> Drop for Undelivered<D> {
    fn drop(&mut self) {
        for lane in self.0.all() {
            let left = lane.queue.places().used().requests;
            if left == 0 {
                continue;
            }
            let (exporter, signal) = (&lane.exporter, lane.signal);
            if lane.kept.is_some() {
                tracing::info!(%exporter, %signal, "{left} requests stay in the store for the next start");
            } else {
                let why = "the shutdown did not wait for them any longer";
                tracing::error!(%exporter, %signal, "{left} requests are lost: {why}");
            }
        }
    }
}

/// Chance good enough to spread retries, from the seed of the standard library's hash maps.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
