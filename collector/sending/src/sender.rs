//! The sender: from an exporter's inbox through one queue for each signal to its destination.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use opentelemetry::metrics::Meter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::capacity::QueueCapacity;
use super::clock::Clock;
use super::destination::Destination;
use super::instruments::Instruments;
use super::intake::take_in;
use super::persistent_queue::{LoadedQueue, PersistentQueue};
use super::queue::{Queue, QueuedRequest, Unit};
use super::queue_settings::{QueueSettings, Sizer};
use super::retry_settings::RetrySettings;
use super::signal_sender::SignalSender;
use collector_config::ComponentId;
use collector_data::{Batch, Outcome, Signal};
use collector_runtime::component::{ComponentError, Kind, Running};
use collector_runtime::outlet::Inbox;
use collector_runtime::storage::{Claimed, Storage};
use pacing::LogPace;

/// Queues, sends and retries for one exporter.
///
/// Each signal has its own inbox, queue and consumers, so that a backend that refuses metrics for a while does not delay
/// events, even when the queue of metrics is full.
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
    /// A sender for the exporter with the given id and valid settings.
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

    /// Persists the queue in this storage, found by [`QueueSettings::open`].
    #[must_use]
    pub fn with_storage(self, storage: Option<Arc<dyn Storage>>) -> Self {
        Sender { storage, ..self }
    }

    /// Takes the jitter of waits from `random` (evenly spread over 0..1), for tests.
    #[must_use]
    pub fn with_random(self, random: fn() -> f64) -> Self {
        Sender { random, ..self }
    }

    /// Takes the wall clock from `now`, for tests.
    #[must_use]
    pub fn with_clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Sender {
            clock: Clock::new(now),
            ..self
        }
    }

    /// Sends batches until `input` is closed and every batch is acknowledged.
    ///
    /// After `input` is closed it still retries as long as the settings say; dropping the future ends it early, and all
    /// unacknowledged batches count as lost. With a storage it attempts each request once more, leaves undelivered ones
    /// in the store, and ends. If a reload replaces the exporter, it makes no more attempts and gives the undelivered
    /// requests in memory to its successor.
    ///
    /// # Errors
    /// If a consumer panicked, or the store can no longer be used.
    pub async fn run(self, input: Inbox, running: Running) -> Result<(), ComponentError> {
        let (opened, mut to_start) = mpsc::unbounded_channel();
        let mut signals = Signals {
            persistent: None,
            running,
            senders: Mutex::default(),
            opened,
            sender: self,
        };
        let mut stored = LoadedQueue::default();
        if let Some(storage) = &signals.sender.storage {
            let exporter = &signals.sender.exporter;
            let store = Claimed::open(&**storage, Kind::Exporter, exporter).await?;
            let store = store.with_health(&signals.running.health);
            let persistent = PersistentQueue::new(store, exporter.clone());
            stored = persistent.load().await?;
            signals.persistent = Some(Arc::new(persistent));
        }
        signals.resume(stored);

        let signals = Arc::new(signals);
        // Dropping the sets ends their tasks with this future.
        let (mut intakes, mut consumers) = (JoinSet::new(), JoinSet::new());
        for channel in input.into_channels() {
            let signals = Arc::clone(&signals);
            intakes.spawn(async move { take_in(channel, &signals.sender.queue, |signal| signals.of(signal)).await });
        }
        let mut unsent = Vec::new();
        let report = ReportUndelivered(Arc::clone(&signals));
        while !intakes.is_empty() {
            tokio::select! {
                Some(sender) = to_start.recv() => signals.start_consumers(&sender, &mut consumers),
                Some(ended) = intakes.join_next() => ended??,
                Some(ended) = consumers.join_next() => unsent.extend(ended??),
            }
        }
        while let Ok(sender) = to_start.try_recv() {
            signals.start_consumers(&sender, &mut consumers);
        }

        let senders = signals.all();
        let requests: u64 = senders
            .iter()
            .map(|sender| sender.queue.capacity().used().requests)
            .sum();
        if requests > 0 && !signals.running.is_replaced() {
            tracing::info!(exporter = %signals.sender.exporter, requests, "shutting down; sending queued requests");
        }
        senders.iter().for_each(|sender| sender.queue.close());
        while let Some(ended) = consumers.join_next().await {
            unsent.extend(ended??);
        }
        if signals.running.is_replaced() {
            unsent.extend(senders.iter().flat_map(|sender| sender.queue.take()));
            unsent.retain_mut(|unit| !signals.give_back(unit));
        }
        // Reservations of requests left in the store still count until here.
        drop(report);
        Ok(())
    }
}

/// The end of a consumer: the unit that stays in the store or goes to the successor, if there is one.
type Consumed = Result<Option<Unit>, ComponentError>;

/// The senders of an exporter's signals, each made on first use.
struct Signals<D> {
    sender: Sender<D>,
    persistent: Option<Arc<PersistentQueue>>,
    running: Running,
    senders: Mutex<BTreeMap<Signal, Arc<SignalSender<D>>>>,
    /// Senders without consumers yet.
    opened: mpsc::UnboundedSender<Arc<SignalSender<D>>>,
}

impl<D: Destination> Signals<D> {
    fn of(&self, signal: Signal) -> Arc<SignalSender<D>> {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = senders.entry(signal).or_insert_with(|| {
            let sender = Arc::new(self.open(signal));
            // The receiver outlives the intakes, the only callers.
            let _ = self.opened.send(Arc::clone(&sender));
            sender
        });
        Arc::clone(sender)
    }

    fn open(&self, signal: Signal) -> SignalSender<D> {
        let sender = &self.sender;
        // Without a queue, room for one request that is free again once the request is decided.
        let capacity = match sender.queue.enabled {
            true => QueueCapacity::new(sender.queue.sizer(), sender.queue.queue_size),
            false => QueueCapacity::new(Sizer::Requests, 1),
        };
        let health = &self.running.health;
        let of = Arc::downgrade(&capacity);
        health.queue(signal, move || Some(of.upgrade()?.reading()));
        SignalSender {
            destination: Arc::clone(&sender.destination),
            exporter: sender.exporter.clone(),
            signal,
            retry: sender.retry.clone(),
            blocks: sender.queue.block_on_overflow || !sender.queue.enabled,
            instruments: Instruments::new(&sender.meter, &sender.exporter, signal, &capacity, &sender.clock),
            queue: Queue::new(capacity),
            persistent: self.persistent.clone(),
            backend_health: health.part(format!("{signal} backend")),
            queue_health: health.part(format!("{signal} queue")),
            shutdown: self.running.shutdown.clone(),
            succession: self.running.succession.clone(),
            random: sender.random,
            clock: sender.clock.clone(),
            in_order: !sender.queue.enabled || sender.queue.num_consumers == 1,
            delivered: AtomicU64::new(0),
            failures: Mutex::new(LogPace::new()),
            losses: Mutex::new(LogPace::new()),
        }
    }

    /// Queues the requests that an earlier run left in the store.
    fn resume(&self, stored: LoadedQueue) {
        let requests = stored.requests.len();
        if requests > 0 {
            let exporter = &self.sender.exporter;
            tracing::info!(%exporter, requests, "resuming with the stored requests of an earlier run");
        }
        for request in stored.requests {
            let sender = self.of(request.signal);
            let reservation = sender.queue.capacity().exceed(request.size, request.queued);
            sender
                .queue
                .put(Unit::new(QueuedRequest::Stored(request.key), reservation));
        }
        for signal in stored.unreadable {
            self.of(signal).instruments.unreadable();
        }
    }

    /// Gives the requests of a unit in memory to the successor of the exporter; false if the unit is in the store.
    fn give_back(&self, unit: &mut Unit) -> bool {
        let mut is_in_memory = false;
        for queued in std::mem::take(&mut unit.requests) {
            let QueuedRequest::InMemory(request, acks) = queued else {
                continue;
            };
            is_in_memory = true;
            match self.sender.destination.unpack(&request) {
                Ok(payload) => self.running.succession.give_back(Batch::new(payload, acks.join())),
                Err(why) => {
                    let exporter = &self.sender.exporter;
                    tracing::error!(%exporter, items = request.items, why, "items lost: cannot read a queued request");
                    acks.decide(&Outcome::Dropped(why));
                }
            }
        }
        is_in_memory
    }

    fn start_consumers(&self, sender: &Arc<SignalSender<D>>, consumers: &mut JoinSet<Consumed>) {
        let count = match self.sender.queue.enabled {
            true => self.sender.queue.num_consumers.max(1),
            false => 1,
        };
        for _ in 0..count {
            consumers.spawn(Arc::clone(sender).consume());
        }
    }
}

impl<D> Signals<D> {
    fn all(&self) -> Vec<Arc<SignalSender<D>>> {
        let senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.values().cloned().collect()
    }
}

/// Logs undelivered requests when it is dropped: the runtime drops a sender that takes too long to stop.
struct ReportUndelivered<D>(Arc<Signals<D>>);

impl<D> Drop for ReportUndelivered<D> {
    fn drop(&mut self) {
        for sender in self.0.all() {
            let requests = sender.queue.capacity().used().requests;
            if requests == 0 {
                continue;
            }
            let (exporter, signal) = (&sender.exporter, sender.signal);
            if sender.persistent.is_some() {
                tracing::info!(%exporter, %signal, requests, "undelivered requests stay in the store");
            } else {
                tracing::error!(%exporter, %signal, requests, "requests lost: the shutdown timed out");
            }
        }
    }
}

/// Good enough to spread retries: the seed of the standard library's hash maps.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
