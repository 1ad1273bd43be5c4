//! The kept events and gauges, shared between the pipeline and the requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector_data::Payload;
use collector_runtime::health::Health;
use collector_runtime::process_status::{Process, ProcessStatus};
use jiff::Timestamp;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;

use crate::gauges::Gauges;
use crate::leading::{Elector, Unavailable};
use crate::live::{Live, Subscription};
use crate::pages::choices::Choices;
use crate::store::{Addition, Events, StoreLimits, StoredEvent};
use crate::telemetry::WebTelemetry;
use crate::views::{self, EventList, Filter, JobView, Overview, OwnerView, Snapshot};

/// Returns the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The state of the exporter; clones share it.
#[derive(Clone)]
pub(crate) struct Web {
    shared: Arc<WebState>,
}

/// The environment of the state.
pub(crate) struct Environment {
    pub(crate) clock: Clock,
    /// The status of every component.
    pub(crate) health: Health,
    pub(crate) process: Process,
    /// Decides which replica has the events; `None`: this one.
    pub(crate) elector: Option<Elector>,
    pub(crate) telemetry: WebTelemetry,
}

struct WebState {
    kept: Mutex<Contents>,
    /// False until the stored events are read.
    is_restored: Mutex<bool>,
    environment: Environment,
    live: Live,
}

/// Events and gauges.
pub(crate) struct Contents {
    pub(crate) events: Events,
    pub(crate) gauges: Gauges,
}

/// How many events of a batch were kept, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReceivedCounts {
    pub(crate) kept: u64,
    pub(crate) known: u64,
    pub(crate) too_large: u64,
    pub(crate) unreadable: u64,
}

impl Contents {
    /// Nothing.
    pub(crate) fn new(limits: StoreLimits) -> Self {
        Contents {
            events: Events::new(limits),
            gauges: Gauges::default(),
        }
    }
}

impl Web {
    /// The state of these events.
    pub(crate) fn new(kept: Contents, environment: Environment) -> Self {
        Web {
            shared: Arc::new(WebState {
                kept: Mutex::new(kept),
                is_restored: Mutex::new(false),
                environment,
                live: Live::new(),
            }),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.environment.clock)()
    }

    /// The exporter's own metrics.
    pub(crate) fn telemetry(&self) -> &WebTelemetry {
        &self.shared.environment.telemetry
    }

    /// The live streams.
    pub(crate) fn live(&self) -> &Live {
        &self.shared.live
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

    /// Subscribes a client of the live stream that has received the event `last_id`.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn subscribe(&self, last_id: Option<&str>) -> Result<Subscription, Unavailable> {
        self.available()?;
        Ok(self.shared.live.subscribe(&self.kept().events, last_id))
    }

    /// That this replica has the events.
    ///
    /// # Errors
    /// If it has not.
    pub(crate) fn available(&self) -> Result<(), Unavailable> {
        let Environment { elector, health, .. } = &self.shared.environment;
        match elector.as_ref().filter(|elector| !elector.leadership.is_leader()) {
            Some(elector) => Err(Unavailable::Standby(elector.leader(health))),
            None if *locked(&self.shared.is_restored) => Ok(()),
            None => Err(Unavailable::Starting),
        }
    }

    /// Sets whether the stored events were read. Live streams end when that changes: their clients connect again.
    pub(crate) fn set_restored(&self, is_restored: bool) {
        let before = std::mem::replace(&mut *locked(&self.shared.is_restored), is_restored);
        if before != is_restored {
            self.shared.live.restart();
        }
    }

    /// The kept events and gauges.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Contents> {
        locked(&self.shared.kept)
    }

    /// Keeps the events and gauges of a payload.
    pub(crate) fn keep(&self, payload: &Payload) {
        let now = self.now();
        match payload {
            Payload::Logs(resources) => {
                let mut counts = ReceivedCounts::default();
                resources
                    .iter()
                    .for_each(|resource| self.keep_events(resource, now, &mut counts));
                self.telemetry().received(counts);
            }
            Payload::Metrics(metrics) => {
                let Contents { events, gauges } = &mut *self.kept();
                gauges.add(metrics, now, &events.owners());
            }
            Payload::Traces(_) => {}
        }
    }

    fn keep_events(&self, resource: &ResourceLogs, now: Timestamp, counts: &mut ReceivedCounts) {
        for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            // Compression happens outside the lock.
            match StoredEvent::read(resource.resource.as_ref(), record, now) {
                None => {}
                Some(Ok(entry)) => self.add(entry, counts),
                Some(Err(problem)) => {
                    tracing::warn!(event = record.event_name, problem, "cannot keep an event");
                    counts.unreadable += 1;
                }
            }
        }
    }

    fn add(&self, entry: StoredEvent, counts: &mut ReceivedCounts) {
        // The lock is held until the event is in the stream: a client subscribes under it, so it misses nothing and its events
        // are in the order of their numbers.
        let mut kept = self.kept();
        match kept.events.add(entry) {
            Addition::Added(number) => {
                counts.kept += 1;
                if let Some(entry) = kept.events.get(number) {
                    self.shared.live.send(number, entry);
                }
            }
            Addition::Known => counts.known += 1,
            Addition::TooLarge => counts.too_large += 1,
        }
    }

    /// The values that the filter of the pages offers.
    ///
    /// # Errors
    /// If this replica cannot answer.
    pub(crate) fn choices(&self) -> Result<Choices, Unavailable> {
        self.view(|snapshot| Choices::of(snapshot.events.newest()))
    }

    /// The process: its components, queues, watches and leader.
    pub(crate) fn process(&self) -> ProcessStatus {
        self.shared.environment.process.status()
    }

    /// A value of the state for a gauge; `None` once the exporter has ended.
    pub(crate) fn observed(&self, value: fn(&Web) -> u64) -> crate::telemetry::Value {
        let shared = Arc::downgrade(&self.shared);
        Box::new(move || shared.upgrade().map(|shared| value(&Web { shared })))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
