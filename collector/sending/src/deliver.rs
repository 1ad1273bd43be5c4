//! One request from the queue to its end: attempts, waits, cuts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::condition::Part;
use super::destination::{Destination, SendOutcome};
use super::expiry;
use super::instruments::Loss;
use super::kept::{Read, Refused};
use super::lane::Lane;
use super::places::Place;
use super::queue::{Attempts, Held, Work};
use super::request::Request;
use super::sharing::Acks;
use collector_data::Outcome;
use collector_data::split;
use collector_runtime::component::ComponentError;

/// For how long a request is tried before it lets others pass, where nothing else is delivered either: then it may be the
/// request that the destination cannot take, and not all of them.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a request ended.
enum End {
    Decided(Outcome),
    /// Others are sent before the next attempt.
    Later,
    /// These take its place; if anything of it was given up, why.
    Replaced(Vec<Request>, Option<String>),
    /// The process ends, and the next one goes on with what is stored.
    LeftForTheNextStart,
}

/// Whom or what the end of a request concerns.
enum Keep {
    Acks(Acks),
    Key(String),
}

/// The next step of a consumer.
enum Next {
    GoOn,
    /// It puts the rest of the request behind the others.
    Later,
    Stop,
}

impl<D: Destination> Lane<D> {
    /// Sends from the queue until it is closed and empty, or the process ends and the rest stays stored: then it gives
    /// the place of the request that it had in hand, which is still to be sent and so still counts.
    ///
    /// # Errors
    /// If the store cannot be used any more.
    pub(super) async fn consume(self: Arc<Self>) -> Result<Option<Place>, ComponentError> {
        while let Some(mut work) = self.queue.next().await {
            match self.deliver(&mut work).await? {
                Next::GoOn => {}
                Next::Later => self.queue.put(work),
                Next::Stop => return Ok(Some(work.place)),
            }
        }
        Ok(None)
    }

    /// Sends one request, in parts if need be, in order.
    async fn deliver(&self, work: &mut Work) -> Result<Next, ComponentError> {
        while let Some(held) = work.parts.pop_front() {
            let (request, keep) = match (held, &self.kept) {
                (Held::InMemory(request, acks), _) => (request, Keep::Acks(acks)),
                (Held::Stored(key), Some(kept)) => match kept.read(self.signal, &key).await? {
                    Read::Request(request) => (request, Keep::Key(key)),
                    Read::Unreadable => {
                        self.instruments.unreadable();
                        continue;
                    }
                },
                // Only a lane with a store makes these.
                (Held::Stored(_), None) => continue,
            };
            let mut attempts = work.attempts.take().unwrap_or_else(|| Attempts {
                begin: Instant::now(),
                count: 0,
                backoff: Backoff::new(&self.retry),
            });
            match self.send(&request, matches!(keep, Keep::Key(_)), &mut attempts).await {
                End::LeftForTheNextStart => return Ok(Next::Stop),
                End::Later => {
                    work.parts.push_front(match keep {
                        Keep::Acks(acks) => Held::InMemory(request, acks),
                        Keep::Key(key) => Held::Stored(key),
                    });
                    work.attempts = Some(attempts);
                    return Ok(Next::Later);
                }
                End::Decided(outcome) => match (keep, &self.kept) {
                    (Keep::Acks(acks), _) => acks.decide(&outcome),
                    (Keep::Key(key), Some(kept)) => kept.remove(self.signal, &key).await?,
                    (Keep::Key(_), None) => {}
                },
                End::Replaced(parts, lost) => {
                    let parts = self.replace(keep, parts, lost).await?;
                    parts.into_iter().rev().for_each(|part| work.parts.push_front(part));
                }
            }
        }
        Ok(Next::GoOn)
    }

    /// Puts parts in the place of a request.
    async fn replace(
        &self,
        keep: Keep,
        parts: Vec<Request>,
        lost: Option<String>,
    ) -> Result<Vec<Held>, ComponentError> {
        let (key, kept) = match (keep, &self.kept) {
            (Keep::Acks(acks), _) => {
                let held = parts
                    .into_iter()
                    .map(|part| Held::InMemory(part, acks.clone()))
                    .collect();
                acks.decide(&lost.map_or(Outcome::Delivered, Outcome::Rejected));
                return Ok(held);
            }
            (Keep::Key(key), Some(kept)) => (key, kept),
            (Keep::Key(_), None) => return Ok(Vec::new()),
        };
        if parts.is_empty() {
            kept.remove(self.signal, &key).await?;
            return Ok(Vec::new());
        }
        match kept.replace(self.signal, &key, &parts, self.clock.now()).await? {
            Ok(keys) => Ok(keys.into_iter().map(Held::Stored).collect()),
            Err(Refused(why)) => {
                // The whole stays stored, so the next start sends it once more.
                tracing::error!(exporter = %self.exporter, "the parts of {key} cannot be stored and are sent from memory: {why}");
                Ok(parts
                    .into_iter()
                    .map(|part| Held::InMemory(part, Acks::default()))
                    .collect())
            }
        }
    }

    /// Tries until the request's end is known, or others are to pass it.
    async fn send(&self, request: &Request, stored: bool, attempts: &mut Attempts) -> End {
        let items = request.items;
        let begin = attempts.begin;
        loop {
            if let Some(end) = self.without_the_old(request) {
                return end;
            }
            attempts.count += 1;
            let delivered = self.delivered.load(Ordering::Relaxed);
            let flight = self.instruments.in_flight();
            let outcome = self.destination.export(request).await;
            drop(flight);
            let (after, why) = match outcome {
                SendOutcome::Accepted => {
                    self.arrived(items);
                    return End::Decided(Outcome::Delivered);
                }
                SendOutcome::Partial { rejected, message } => return self.partly(items, rejected, &message),
                SendOutcome::TooLarge(why) => match self.halves(request) {
                    Ok(parts) => {
                        tracing::debug!(exporter = %self.exporter, "{why}; sending its {items} items in halves");
                        return End::Replaced(parts, None);
                    }
                    Err(cause) => return self.refused(items, format!("{why}; {cause}")),
                },
                SendOutcome::Permanent(why) => return self.refused(items, why),
                SendOutcome::Misconfigured(why) if self.retry.enabled && self.retry.misconfigured => (None, why),
                SendOutcome::Misconfigured(why) => {
                    self.condition.failing(self.signal, Part::Destination, &why);
                    self.lost(items, Loss::Refused, &why);
                    return End::Decided(Outcome::Rejected(why));
                }
                SendOutcome::Retry { after, why } => (after, why),
            };

            self.condition.failing(self.signal, Part::Destination, &why);
            let leave = || stored && self.shutdown.is_cancelled();
            if leave() {
                return End::LeftForTheNextStart;
            }
            let wait = match self.retry.enabled {
                true => attempts.backoff.next(begin.elapsed(), after, (self.random)()),
                false => None,
            };
            let Some(wait) = wait else {
                let why = self.exhausted(attempts.count, begin.elapsed(), &why);
                self.lost(items, Loss::RetriesExhausted, &why);
                return End::Decided(Outcome::Dropped(why));
            };
            let wait = self.hurried(wait);
            self.will_retry(items, attempts.count, wait, &why);
            self.wait(wait, stored).await;
            // The destination asked for a wait, and the next start is late enough.
            if after.is_some() && leave() {
                return End::LeftForTheNextStart;
            }
            // A request that the destination cannot take, now or ever, must not keep a consumer from those that it can.
            let others_pass = self.delivered.load(Ordering::Relaxed) > delivered || begin.elapsed() >= PATIENCE;
            if others_pass && !self.in_order && !self.queue.is_empty() {
                return End::Later;
            }
        }
    }

    /// The destination has it, at least in part.
    fn partly(&self, items: u64, rejected: u64, message: &str) -> End {
        let rejected = rejected.min(items);
        if rejected > 0 && rejected == items {
            let why = format!("the destination refused all of it: {message}");
            self.condition.failing(self.signal, Part::Destination, &why);
            self.instruments.rejected(rejected);
            self.say_lost(items, &why);
            return End::Decided(Outcome::Rejected(why));
        }
        self.arrived(items - rejected);
        self.arrived_in_part(rejected, items, message);
        End::Decided(Outcome::Delivered)
    }

    /// The requests in the place of one that is too large.
    fn halves(&self, request: &Request) -> Result<Vec<Request>, String> {
        let payload = self.destination.unpack(request)?;
        let Some((left, right)) = split::halves(&payload) else {
            return Err("it holds a single item and cannot be split".into());
        };
        let mut parts = self.destination.prepare(Arc::new(left))?;
        parts.extend(self.destination.prepare(Arc::new(right))?);
        Ok(parts)
    }

    /// The requests in the place of one that holds points which the backend would not keep any more.
    fn without_the_old(&self, request: &Request) -> Option<End> {
        let age = self.retry.max_metric_point_age.get();
        let limit = self
            .clock
            .now()
            .saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        if age.is_zero() || request.oldest_point.is_none_or(|oldest| oldest >= limit) {
            return None;
        }
        // What cannot be read is left to the destination's judgement.
        let mut payload = self.destination.unpack(request).ok()?;
        let removed = expiry::remove_older(&mut payload, limit);
        let why = format!(
            "{removed} metric points are older than {} (retry_on_failure::max_metric_point_age)",
            self.retry.max_metric_point_age
        );
        match self.destination.prepare(Arc::new(payload)) {
            Ok(rest) if removed > 0 => {
                self.lost(removed, Loss::TooOld, &why);
                Some(End::Replaced(rest, Some(why)))
            }
            _ => None,
        }
    }

    /// The destination does not accept this data. Whether it would accept other data is known when it does.
    fn refused(&self, items: u64, why: String) -> End {
        self.condition.failing(self.signal, Part::Destination, &why);
        self.lost(items, Loss::Refused, &why);
        End::Decided(Outcome::Rejected(why))
    }

    /// During the shutdown the process may be killed soon, so waits stay short, also those that the destination asked
    /// for: what is in memory has no later.
    fn hurried(&self, wait: Duration) -> Duration {
        match self.shutdown.is_cancelled() {
            true => wait.min(self.retry.initial_interval.get()),
            false => wait,
        }
    }

    /// Waits. A shutdown that begins meanwhile ends the wait.
    async fn wait(&self, wait: Duration, stored: bool) {
        if !stored && self.shutdown.is_cancelled() {
            sleep(wait).await;
            return;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    fn exhausted(&self, attempts: u64, elapsed: Duration, why: &str) -> String {
        if self.retry.enabled {
            let limit = self.retry.max_elapsed_time;
            format!(
                "gave up after {attempts} attempts in {elapsed:.1?} (retry_on_failure::max_elapsed_time {limit}): {why}"
            )
        } else {
            format!("gave up at once (retry_on_failure::enabled is false): {why}")
        }
    }
}
