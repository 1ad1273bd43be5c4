//! From a batch to the queue: batches are merged, made into requests, and stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::batcher::{Batcher, MergedBatch};
use super::capacity::{Reservation, Size};
use super::destination::Destination;
use super::instruments::Loss;
use super::queue::{QueuedRequest, Unit};
use super::queue_settings::QueueSettings;
use super::request::Request;
use super::sharing::{Acks, Owners};
use super::signal_sender::SignalSender;
use collector_data::Outcome;
use collector_data::{Batch, Signal};
use collector_runtime::component::ComponentError;
use collector_runtime::health::Status;
use collector_runtime::storage::ClaimError;
use pacing::lock;

/// The queue may be full for this long before the exporter is unhealthy: a burst is not a problem.
const FULL: Duration = Duration::from_secs(5);
/// The most batches that are stored in one transaction.
const GROUP: usize = 64;

/// Requests with room in the queue.
struct Admitted {
    requests: Vec<Request>,
    reservations: Vec<Reservation>,
    owners: Owners,
}

/// Takes batches until the channel is closed; `sender_of` gives the sender of a signal.
///
/// # Errors
/// If the store can no longer be used.
pub(super) async fn take_in<D: Destination>(
    mut channel: mpsc::Receiver<Batch>,
    settings: &QueueSettings,
    sender_of: impl Fn(Signal) -> Arc<SignalSender<D>>,
) -> Result<(), ComponentError> {
    // A channel carries one signal, except behind a component that forwards several.
    let mut batchers: BTreeMap<Signal, Batcher> = BTreeMap::new();
    let batch_settings = settings.batch.as_ref().filter(|_| settings.enabled);
    loop {
        let due = batchers
            .iter()
            .filter_map(|(signal, batcher)| Some((batcher.deadline()?, *signal)))
            .min();
        let flush = async {
            match due {
                Some((deadline, signal)) => {
                    sleep_until(deadline).await;
                    signal
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            signal = flush => {
                if let Some(merged) = batchers.get_mut(&signal).and_then(Batcher::flush) {
                    sender_of(signal).enqueue(vec![merged]).await?;
                }
            }
            batch = channel.recv() => {
                let Some(batch) = batch else { break };
                match batch_settings {
                    None => enqueue_waiting(batch, &mut channel, &sender_of).await?,
                    Some(batching) => {
                        let signal = batch.payload.signal();
                        let batcher = batchers
                            .entry(signal)
                            .or_insert_with(|| Batcher::new(batching.clone(), settings.batch_sizer(batching)));
                        sender_of(signal).enqueue(batcher.add(batch, Instant::now())).await?;
                    }
                }
            }
        }
    }
    for (signal, mut batcher) in batchers {
        if let Some(merged) = batcher.flush() {
            sender_of(signal).enqueue(vec![merged]).await?;
        }
    }
    Ok(())
}

/// Enqueues a batch, with a persistent queue together with those that wait behind it, so that they share one wait for
/// the disk.
async fn enqueue_waiting<D: Destination>(
    first: Batch,
    channel: &mut mpsc::Receiver<Batch>,
    sender_of: &impl Fn(Signal) -> Arc<SignalSender<D>>,
) -> Result<(), ComponentError> {
    let signal = first.payload.signal();
    let sender = sender_of(signal);
    let mut group: Vec<MergedBatch> = vec![first.into()];
    while sender.persistent.is_some()
        && group.len() < GROUP
        && let Ok(batch) = channel.try_recv()
    {
        if batch.payload.signal() == signal {
            group.push(batch.into());
        } else {
            sender.enqueue(std::mem::take(&mut group)).await?;
            sender_of(batch.payload.signal()).enqueue(vec![batch.into()]).await?;
        }
    }
    Ok(sender.enqueue(group).await?)
}

impl<D: Destination> SignalSender<D> {
    /// Puts data into the queue, in order, as soon as there is room. Data that finds room at once is stored together.
    async fn enqueue(&self, merged: Vec<MergedBatch>) -> Result<(), ClaimError> {
        let mut admitted = Vec::new();
        for MergedBatch { payload, owners } in merged {
            let items = payload.items() as u64;
            let requests = match self.destination.prepare(payload) {
                Ok(requests) => requests,
                Err(why) => {
                    self.lost(items, Loss::Refused, &why);
                    owners.into_acks().decide(&Outcome::Rejected(why));
                    continue;
                }
            };
            if requests.is_empty() {
                continue;
            }
            let now = self.clock.now();
            let sizes: Vec<Size> = requests.iter().map(Size::of).collect();
            let mut reservations = self.queue.capacity().try_reserve(&sizes, now);
            if reservations.is_none() {
                // Only consumers make room, so they get the earlier requests before this waits.
                self.store(std::mem::take(&mut admitted)).await?;
                reservations = self.reserve(&sizes, now).await;
            }
            match reservations {
                Some(reservations) => admitted.push(Admitted {
                    requests,
                    reservations,
                    owners,
                }),
                None => self.queue_is_full(items, owners),
            }
        }
        self.store(admitted).await
    }

    /// Stores admitted requests in one transaction, acknowledges them, and queues them.
    async fn store(&self, admitted: Vec<Admitted>) -> Result<(), ClaimError> {
        let Some(persistent) = self.persistent.as_ref().filter(|_| !admitted.is_empty()) else {
            admitted.into_iter().for_each(|admitted| self.queue_in_memory(admitted));
            return Ok(());
        };
        let requests: Vec<Request> = admitted
            .iter()
            .flat_map(|admitted| &admitted.requests)
            .cloned()
            .collect();
        match persistent.add(self.signal, &requests, self.clock.now()).await {
            Ok(keys) => {
                let mut keys = keys.into_iter();
                for Admitted {
                    reservations, owners, ..
                } in admitted
                {
                    owners.into_acks().decide(&Outcome::Delivered);
                    for (reservation, key) in reservations.into_iter().zip(&mut keys) {
                        self.queue.put(Unit::new(QueuedRequest::Stored(key), reservation));
                    }
                }
                Ok(())
            }
            Err(ClaimError::Permanent(problem)) => {
                tracing::error!(
                    exporter = %self.exporter,
                    signal = %self.signal,
                    requests = requests.len(),
                    problem,
                    "cannot store requests; they wait in memory and are lost if the collector stops",
                );
                admitted.into_iter().for_each(|admitted| self.queue_in_memory(admitted));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn queue_in_memory(&self, admitted: Admitted) {
        let mut owners = admitted.owners;
        for (request, reservation) in admitted.requests.into_iter().zip(admitted.reservations) {
            let acks: Acks = owners.split_off_front(request.items).into_acks();
            self.queue
                .put(Unit::new(QueuedRequest::InMemory(request, acks), reservation));
        }
    }

    /// Waits for room; `None` if the queue is full and `block_on_overflow` is off.
    async fn reserve(&self, sizes: &[Size], now: u64) -> Option<Vec<Reservation>> {
        let capacity = self.queue.capacity();
        if !self.blocks && !self.is_replaced() {
            return capacity.try_reserve(sizes, now);
        }
        if let Ok(reservations) = timeout(FULL, self.room(sizes, now)).await {
            return Some(reservations);
        }
        let (signal, limit, unit) = (self.signal, capacity.limit(), capacity.unit());
        let why = format!("{signal}: the sending queue is full ({limit} {unit})");
        self.queue_health.report(Status::RecoverableError(why));
        let reservations = self.room(sizes, now).await;
        self.queue_health.report(Status::Ok);
        Some(reservations)
    }

    /// Waits for room. On shutdown a persistent queue exceeds its capacity instead, and so does every queue of an exporter
    /// that is replaced, so that nothing is lost; the excess is small, because producers stop or have other consumers.
    async fn room(&self, sizes: &[Size], now: u64) -> Vec<Reservation> {
        let capacity = self.queue.capacity();
        let shutdown = async {
            match self.persistent {
                Some(_) => self.shutdown.cancelled().await,
                None => self.replaced().await,
            }
        };
        tokio::select! {
            biased;
            reservations = capacity.reserve(sizes, now) => reservations,
            () = shutdown => sizes.iter().map(|size| capacity.exceed(*size, now)).collect(),
        }
    }

    fn queue_is_full(&self, items: u64, owners: Owners) {
        self.instruments.enqueue_failed(items);
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            let capacity = self.queue.capacity();
            let (limit, unit) = (capacity.limit(), capacity.unit());
            tracing::error!(
                exporter = %self.exporter,
                signal = %self.signal,
                items,
                limit,
                unit,
                not_logged = line.held_back,
                "items lost: the sending queue is full"
            );
        }
        owners
            .into_acks()
            .decide(&Outcome::Dropped("the sending queue is full".into()));
    }
}
