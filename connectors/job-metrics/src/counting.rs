//! Counts events in windows, sends the points of each window, and acknowledges its events.
//!
//! With a store each window is stored before it is sent ([`Ledger`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use collector_data::{Ack, Batch, Outcome, Payload};
use collector_runtime::Outputs;
use collector_runtime::component::ComponentError;
use collector_runtime::limited::LimitedMetrics;
use collector_runtime::storage::{COPIED, Change, ClaimError, Claimed};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::aggregate::Aggregate;
use crate::connector::Clock;
use crate::event::CountedEvent;
use crate::ledger::{self, Counted, Ledger};
use crate::window::Windows;

/// The reason of a deferred event.
pub(crate) const NOT_LEADER: &str = "another replica leads and counts the events";
/// The most events in one window, which bounds memory and requests.
const MAX_EVENTS: usize = 2000;
/// The same if the store is small.
const MAX_EVENTS_SMALL: usize = 250;
/// The free bytes that a small store needs before another window is stored.
const SPACE: usize = 32 * 1024;

pub(crate) struct Counting {
    pub(crate) aggregate: Aggregate,
    pub(crate) limit: Option<LimitedMetrics>,
    pub(crate) windows: Windows,
    ledger: Ledger,
    /// The acknowledgements of the current window's events.
    acks: Vec<Ack>,
    /// The keys of the current window's events, in order.
    uids: Vec<Uid>,
    open: HashSet<Uid>,
    /// The acknowledgements of windows in flight, by window.
    pub(crate) sent: HashMap<u64, Vec<Ack>>,
    pub(crate) in_flight: FuturesUnordered<BoxFuture<'static, (u64, Outcome)>>,
    clock: Clock,
    pub(crate) store: Option<Arc<Claimed>>,
    /// True if the store is claimed, or there is none.
    claimed: bool,
    pub(crate) outputs: Outputs,
    /// True once the input is closed.
    is_draining: bool,
}

impl Counting {
    pub(crate) fn new(
        aggregate: Aggregate,
        limit: Option<LimitedMetrics>,
        clock: Clock,
        store: Option<Claimed>,
        outputs: Outputs,
    ) -> Self {
        Counting {
            aggregate,
            limit,
            windows: Windows::new(clock()),
            ledger: Ledger::default(),
            acks: Vec::new(),
            uids: Vec::new(),
            open: HashSet::new(),
            sent: HashMap::new(),
            in_flight: FuturesUnordered::new(),
            claimed: store.is_none(),
            clock,
            store: store.map(Arc::new),
            outputs,
            is_draining: false,
        }
    }

    /// True if events may be counted; otherwise [`claim`](Self::claim) comes first.
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// True if the current window takes no more events.
    pub(crate) fn is_full(&self) -> bool {
        let most = match self.capacity() {
            Some(_) => MAX_EVENTS_SMALL,
            None => MAX_EVENTS,
        };
        self.uids.len() >= most
    }

    fn capacity(&self) -> Option<usize> {
        self.store.as_ref().and_then(|store| store.capacity())
    }

    /// Waits until the current window can end in a second of its own.
    pub(crate) fn until_next_second(&self) -> impl Future<Output = ()> + use<> {
        let earliest = Timestamp::from_second(self.windows.earliest_end()).unwrap_or(Timestamp::MIN);
        let wait = earliest.duration_since((self.clock)());
        sleep(Duration::try_from(wait.max(SignedDuration::ZERO)).unwrap_or_default())
    }

    /// Waits until this process may count, and resends the windows that may not have been delivered. Meanwhile it
    /// acknowledges the events of windows in flight. May be dropped and called again.
    pub(crate) async fn claim(&mut self) -> Result<(), ComponentError> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        let claiming = claim_and_read(&store);
        tokio::pin!(claiming);
        let entries = loop {
            tokio::select! {
                claimed = &mut claiming => break claimed?,
                Some((number, outcome)) = self.in_flight.next() => {
                    acknowledge(self.sent.remove(&number).unwrap_or_default(), &outcome);
                }
            }
        };
        let (entries, is_copy) = entries;
        self.resume(&entries, is_copy).await
    }

    async fn resume(&mut self, entries: &[(String, bytes::Bytes)], is_copy: bool) -> Result<(), ComponentError> {
        self.ledger = Ledger::default();
        for (key, value) in entries {
            if let Err(problem) = self.ledger.restore(key, value) {
                error!(%problem, "events of this window may be counted twice");
            }
        }
        if let Some(end) = self.ledger.last_end() {
            self.windows.after(end);
        }
        if is_copy {
            // Another shard, which has the same windows, sends their points. This one knows which Jobs they count.
            for (number, _) in self.ledger.undelivered()? {
                self.ledger.done(number);
            }
            let mut changes = self.ledger.changes();
            changes.push(Change::Delete(COPIED.into()));
            if !self.write(changes).await? {
                return Ok(());
            }
        }
        let undelivered = self.ledger.undelivered()?;
        if !undelivered.is_empty() {
            let windows = undelivered.len();
            info!(windows, "resending windows that may not have been delivered");
        }
        for (number, metrics) in undelivered {
            self.send(number, metrics, Vec::new()).await;
        }
        self.claimed = true;
        Ok(())
    }

    /// Counts the events of a batch, which is acknowledged once the counts are delivered.
    pub(crate) fn take(&mut self, batch: Batch) {
        let mut is_counted = false;
        if let Payload::Logs(resources) = &*batch.payload {
            for resource in resources {
                for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                    let event = match CountedEvent::read(record) {
                        Ok(Some(event)) => event,
                        Ok(None) => continue,
                        Err(error) => {
                            warn!(event = record.event_name, %error, "cannot count an event");
                            continue;
                        }
                    };
                    let uid = event.key();
                    match self.ledger.counted(&uid) {
                        Some(Counted::Decided) => {}
                        Some(Counted::Pending(number)) => self.sent.entry(number).or_default().push(batch.ack.clone()),
                        None => {
                            is_counted = true;
                            if self.open.insert(uid) {
                                self.uids.push(uid);
                                let (owner, schema_url) = (resource.resource.as_ref(), &resource.schema_url);
                                self.aggregate.add(owner, schema_url, &record.attributes, &event);
                            }
                        }
                    }
                }
            }
        }
        if is_counted {
            self.acks.push(batch.ack);
        } else {
            batch.ack.delivered();
        }
    }

    /// Ends the window: stores and sends its points.
    pub(crate) async fn flush(&mut self) -> Result<(), ComponentError> {
        if self.aggregate.is_empty() {
            self.windows.skip((self.clock)());
            let changes = self.ledger.changes();
            self.write(changes).await?;
            return Ok(());
        }
        self.wait_for_space().await;
        let window = self.windows.close((self.clock)());
        let mut metrics = self.aggregate.take(window);
        if let Some(limit) = &mut self.limit {
            let now = window.end_second();
            let own = metrics.into_iter().filter_map(|owner| limit.apply(owner, now));
            metrics = own.collect();
            metrics.extend(limit.finish(now));
        }
        let (acks, uids) = (std::mem::take(&mut self.acks), std::mem::take(&mut self.uids));
        self.open.clear();
        let points = match &self.store {
            Some(_) => ledger::compress(metrics.clone())?,
            None => bytes::Bytes::new(),
        };
        let (number, changes) = self.ledger.close(window.end_second(), points, uids);
        match self.write(changes).await? {
            true => self.send(number, metrics, acks).await,
            false => acks.into_iter().for_each(|ack| ack.deferred(NOT_LEADER)),
        }
        Ok(())
    }

    /// Waits for deliveries until a small store has room for another window.
    async fn wait_for_space(&mut self) {
        while let Some(capacity) = self.capacity()
            && self.ledger.size() + SPACE > capacity
        {
            match self.in_flight.next().await {
                Some((number, outcome)) => self.settle(number, &outcome),
                None => return,
            }
        }
    }

    /// Stores changes; false if another replica has claimed the store.
    async fn write(&mut self, changes: Vec<Change>) -> Result<bool, ComponentError> {
        let Some(store) = self.store.as_ref().filter(|_| !changes.is_empty()) else {
            return Ok(true);
        };
        match store.apply(changes).await {
            Ok(()) => Ok(true),
            Err(ClaimError::Lost(reason)) => {
                info!(reason, "another replica counts the events from now on");
                self.claimed = false;
                // The other replica has read what was stored; the next claim reads it again.
                self.ledger = Ledger::default();
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn send(&mut self, number: u64, metrics: Vec<ResourceMetrics>, acks: Vec<Ack>) {
        let (ack, delivery) = Ack::new();
        self.sent.entry(number).or_default().extend(acks);
        self.outputs.send(Batch::new(Payload::Metrics(metrics), ack)).await;
        self.in_flight.push(Box::pin(async move { (number, delivery.await) }));
    }

    /// Waits until a window is decided; forever if none is in flight.
    pub(crate) async fn settle_next(&mut self) {
        match self.in_flight.next().await {
            Some((number, outcome)) => self.settle(number, &outcome),
            None => std::future::pending().await,
        }
    }

    fn settle(&mut self, number: u64, outcome: &Outcome) {
        // A dropped or rejected window is not counted again: another exporter may have delivered it. Only a window that
        // the shutdown interrupts is resent, unchanged.
        if !(self.is_draining && matches!(outcome, Outcome::Dropped(_))) {
            self.ledger.done(number);
        }
        acknowledge(self.sent.remove(&number).unwrap_or_default(), outcome);
    }

    /// Sends the last window and waits until all windows are decided. The windows that follow have no store.
    pub(crate) async fn finish(mut self) -> Result<Self, ComponentError> {
        if self.claimed {
            self.flush().await?;
        }
        self.is_draining = true;
        // Exporters end, and decide their last batches, only after all their producers are gone.
        self.outputs = Outputs::default();
        while let Some((number, outcome)) = self.in_flight.next().await {
            self.settle(number, &outcome);
        }
        if self.claimed {
            let changes = self.ledger.changes();
            self.write(changes).await?;
        }
        self.store = None;
        self.claimed = true;
        self.is_draining = false;
        Ok(self)
    }
}

/// The stored windows, and true if they are a [copy](COPIED).
async fn claim_and_read(store: &Claimed) -> Result<(Vec<(String, bytes::Bytes)>, bool), ClaimError> {
    loop {
        store.claim().await?;
        match entries(store).await {
            Err(ClaimError::Lost(_)) => {}
            read => return read,
        }
    }
}

async fn entries(store: &Claimed) -> Result<(Vec<(String, bytes::Bytes)>, bool), ClaimError> {
    let mut entries = Vec::new();
    for key in store.keys(ledger::PREFIX).await? {
        if let Some(value) = store.get(&key).await? {
            entries.push((key, value));
        }
    }
    Ok((entries, store.get(COPIED).await?.is_some()))
}

fn acknowledge(acks: Vec<Ack>, outcome: &Outcome) {
    for ack in acks {
        ack.decide(outcome.clone());
    }
}
