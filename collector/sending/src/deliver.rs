//! One request from the queue to its end: attempts, waits, splits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::destination::{Destination, SendOutcome};
use super::expiry;
use super::instruments::Loss;
use super::queue::{Attempts, QueuedRequest, Unit};
use super::request::Request;
use super::sharing::Acks;
use super::signal_sender::SignalSender;
use collector_data::Outcome;
use collector_data::split;
use collector_runtime::component::ComponentError;
use collector_runtime::storage::ClaimError;

/// After this time without any delivery a request lets others pass: the backend may refuse this request only.
const YIELD_AFTER: Duration = Duration::from_secs(300);

/// How a request ended.
enum Ending {
    Decided(Outcome),
    /// Other requests are sent before the next attempt.
    Requeued,
    /// These requests replace it. `lost` says why a part of it was dropped.
    Replaced {
        requests: Vec<Request>,
        lost: Option<String>,
    },
    /// The collector shuts down and the request stays in the store, or a reload replaces the exporter.
    Unsent,
}

/// Where the end of a request is recorded.
enum Origin {
    Memory(Acks),
    /// The key in the persistent queue.
    Store(String),
}

/// The next step of a consumer.
enum Next {
    Continue,
    /// Puts the rest of the unit at the end of the queue.
    Requeue,
    Stop,
}

impl<D: Destination> SignalSender<D> {
    /// Sends from the queue until it is closed and empty, or until the rest stays in the store or goes to the successor of
    /// the exporter. Then it returns the unit in hand, which stays queued.
    ///
    /// # Errors
    /// If the store can no longer be used.
    pub(super) async fn consume(self: Arc<Self>) -> Result<Option<Unit>, ComponentError> {
        while let Some(mut unit) = self.queue.next().await {
            match self.deliver(&mut unit).await? {
                Next::Continue => {}
                Next::Requeue => self.queue.put(unit),
                Next::Stop => return Ok(Some(unit)),
            }
        }
        Ok(None)
    }

    /// Sends the requests of a unit in order.
    async fn deliver(&self, unit: &mut Unit) -> Result<Next, ClaimError> {
        while let Some(queued) = unit.requests.pop_front() {
            let Some((request, origin)) = self.load(queued).await? else {
                continue;
            };
            let mut attempts = unit.attempts.take().unwrap_or_else(|| Attempts {
                begin: Instant::now(),
                count: 0,
            });
            let is_stored = matches!(origin, Origin::Store(_));
            match self.send(&request, is_stored, &mut attempts).await {
                Ending::Unsent => {
                    if let Origin::Memory(acks) = origin {
                        unit.requests.push_front(QueuedRequest::InMemory(request, acks));
                    }
                    return Ok(Next::Stop);
                }
                Ending::Requeued => {
                    unit.requests.push_front(match origin {
                        Origin::Memory(acks) => QueuedRequest::InMemory(request, acks),
                        Origin::Store(key) => QueuedRequest::Stored(key),
                    });
                    unit.attempts = Some(attempts);
                    return Ok(Next::Requeue);
                }
                Ending::Decided(outcome) => self.record(origin, &outcome).await?,
                Ending::Replaced { requests, lost } => {
                    let queued = self.replace(origin, requests, lost).await?;
                    queued.into_iter().rev().for_each(|part| unit.requests.push_front(part));
                }
            }
        }
        Ok(Next::Continue)
    }

    /// The request itself; `None` if it is unreadable and was set aside.
    async fn load(&self, queued: QueuedRequest) -> Result<Option<(Request, Origin)>, ClaimError> {
        let (key, persistent) = match (queued, &self.persistent) {
            (QueuedRequest::InMemory(request, acks), _) => return Ok(Some((request, Origin::Memory(acks)))),
            (QueuedRequest::Stored(key), Some(persistent)) => (key, persistent),
            // Only a persistent queue makes these.
            (QueuedRequest::Stored(_), None) => return Ok(None),
        };
        let request = persistent.read(self.signal, &key).await?;
        if request.is_none() {
            self.instruments.unreadable();
        }
        Ok(request.map(|request| (request, Origin::Store(key))))
    }

    async fn record(&self, origin: Origin, outcome: &Outcome) -> Result<(), ClaimError> {
        match (origin, &self.persistent) {
            (Origin::Memory(acks), _) => acks.decide(outcome),
            (Origin::Store(key), Some(persistent)) => persistent.remove(&key).await?,
            (Origin::Store(_), None) => {}
        }
        Ok(())
    }

    /// Replaces a request by its parts.
    async fn replace(
        &self,
        origin: Origin,
        parts: Vec<Request>,
        lost: Option<String>,
    ) -> Result<Vec<QueuedRequest>, ClaimError> {
        let (key, persistent) = match (origin, &self.persistent) {
            (Origin::Memory(acks), _) => {
                let queued = parts
                    .into_iter()
                    .map(|part| QueuedRequest::InMemory(part, acks.clone()))
                    .collect();
                acks.decide(&lost.map_or(Outcome::Delivered, Outcome::Rejected));
                return Ok(queued);
            }
            (Origin::Store(key), Some(persistent)) => (key, persistent),
            (Origin::Store(_), None) => return Ok(Vec::new()),
        };
        if parts.is_empty() {
            persistent.remove(&key).await?;
            return Ok(Vec::new());
        }
        match persistent.replace(&key, &parts, self.clock.now()).await {
            Ok(keys) => Ok(keys.into_iter().map(QueuedRequest::Stored).collect()),
            Err(ClaimError::Permanent(problem)) => {
                // The whole request stays stored, so it is sent again after a restart.
                tracing::error!(
                    exporter = %self.exporter,
                    key,
                    problem,
                    "cannot store the parts of a request; sending them from memory"
                );
                let in_memory = |part| QueuedRequest::InMemory(part, Acks::default());
                Ok(parts.into_iter().map(in_memory).collect())
            }
            Err(error) => Err(error),
        }
    }

    /// Attempts a request until its end is known or others pass it.
    async fn send(&self, request: &Request, is_stored: bool, attempts: &mut Attempts) -> Ending {
        let items = request.items;
        let begin = attempts.begin;
        loop {
            if self.is_replaced() {
                return Ending::Unsent;
            }
            if let Some(ending) = self.without_expired_points(request) {
                return ending;
            }
            attempts.count = attempts.count.saturating_add(1);
            let delivered_before = self.delivered.load(Ordering::Relaxed);
            let in_flight = self.instruments.in_flight();
            let outcome = self.destination.export(request).await;
            drop(in_flight);
            let (retry_after, why) = match self.judge(request, outcome) {
                Ok(ending) => return ending,
                Err(failure) => failure,
            };

            self.unhealthy(&why);
            let must_stop = || is_stored && self.shutdown.is_cancelled();
            if must_stop() {
                return Ending::Unsent;
            }
            let delay = self
                .retry
                .delay(attempts.count, begin.elapsed(), retry_after, (self.random)());
            let Some(wait) = delay else {
                let why = self.exhausted(attempts.count, begin.elapsed(), &why);
                self.lost(items, Loss::RetriesExhausted, &why);
                return Ending::Decided(Outcome::Dropped(why));
            };
            let wait = self.shortened_on_shutdown(wait);
            self.log_retry(items, attempts.count, wait, &why);
            self.wait(wait, is_stored).await;
            // The backend asked for a wait, and the next startup is late enough.
            if retry_after.is_some() && must_stop() {
                return Ending::Unsent;
            }
            // A request that the backend never accepts must not keep a consumer from the others.
            let others_may_pass =
                self.delivered.load(Ordering::Relaxed) > delivered_before || begin.elapsed() >= YIELD_AFTER;
            if others_may_pass && !self.in_order && !self.queue.is_empty() {
                return Ending::Requeued;
            }
        }
    }

    /// The ending after one attempt, or the wait that the backend asks for and the reason to retry.
    fn judge(&self, request: &Request, outcome: SendOutcome) -> Result<Ending, (Option<Duration>, String)> {
        let items = request.items;
        Ok(match outcome {
            SendOutcome::Accepted => {
                self.accepted(items);
                Ending::Decided(Outcome::Delivered)
            }
            SendOutcome::Partial { rejected, message } => self.accepted_partially(items, rejected, &message),
            SendOutcome::TooLarge(why) => match self.halves(request) {
                Ok(requests) => {
                    tracing::debug!(exporter = %self.exporter, items, why, "splitting a request that is too large");
                    Ending::Replaced { requests, lost: None }
                }
                Err(cause) => self.refused(items, format!("{why}; {cause}")),
            },
            SendOutcome::Permanent(why) => self.refused(items, why),
            SendOutcome::Misconfigured(why) if self.retry.enabled && self.retry.misconfigured => {
                return Err((None, why));
            }
            SendOutcome::Misconfigured(why) => self.refused(items, why),
            SendOutcome::Retry { after, why } => return Err((after, why)),
        })
    }

    fn accepted_partially(&self, items: u64, rejected: u64, message: &str) -> Ending {
        let rejected = rejected.min(items);
        if rejected > 0 && rejected == items {
            let why = format!("the backend rejected all of it: {message}");
            self.unhealthy(&why);
            self.instruments.rejected(rejected);
            self.log_loss(items, &why);
            return Ending::Decided(Outcome::Rejected(why));
        }
        self.accepted(items - rejected);
        self.rejected_items(rejected, items, message);
        Ending::Decided(Outcome::Delivered)
    }

    /// The requests that replace one that is too large.
    fn halves(&self, request: &Request) -> Result<Vec<Request>, String> {
        let payload = self.destination.unpack(request)?;
        let Some((left, right)) = split::halves(&payload) else {
            return Err("it holds a single item and cannot be split".into());
        };
        let mut parts = self.destination.prepare(Arc::new(left))?;
        parts.extend(self.destination.prepare(Arc::new(right))?);
        Ok(parts)
    }

    /// The requests that replace one with points older than `max_metric_point_age`; `None` if it has none.
    fn without_expired_points(&self, request: &Request) -> Option<Ending> {
        let age = self.retry.max_metric_point_age.get();
        let limit = self
            .clock
            .now()
            .saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        if age.is_zero() || request.oldest_point.is_none_or(|oldest| oldest >= limit) {
            return None;
        }
        // An unreadable request is sent as it is.
        let mut payload = self.destination.unpack(request).ok()?;
        let removed = expiry::remove_older(&mut payload, limit);
        let why = format!(
            "{removed} metric points are older than {} (retry_on_failure::max_metric_point_age)",
            self.retry.max_metric_point_age
        );
        match self.destination.prepare(Arc::new(payload)) {
            Ok(requests) if removed > 0 => {
                self.lost(removed, Loss::TooOld, &why);
                Some(Ending::Replaced {
                    requests,
                    lost: Some(why),
                })
            }
            _ => None,
        }
    }

    /// The backend refuses this request for good. The exporter is unhealthy until a request is accepted.
    fn refused(&self, items: u64, why: String) -> Ending {
        self.unhealthy(&why);
        self.lost(items, Loss::Refused, &why);
        Ending::Decided(Outcome::Rejected(why))
    }

    /// On shutdown the collector may be killed soon, so every wait is short, even one that the backend asked for.
    fn shortened_on_shutdown(&self, wait: Duration) -> Duration {
        match self.shutdown.is_cancelled() {
            true => wait.min(self.retry.initial_interval.get()),
            false => wait,
        }
    }

    /// A shutdown that begins meanwhile ends the wait, and so does a reload that replaces the exporter.
    async fn wait(&self, wait: Duration, is_stored: bool) {
        let interruption = async {
            match !is_stored && self.shutdown.is_cancelled() {
                true => self.replaced().await,
                false => self.shutdown.cancelled().await,
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = interruption => {}
        }
    }

    fn exhausted(&self, attempts: u32, elapsed: Duration, why: &str) -> String {
        if self.retry.enabled {
            let limit = self.retry.max_elapsed_time;
            format!(
                "gave up after {attempts} attempts in {elapsed:.1?} (retry_on_failure::max_elapsed_time {limit}): {why}"
            )
        } else {
            format!("gave up after one attempt (retry_on_failure::enabled is false): {why}")
        }
    }
}
