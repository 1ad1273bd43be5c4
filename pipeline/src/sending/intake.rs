//! From what comes in to what waits in the queue: batches are put together, made into requests, and stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::condition::Part;
use super::destination::Destination;
use super::gather::{Gather, Gathered};
use super::instruments::Loss;
use super::kept::{Kept, Refused};
use super::lane::Lane;
use super::log_pace::lock;
use super::places::{Place, Size};
use super::queue::{Held, Work};
use super::queue_settings::QueueSettings;
use super::request::Request;
use super::sharing::{Acks, Owners};
use crate::ack::Outcome;
use crate::batch::{Batch, Signal};
use crate::component::ComponentError;

/// For how long the queue may be full before the exporter counts as failing: a burst is no trouble.
const FULL: Duration = Duration::from_secs(5);

/// Takes batches until the channel is closed; `lane` gives the lane of a signal.
///
/// # Errors
/// If the store cannot be used any more.
pub(super) async fn take_in<D: Destination>(
    mut channel: mpsc::Receiver<Batch>,
    settings: &QueueSettings,
    lane: impl Fn(Signal) -> Arc<Lane<D>>,
) -> Result<(), ComponentError> {
    // A channel carries one signal, or, where a component stands between, several.
    let mut gathers: BTreeMap<Signal, Gather> = BTreeMap::new();
    let batch_settings = settings.batch.as_ref().filter(|_| settings.enabled);
    loop {
        let due = gathers
            .iter()
            .filter_map(|(signal, gather)| Some((gather.deadline()?, *signal)))
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
                if let Some(gathered) = gathers.get_mut(&signal).and_then(Gather::flush) {
                    lane(signal).put(gathered).await?;
                }
            }
            batch = channel.recv() => {
                let Some(batch) = batch else { break };
                let signal = batch.payload.signal();
                let lane = lane(signal);
                let Some(batching) = batch_settings else {
                    lane.put(batch.into()).await?;
                    continue;
                };
                let gather = gathers
                    .entry(signal)
                    .or_insert_with(|| Gather::new(batching.clone(), settings.batch_sizer(batching)));
                for gathered in gather.add(batch, Instant::now()) {
                    lane.put(gathered).await?;
                }
            }
        }
    }
    for (signal, mut gather) in gathers {
        if let Some(gathered) = gather.flush() {
            lane(signal).put(gathered).await?;
        }
    }
    Ok(())
}

impl<D: Destination> Lane<D> {
    /// Puts data into the queue once there is room.
    async fn put(&self, gathered: Gathered) -> Result<(), ComponentError> {
        let Gathered { payload, mut owners } = gathered;
        let items = payload.items() as u64;
        let requests = match self.destination.prepare(payload) {
            Ok(requests) => requests,
            Err(why) => {
                self.lost(items, Loss::Refused, &why);
                owners.into_acks().decide(&Outcome::Rejected(why));
                return Ok(());
            }
        };
        if requests.is_empty() {
            return Ok(());
        }
        let queued = self.clock.now();
        let sizes: Vec<Size> = requests.iter().map(Size::of).collect();
        let Some(places) = self.places(&sizes, queued).await else {
            self.no_room(items, owners);
            return Ok(());
        };
        if let Some(kept) = &self.kept {
            match self.store(kept, &requests, queued).await? {
                Ok(keys) => {
                    owners.into_acks().decide(&Outcome::Delivered);
                    for (key, place) in keys.into_iter().zip(places) {
                        let held = Held::Stored(key);
                        self.queue.put(Work { held, place });
                    }
                    return Ok(());
                }
                Err(Refused(why)) => {
                    tracing::error!(
                        exporter = %self.exporter,
                        signal = %self.signal,
                        "{items} items cannot be stored, so they wait in memory and would not survive a restart: {why}",
                    );
                }
            }
        }
        for (request, place) in requests.into_iter().zip(places) {
            let acks: Acks = owners.split_off_front(request.items).into_acks();
            let held = Held::InMemory(request, acks);
            self.queue.put(Work { held, place });
        }
        Ok(())
    }

    async fn store(
        &self,
        kept: &Kept,
        requests: &[Request],
        queued: u64,
    ) -> Result<Result<Vec<String>, Refused>, ComponentError> {
        kept.add(self.signal, requests, queued).await
    }

    /// Places in the queue, once there are any; `None` if there are none and nothing waits for them.
    async fn places(&self, sizes: &[Size], queued: u64) -> Option<Vec<Place>> {
        let places = self.queue.places();
        if !self.blocks {
            return places.try_take(sizes, queued);
        }
        if let Ok(taken) = timeout(FULL, self.room(sizes, queued)).await {
            return Some(taken);
        }
        let why = format!("the sending queue is full ({} {})", places.capacity(), places.unit());
        self.condition.failing(self.signal, Part::Queue, &why);
        let taken = self.room(sizes, queued).await;
        self.condition.works(self.signal, Part::Queue);
        Some(taken)
    }

    /// Waits for room. When the process ends, what can be stored is stored, so that nothing of it is lost; it is
    /// little, for producers end before exporters do.
    async fn room(&self, sizes: &[Size], queued: u64) -> Vec<Place> {
        let places = self.queue.places();
        let end = async {
            match self.kept {
                Some(_) => self.shutdown.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            taken = places.take(sizes, queued) => taken,
            () = end => sizes.iter().map(|size| places.take_anyway(*size, queued)).collect(),
        }
    }

    fn no_room(&self, items: u64, owners: Owners) {
        self.instruments.enqueue_failed(items);
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            let places = self.queue.places();
            tracing::error!(
                exporter = %self.exporter,
                signal = %self.signal,
                not_shown = line.held_back,
                "{items} items are lost: the sending queue is full ({} {})",
                places.capacity(),
                places.unit(),
            );
        }
        owners
            .into_acks()
            .decide(&Outcome::Dropped("the sending queue is full".into()));
    }
}
