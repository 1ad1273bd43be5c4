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
use super::kept::Refused;
use super::lane::Lane;
use super::places::{Place, Size};
use super::queue::{Held, Work};
use super::queue_settings::QueueSettings;
use super::request::Request;
use super::sharing::{Acks, Owners};
use collector_data::Outcome;
use collector_data::{Batch, Signal};
use collector_runtime::component::ComponentError;
use pacing::lock;

/// For how long the queue may be full before the exporter counts as failing: a burst is no trouble.
const FULL: Duration = Duration::from_secs(5);
/// How many batches are stored in one transaction at most.
const GROUP: usize = 64;

/// What is ready to get into the queue.
struct Ready {
    requests: Vec<Request>,
    places: Vec<Place>,
    owners: Owners,
}

/// Takes batches until the channel is closed; `of` gives the lane of a signal.
///
/// # Errors
/// If the store cannot be used any more.
pub(super) async fn take_in<D: Destination>(
    mut channel: mpsc::Receiver<Batch>,
    settings: &QueueSettings,
    of: impl Fn(Signal) -> Arc<Lane<D>>,
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
                    of(signal).put(vec![gathered]).await?;
                }
            }
            batch = channel.recv() => {
                let Some(batch) = batch else { break };
                let signal = batch.payload.signal();
                let lane = of(signal);
                let Some(batching) = batch_settings else {
                    let mut waiting: Vec<Gathered> = vec![batch.into()];
                    // What waits already is written with it, so that a store's wait for the disk is shared.
                    while lane.kept.is_some()
                        && waiting.len() < GROUP
                        && let Ok(batch) = channel.try_recv()
                    {
                        if batch.payload.signal() == signal {
                            waiting.push(batch.into());
                        } else {
                            lane.put(std::mem::take(&mut waiting)).await?;
                            of(batch.payload.signal()).put(vec![batch.into()]).await?;
                        }
                    }
                    lane.put(waiting).await?;
                    continue;
                };
                let gather = gathers
                    .entry(signal)
                    .or_insert_with(|| Gather::new(batching.clone(), settings.batch_sizer(batching)));
                lane.put(gather.add(batch, Instant::now())).await?;
            }
        }
    }
    for (signal, mut gather) in gathers {
        if let Some(gathered) = gather.flush() {
            of(signal).put(vec![gathered]).await?;
        }
    }
    Ok(())
}

impl<D: Destination> Lane<D> {
    /// Puts data into the queue, in order, once there is room. What there is room for now is stored together.
    async fn put(&self, gathered: Vec<Gathered>) -> Result<(), ComponentError> {
        let mut group = Vec::new();
        for Gathered { payload, owners } in gathered {
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
            let queued = self.clock.now();
            let sizes: Vec<Size> = requests.iter().map(Size::of).collect();
            let mut places = self.queue.places().try_take(&sizes, queued);
            if places.is_none() {
                // Consumers make room by what they have got, so they get it before anything waits for them.
                self.enqueue(std::mem::take(&mut group)).await?;
                places = self.places(&sizes, queued).await;
            }
            match places {
                Some(places) => group.push(Ready {
                    requests,
                    places,
                    owners,
                }),
                None => self.no_room(items, owners),
            }
        }
        self.enqueue(group).await
    }

    /// Stores what is ready, in one transaction, and lets consumers have it.
    async fn enqueue(&self, group: Vec<Ready>) -> Result<(), ComponentError> {
        let Some(kept) = self.kept.as_ref().filter(|_| !group.is_empty()) else {
            group.into_iter().for_each(|ready| self.hold(ready));
            return Ok(());
        };
        let requests: Vec<Request> = group.iter().flat_map(|ready| &ready.requests).cloned().collect();
        let why = match kept.add(self.signal, &requests, self.clock.now()).await? {
            Ok(keys) => {
                let mut keys = keys.into_iter();
                for Ready { places, owners, .. } in group {
                    owners.into_acks().decide(&Outcome::Delivered);
                    for (place, key) in places.into_iter().zip(&mut keys) {
                        let held = Held::Stored(key);
                        self.queue.put(Work::new(held, place));
                    }
                }
                return Ok(());
            }
            Err(Refused(why)) => why,
        };
        tracing::error!(
            exporter = %self.exporter,
            signal = %self.signal,
            "{} requests cannot be stored, so they wait in memory and would not survive a restart: {why}",
            requests.len(),
        );
        group.into_iter().for_each(|ready| self.hold(ready));
        Ok(())
    }

    /// Lets consumers have what is ready, from memory.
    fn hold(&self, ready: Ready) {
        let mut owners = ready.owners;
        for (request, place) in ready.requests.into_iter().zip(ready.places) {
            let acks: Acks = owners.split_off_front(request.items).into_acks();
            let held = Held::InMemory(request, acks);
            self.queue.put(Work::new(held, place));
        }
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
