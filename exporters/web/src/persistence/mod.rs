//! Keeps the events in a store, so that they survive a restart and a change of the leader.
//!
//! The pipeline never waits for the store: one transaction is in flight at a time, and later events share the next one. A batch is
//! acknowledged once its events are stored, so that a receiver sends it again after a crash, or when the store does not work, after
//! [`PATIENCE`].

mod ledger;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use collector_data::Ack;
use collector_runtime::health::{Reporter, Status};
use collector_runtime::storage::{ClaimError, Claimed};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::state::Web;
use ledger::{Ledger, PREFIX, Restored};

/// How long an acknowledgement waits for the store.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The most acknowledgements that wait.
const MAX_WAITING: usize = 10_000;
/// The wait before a write to a small store, which sends all of its content each time.
const BETWEEN_SMALL_WRITES: Duration = Duration::from_secs(1);
/// The wait before a store is claimed again after the claim was lost.
const CLAIM_AGAIN: Duration = Duration::from_secs(2);
/// How long the last write may take on shutdown.
const LAST_WRITE: Duration = Duration::from_secs(3);

type Entries = Vec<(String, Bytes)>;

enum PersistenceStep {
    /// There is no store, or it is unusable.
    Off,
    Claiming(BoxFuture<'static, Result<Entries, ClaimError>>),
    Idle,
    Writing(BoxFuture<'static, Result<(), ClaimError>>, u64),
}

/// The stored events of one exporter.
pub(crate) struct Persistence {
    store: Option<Arc<Claimed>>,
    ledger: Ledger,
    step: PersistenceStep,
    /// Acknowledgements that wait until the events up to a number are stored.
    waiting: VecDeque<(u64, Instant, Ack)>,
    /// Events up to this number are stored.
    stored: u64,
    /// A small store is written after this time.
    next_write: Instant,
    health: Reporter,
}

impl Persistence {
    /// Begins to claim the store; without one nothing is stored.
    pub(crate) fn new(store: Option<Claimed>, health: &Reporter) -> Self {
        let mut persistence = Persistence {
            ledger: Ledger::default(),
            step: PersistenceStep::Off,
            store: store.map(Arc::new),
            waiting: VecDeque::new(),
            stored: 0,
            next_write: Instant::now(),
            health: health.part("store"),
        };
        persistence.claim(Duration::ZERO);
        persistence
    }

    /// True if a store is configured.
    pub(crate) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// True if the stored events were read, or are none.
    pub(crate) fn is_restored(&self) -> bool {
        !matches!(self.step, PersistenceStep::Claiming(_))
    }

    /// Claims the store again and reads it: another replica may have written.
    pub(crate) fn stand_by(&mut self) {
        if self.store.as_ref().is_some_and(|store| store.is_shared()) {
            self.claim(Duration::ZERO);
        }
    }

    /// Continues for a successor.
    pub(crate) fn report_to(&mut self, health: &Reporter) {
        if let Some(store) = &self.store {
            store.report_to(health);
        }
        self.health = health.part("store");
    }

    fn claim(&mut self, wait: Duration) {
        let Some(store) = self.store.clone() else { return };
        self.step = PersistenceStep::Claiming(Box::pin(async move {
            sleep(wait).await;
            loop {
                store.claim().await?;
                match entries(&store).await {
                    Err(ClaimError::Lost(_)) => {}
                    read => return read,
                }
            }
        }));
    }

    /// Acknowledges a batch once its events, up to this number, are stored.
    pub(crate) fn acknowledge(&mut self, number: u64, ack: Ack) {
        if matches!(self.step, PersistenceStep::Off) || (self.is_restored() && number <= self.stored) {
            return ack.delivered();
        }
        if self.waiting.len() >= MAX_WAITING
            && let Some((_, _, ack)) = self.waiting.pop_front()
        {
            ack.delivered();
        }
        self.waiting.push_back((number, Instant::now() + PATIENCE, ack));
    }

    /// Does the next piece of work, and waits for it. May be dropped and called again.
    pub(crate) async fn work(&mut self, web: &Web) {
        if matches!(self.step, PersistenceStep::Idle) && self.next_write <= Instant::now() {
            self.write(web);
        }
        let is_paused = matches!(self.step, PersistenceStep::Idle) && self.next_write > Instant::now();
        let patience = self.waiting.front().map(|(_, until, _)| *until);
        let expired = async {
            match patience {
                Some(until) => sleep_until(until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            done = self.step.done() => self.after(done, web),
            () = sleep_until(self.next_write), if is_paused => {}
            () = expired => {
                if let Some((_, _, ack)) = self.waiting.pop_front() {
                    ack.delivered();
                }
            }
        }
    }

    /// Begins a transaction, if there are changes.
    fn write(&mut self, web: &Web) {
        let Some(store) = self.store.clone() else { return };
        let transaction = self.ledger.transaction(&web.kept().events);
        web.telemetry().unstored(transaction.skipped);
        if transaction.changes.is_empty() {
            return self.stored_upto(transaction.upto);
        }
        if store.capacity().is_some() {
            self.next_write = Instant::now() + BETWEEN_SMALL_WRITES;
        }
        let writing = async move { store.apply(transaction.changes).await };
        self.step = PersistenceStep::Writing(Box::pin(writing), transaction.upto);
    }

    fn after(&mut self, done: Done, web: &Web) {
        self.step = PersistenceStep::Idle;
        let problem = match done {
            Done::Claimed(Ok(entries)) => return self.restore(entries, web),
            Done::Written(Ok(()), upto) => return self.stored_upto(upto),
            Done::Written(Err(ClaimError::Lost(reason)), _) => {
                tracing::info!(reason, "another replica stores the events from now on");
                return self.claim(CLAIM_AGAIN);
            }
            Done::Claimed(Err(problem)) | Done::Written(Err(problem), _) => problem,
        };
        tracing::error!(%problem, "cannot store events; they stay in memory only");
        self.health
            .report(Status::RecoverableError(format!("cannot store events: {problem}")));
        self.step = PersistenceStep::Off;
        self.store = None;
        self.stored_upto(u64::MAX);
    }

    fn restore(&mut self, entries: Entries, web: &Web) {
        self.ledger = Ledger::new(self.store.as_ref().and_then(|store| store.capacity()));
        let stored = self.stored;
        let Restored { events, damaged } = self.ledger.restore(entries, &mut web.kept().events, stored);
        web.telemetry().damaged(damaged);
        self.stored = self.ledger.written();
        // Events that wait have new numbers, all up to the last one.
        let last = web.kept().events.next() - 1;
        for (number, ..) in &mut self.waiting {
            *number = last;
        }
        tracing::info!(events, damaged, "read the stored events");
    }

    fn stored_upto(&mut self, number: u64) {
        self.stored = self.stored.max(number);
        let stored = self.stored;
        while self.waiting.front().is_some_and(|(number, ..)| *number <= stored) {
            if let Some((_, _, ack)) = self.waiting.pop_front() {
                ack.delivered();
            }
        }
    }

    /// Stores what is left, unless the store does not work, and acknowledges everything.
    pub(crate) async fn finish(&mut self, web: &Web) {
        let last = async {
            loop {
                match &self.step {
                    PersistenceStep::Off | PersistenceStep::Claiming(_) => return,
                    PersistenceStep::Idle => self.write(web),
                    PersistenceStep::Writing(..) => {}
                }
                if matches!(self.step, PersistenceStep::Idle) {
                    return;
                }
                let done = self.step.done().await;
                self.after(done, web);
            }
        };
        if timeout(LAST_WRITE, last).await.is_err() {
            tracing::warn!("the last events are not stored: the store did not answer in time");
        }
        for (_, _, ack) in self.waiting.drain(..) {
            ack.delivered();
        }
    }
}

enum Done {
    Claimed(Result<Entries, ClaimError>),
    Written(Result<(), ClaimError>, u64),
}

impl PersistenceStep {
    async fn done(&mut self) -> Done {
        match self {
            PersistenceStep::Off | PersistenceStep::Idle => pending().await,
            PersistenceStep::Claiming(claiming) => Done::Claimed(claiming.await),
            PersistenceStep::Writing(writing, upto) => Done::Written(writing.await, *upto),
        }
    }
}

async fn entries(store: &Claimed) -> Result<Entries, ClaimError> {
    let mut entries = Vec::new();
    for key in store.keys(PREFIX).await? {
        if let Some(value) = store.get(&key).await? {
            entries.push((key, value));
        }
    }
    Ok(entries)
}
