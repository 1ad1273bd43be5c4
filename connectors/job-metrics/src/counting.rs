//! Events in, windows of points out, and back to the events' senders what became of the points.
//!
//! With a store each window is written down before it is sent ([`Ledger`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use collector_data::{Ack, Batch, Outcome, Payload};
use collector_runtime::Outputs;
use collector_runtime::component::ComponentError;
use collector_runtime::health::{Reporter, Status};
use collector_runtime::storage::{Change, Store, StoreError};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use job_event::finished::Finished;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::aggregate::Aggregate;
use crate::connector::Clock;
use crate::ledger::{self, Ledger, Place};
use crate::window::Windows;

/// Why an event is deferred.
pub(crate) const NOT_OURS: &str = "another replica counts the Jobs";
/// How many Jobs one window holds at most, so that neither memory nor a request grows without end.
const MAX_JOBS: usize = 2000;
/// How many, if the store is small.
const MAX_JOBS_SMALL: usize = 250;
/// What must be free in a small store before another window is written, bytes.
const SPACE: usize = 32 * 1024;
/// The first and the longest wait before a store that does not work is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Where windows are written down.
pub(crate) struct Kept {
    pub(crate) store: Arc<dyn Store>,
    /// How much it may hold, if it is small.
    pub(crate) capacity: Option<usize>,
    /// Whether replicas share it.
    pub(crate) is_shared: bool,
}

pub(crate) struct Counting {
    aggregate: Aggregate,
    windows: Windows,
    ledger: Ledger,
    /// What the current window holds.
    acks: Vec<Ack>,
    uids: Vec<Uid>,
    open: HashSet<Uid>,
    /// Whom to tell what becomes of the windows that were sent.
    sent: HashMap<u64, Vec<Ack>>,
    in_flight: FuturesUnordered<BoxFuture<'static, (u64, Outcome)>>,
    clock: Clock,
    store: Option<Arc<dyn Store>>,
    /// How much the store may hold, if it is small.
    capacity: Option<usize>,
    /// Whether replicas share the store.
    is_shared: bool,
    /// Whether the store is claimed, or there is none.
    claimed: bool,
    outputs: Outputs,
    health: Reporter,
    /// Whether nothing more comes in.
    is_ending: bool,
}

impl Counting {
    pub(crate) fn new(
        max_buckets: usize,
        clock: Clock,
        kept: Option<Kept>,
        outputs: Outputs,
        health: Reporter,
    ) -> Self {
        let capacity = kept.as_ref().and_then(|kept| kept.capacity);
        let is_shared = kept.as_ref().is_some_and(|kept| kept.is_shared);
        let store = kept.map(|kept| kept.store);
        Counting {
            aggregate: Aggregate::new(max_buckets),
            windows: Windows::new(clock()),
            ledger: Ledger::default(),
            acks: Vec::new(),
            uids: Vec::new(),
            open: HashSet::new(),
            sent: HashMap::new(),
            in_flight: FuturesUnordered::new(),
            claimed: store.is_none(),
            clock,
            store,
            capacity,
            is_shared,
            outputs,
            health,
            is_ending: false,
        }
    }

    /// Whether events may be counted here; if not, [`claim`](Self::claim) comes first.
    pub(crate) fn may_count(&self) -> bool {
        self.claimed
    }

    /// Whether the current window takes no more events.
    pub(crate) fn is_full(&self) -> bool {
        let most = if self.capacity.is_some() {
            MAX_JOBS_SMALL
        } else {
            MAX_JOBS
        };
        self.uids.len() >= most
    }

    /// Waits until the current window can end in a second that no other window has.
    pub(crate) fn until_next_second(&self) -> impl Future<Output = ()> + use<> {
        let earliest = Timestamp::from_second(self.windows.earliest_end()).unwrap_or(Timestamp::MIN);
        let wait = earliest.duration_since((self.clock)());
        sleep(Duration::try_from(wait.max(SignedDuration::ZERO)).unwrap_or_default())
    }

    /// Waits until this process may count, and sends the windows again that others, or it, may not have delivered. While it
    /// waits it tells what became of windows that were sent. May be dropped and called again.
    pub(crate) async fn claim(&mut self) -> Result<(), ComponentError> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        let mut wait = RETRY.0;
        loop {
            let claiming = async {
                store.claim().await?;
                stored(&*store).await
            };
            tokio::pin!(claiming);
            let claimed = loop {
                tokio::select! {
                    claimed = &mut claiming => break claimed,
                    Some((number, outcome)) = self.in_flight.next() => {
                        tell(self.sent.remove(&number).unwrap_or_default(), &outcome);
                    }
                }
            };
            match claimed {
                Ok(entries) => return self.resume(&entries).await,
                Err(StoreError::Permanent(why)) => return Err(why.into()),
                Err(StoreError::Fenced(_)) => {}
                Err(StoreError::Unavailable(why)) => {
                    warn!(problem = why, "cannot read what was counted; trying again");
                    self.health.report(Status::RecoverableError(why));
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    async fn resume(&mut self, entries: &[(String, bytes::Bytes)]) -> Result<(), ComponentError> {
        self.ledger = Ledger::default();
        for (key, value) in entries {
            if let Err(problem) = self.ledger.restore(key, value) {
                error!(%problem, "Jobs of that window may be counted twice");
            }
        }
        if let Some(end) = self.ledger.last_end() {
            self.windows.after(end);
        }
        let undelivered = self.ledger.undelivered()?;
        if !undelivered.is_empty() {
            let windows = undelivered.len();
            info!(windows, "sending again what may not have been delivered");
        }
        for (number, metrics) in undelivered {
            self.send(number, metrics, Vec::new()).await;
        }
        self.claimed = true;
        self.health.report(Status::Ok);
        Ok(())
    }

    /// Counts the events of a batch. Its acknowledgement waits until the counts have arrived.
    pub(crate) fn take(&mut self, batch: Batch) {
        let mut is_held = false;
        if let Payload::Logs(resources) = &*batch.payload {
            for resource in resources {
                for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                    let event = match Finished::read(record) {
                        Ok(Some(event)) if Aggregate::counts(&event) => event,
                        Ok(_) => continue,
                        Err(error) => {
                            warn!(%error, "cannot count an event of a finished Job");
                            continue;
                        }
                    };
                    let uid = Uid::new(&event.uid);
                    match self.ledger.place(&uid) {
                        Some(Place::Done) => {}
                        Some(Place::Sent(number)) => self.sent.entry(number).or_default().push(batch.ack.clone()),
                        None => {
                            is_held = true;
                            if self.open.insert(uid) {
                                self.uids.push(uid);
                                self.aggregate
                                    .add(resource.resource.as_ref(), &resource.schema_url, &event);
                            }
                        }
                    }
                }
            }
        }
        if is_held {
            self.acks.push(batch.ack);
        } else {
            batch.ack.delivered();
        }
    }

    /// Ends the window: writes down and sends what was counted.
    pub(crate) async fn flush(&mut self) -> Result<(), ComponentError> {
        if self.aggregate.is_empty() {
            self.windows.skip((self.clock)());
            let changes = self.ledger.changes();
            self.write(changes).await?;
            return Ok(());
        }
        self.until_space().await;
        let window = self.windows.close((self.clock)());
        let metrics = self.aggregate.take(window);
        let (acks, uids) = (std::mem::take(&mut self.acks), std::mem::take(&mut self.uids));
        self.open.clear();
        let points = match &self.store {
            Some(_) => ledger::compress(metrics.clone())?,
            None => bytes::Bytes::new(),
        };
        let (number, changes) = self.ledger.close(window.end_second(), points, uids);
        match self.write(changes).await? {
            true => self.send(number, metrics, acks).await,
            false => acks.into_iter().for_each(|ack| ack.deferred(NOT_OURS)),
        }
        Ok(())
    }

    /// Waits for deliveries until a small store has room for another window.
    async fn until_space(&mut self) {
        while let Some(capacity) = self.capacity
            && self.ledger.size() + SPACE > capacity
        {
            match self.in_flight.next().await {
                Some((number, outcome)) => self.settle(number, &outcome),
                None => return,
            }
        }
    }

    /// Stores changes; whether this process may go on counting. Tries until the store has said one or the other.
    async fn write(&mut self, changes: Vec<Change>) -> Result<bool, ComponentError> {
        let Some(store) = &self.store else { return Ok(true) };
        if changes.is_empty() {
            return Ok(true);
        }
        let mut wait = RETRY.0;
        loop {
            match store.apply(changes.clone()).await {
                Ok(()) => {
                    self.health.report(Status::Ok);
                    return Ok(true);
                }
                Err(StoreError::Fenced(why)) if !self.is_shared => {
                    return Err(format!("{why}; two collectors cannot use one store without a leader elector").into());
                }
                Err(StoreError::Fenced(why)) => {
                    info!(why, "another replica counts the Jobs from now on");
                    self.lose_claim();
                    return Ok(false);
                }
                Err(StoreError::Permanent(why)) => {
                    return Err(format!("cannot write down what is counted: {why}").into());
                }
                Err(StoreError::Unavailable(why)) => {
                    warn!(
                        problem = why,
                        "cannot write down what is counted; trying again before it is sent"
                    );
                    self.health.report(Status::RecoverableError(why));
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    fn lose_claim(&mut self) {
        self.claimed = false;
        // Whoever counts now has read what was written; this is read anew with the next claim.
        self.ledger = Ledger::default();
    }

    async fn send(&mut self, number: u64, metrics: Vec<ResourceMetrics>, acks: Vec<Ack>) {
        let (ack, delivery) = Ack::new();
        self.sent.entry(number).or_default().extend(acks);
        self.outputs.send(Batch::new(Payload::Metrics(metrics), ack)).await;
        self.in_flight.push(Box::pin(async move { (number, delivery.await) }));
    }

    /// Waits until it is known what became of a window; forever if none is on its way.
    pub(crate) async fn settle_next(&mut self) {
        match self.in_flight.next().await {
            Some((number, outcome)) => self.settle(number, &outcome),
            None => std::future::pending().await,
        }
    }

    fn settle(&mut self, number: u64, outcome: &Outcome) {
        // Given up or refused, a window is never counted anew: another destination may have it. Only what the shutdown
        // interrupts is sent again, as it is.
        if !(self.is_ending && matches!(outcome, Outcome::Dropped(_))) {
            self.ledger.done(number);
        }
        tell(self.sent.remove(&number).unwrap_or_default(), outcome);
    }

    /// Sends the last window and waits until everything is decided.
    pub(crate) async fn finish(mut self) -> Result<(), ComponentError> {
        if self.claimed {
            self.flush().await?;
        }
        self.is_ending = true;
        // The exporters end when nobody can send to them any more, and only then may decide the last batches.
        self.outputs = Outputs::default();
        while let Some((number, outcome)) = self.in_flight.next().await {
            self.settle(number, &outcome);
        }
        if self.claimed {
            let changes = self.ledger.changes();
            self.write(changes).await?;
        }
        Ok(())
    }
}

async fn stored(store: &dyn Store) -> Result<Vec<(String, bytes::Bytes)>, StoreError> {
    let mut entries = Vec::new();
    for key in store.keys(ledger::PREFIX).await? {
        if let Some(value) = store.get(&key).await? {
            entries.push((key, value));
        }
    }
    Ok(entries)
}

fn tell(acks: Vec<Ack>, outcome: &Outcome) {
    for ack in acks {
        ack.decide(outcome.clone());
    }
}
