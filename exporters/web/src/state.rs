//! The kept events and gauges, shared between the pipeline and the requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector_data::Payload;
use collector_runtime::health::Health;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::gauges::Gauges;
use crate::store::{Addition, Entry, Events, Limits};
use crate::views::{self, EventList, Filter, JobView, Overview, OwnerView, Snapshot};

/// Returns the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Events that wait for a slow client of the stream. A client that is further behind loads its page again.
const STREAM_CAPACITY: usize = 256;

/// A name of what a page is asked for, if it cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// Another replica leads and has the events; its name if it is known.
    Standby(Option<String>),
    /// The stored events are not read yet.
    Starting,
}

/// The state of the exporter; clones share it.
#[derive(Clone)]
pub(crate) struct Web {
    shared: Arc<Shared>,
}

struct Shared {
    kept: Mutex<Kept>,
    role: Mutex<Option<Unavailable>>,
    clock: Clock,
    health: Health,
    stream: broadcast::Sender<Arc<Streamed>>,
    /// Distinguishes the numbers of events of one process from those of another.
    epoch: Mutex<u64>,
    clients: Arc<AtomicU64>,
    closing: CancellationToken,
}

/// Events and gauges.
pub(crate) struct Kept {
    pub(crate) events: Events,
    pub(crate) gauges: Gauges,
}

/// An event of the live stream.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) number: u64,
    /// The row as JSON.
    pub(crate) json: String,
}

/// A client of the live stream.
pub(crate) struct Subscription {
    epoch: u64,
    /// Events after the last one that the client has, oldest first.
    pub(crate) missed: VecDeque<Arc<Streamed>>,
    /// True if the client missed events that cannot be sent.
    pub(crate) must_reload: bool,
    /// The number of the last event that was sent.
    pub(crate) last: u64,
    pub(crate) events: broadcast::Receiver<Arc<Streamed>>,
    pub(crate) closing: CancellationToken,
    clients: Arc<AtomicU64>,
}

impl Subscription {
    /// The id of an event in the stream.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.epoch)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many events of a batch were kept, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) kept: u64,
    pub(crate) known: u64,
    pub(crate) too_large: u64,
    pub(crate) unreadable: u64,
}

impl Streamed {
    pub(crate) fn new(number: u64, entry: &Entry) -> Self {
        Streamed {
            number,
            json: serde_json::to_string(&entry.listed).unwrap_or_default(),
        }
    }
}

impl Web {
    /// No events yet; `closing` ends the live streams.
    pub(crate) fn new(limits: Limits, clock: Clock, health: Health, closing: CancellationToken) -> Self {
        let (stream, _) = broadcast::channel(STREAM_CAPACITY);
        Web {
            shared: Arc::new(Shared {
                kept: Mutex::new(Kept {
                    events: Events::new(limits),
                    gauges: Gauges::default(),
                }),
                role: Mutex::new(None),
                clock,
                health,
                stream,
                epoch: Mutex::new(random()),
                clients: Arc::default(),
                closing,
            }),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    /// The health of every component.
    pub(crate) fn health(&self) -> &Health {
        &self.shared.health
    }

    /// The overview of the events that match.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn overview(&self, filter: &Filter) -> Result<Overview, Unavailable> {
        self.view(|snapshot| views::overview(snapshot, filter))
    }

    /// The owner; `None` if no event of it is kept.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn owner(&self, namespace: &str, kind: &str, name: &str) -> Result<Option<OwnerView>, Unavailable> {
        self.view(|snapshot| views::owner(snapshot, namespace, kind, name))
    }

    /// All kept events of the Jobs of that name, or of the one with that UID; `None` if none is kept.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn job(&self, namespace: &str, name: &str, uid: Option<&str>) -> Result<Option<JobView>, Unavailable> {
        let found = self.view(|snapshot| views::find_job(snapshot, namespace, name, uid))?;
        Ok(found.map(views::FoundJob::view))
    }

    /// A page of the events that match, latest received first.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn events(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<EventList, Unavailable> {
        self.view(|snapshot| views::events(snapshot, filter, before, limit))
    }

    fn view<T>(&self, view: impl FnOnce(Snapshot<'_>) -> T) -> Result<T, Unavailable> {
        self.available()?;
        let now = self.now();
        let kept = self.kept();
        Ok(view(Snapshot {
            events: &kept.events,
            gauges: &kept.gauges,
            now,
        }))
    }

    /// That this replica has the events.
    ///
    /// # Errors
    /// If it has not.
    pub(crate) fn available(&self) -> Result<(), Unavailable> {
        match &*locked(&self.shared.role) {
            None => Ok(()),
            Some(unavailable) => Err(unavailable.clone()),
        }
    }

    /// Sets whether this replica has the events.
    pub(crate) fn set_unavailable(&self, unavailable: Option<Unavailable>) {
        *locked(&self.shared.role) = unavailable;
    }

    /// The kept events and gauges.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        locked(&self.shared.kept)
    }

    /// Keeps the events and gauges of a payload.
    pub(crate) fn keep(&self, payload: &Payload) -> Counts {
        let now = self.now();
        let mut counts = Counts::default();
        match payload {
            Payload::Logs(resources) => {
                for resource in resources {
                    for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                        // Compression happens outside the lock.
                        match Entry::read(resource.resource.as_ref(), record, now) {
                            None => {}
                            Some(Ok(entry)) => self.add(entry, &mut counts),
                            Some(Err(problem)) => {
                                tracing::warn!(event = record.event_name, problem, "cannot keep an event");
                                counts.unreadable += 1;
                            }
                        }
                    }
                }
            }
            Payload::Metrics(metrics) => {
                let Kept { events, gauges } = &mut *self.kept();
                gauges.add(metrics, now, &events.owners());
            }
            Payload::Traces(_) => {}
        }
        counts
    }

    /// Subscribes a client that has received the event `last_id`.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn subscribe(&self, last_id: Option<&str>) -> Result<Subscription, Unavailable> {
        self.available()?;
        let kept = self.kept();
        let epoch = *locked(&self.shared.epoch);
        let newest = kept.events.next() - 1;
        let mut missed = VecDeque::new();
        let (mut must_reload, mut received) = (false, newest);
        if let Some(last_id) = last_id {
            let last = last_id
                .split_once('-')
                .filter(|(of, _)| u64::from_str_radix(of, 16) == Ok(epoch));
            let last = last.and_then(|(_, number)| number.parse::<u64>().ok());
            let oldest = kept.events.first().unwrap_or(kept.events.next());
            match last.filter(|last| *last <= newest && last + 1 >= oldest && newest - last <= STREAM_CAPACITY as u64) {
                Some(last) => {
                    received = last;
                    let after = kept.events.after(last);
                    missed.extend(after.map(|(number, entry)| Arc::new(Streamed::new(number, entry))));
                }
                None => must_reload = true,
            }
        }
        self.shared.clients.fetch_add(1, Ordering::Relaxed);
        Ok(Subscription {
            epoch,
            last: received,
            missed,
            must_reload,
            events: self.shared.stream.subscribe(),
            closing: self.shared.closing.clone(),
            clients: Arc::clone(&self.shared.clients),
        })
    }

    /// The number of clients of the live stream.
    pub(crate) fn clients(&self) -> u64 {
        self.shared.clients.load(Ordering::Relaxed)
    }

    /// The health of the process as JSON.
    pub(crate) fn status(&self) -> Value {
        let statuses = self.shared.health.watch().borrow().clone();
        let components: Map<String, Value> = statuses
            .iter()
            .map(|(component, status, since)| {
                let mut shown = json!({ "status": status.as_str(), "since": since.to_string() });
                if let Some(reason) = status.reason() {
                    shown["reason"] = reason.into();
                }
                (component.to_owned(), shown)
            })
            .collect();
        json!({ "ready": self.shared.health.is_ready(), "components": components })
    }

    fn add(&self, entry: Entry, counts: &mut Counts) {
        // The lock is held until the event is in the stream: a client subscribes under it, so it misses nothing and its events
        // are in the order of their numbers.
        let mut kept = self.kept();
        match kept.events.add(entry) {
            Addition::Kept(number) => {
                counts.kept += 1;
                let has_clients = self.shared.stream.receiver_count() > 0;
                if let Some(entry) = kept.events.get(number).filter(|_| has_clients) {
                    // Fails if the last client has left.
                    let _ = self.shared.stream.send(Arc::new(Streamed::new(number, entry)));
                }
            }
            Addition::Known => counts.known += 1,
            Addition::TooLarge => counts.too_large += 1,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other process has.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
