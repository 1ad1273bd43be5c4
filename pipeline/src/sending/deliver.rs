//! One batch from the queue to its acknowledgement: requests, attempts, waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::condition::Condition;
use super::destination::{Destination, SendOutcome};
use super::instruments::Instruments;
use super::log_pace::LogPace;
use super::request::Request;
use super::settings::RetrySettings;
use crate::ack::Outcome;
use crate::batch::{Batch, Signal};
use crate::component::ComponentId;
use crate::split;

/// Everything that the consumers of one signal's queue share.
pub(super) struct Lane<D> {
    pub(super) destination: Arc<D>,
    pub(super) exporter: ComponentId,
    pub(super) signal: Signal,
    pub(super) retry: RetrySettings,
    pub(super) instruments: Instruments,
    pub(super) condition: Arc<Condition>,
    pub(super) shutdown: CancellationToken,
    /// Evenly spread over 0..1.
    pub(super) random: fn() -> f64,
    pub(super) failures: Mutex<LogPace>,
    pub(super) losses: Mutex<LogPace>,
}

/// How a request ended.
enum End {
    Decided(Outcome),
    /// These take its place.
    Replaced(Vec<Request>),
}

impl<D: Destination> Lane<D> {
    /// Sends a batch and decides its acknowledgement; the worst end of its requests is the batch's.
    pub(super) async fn deliver(&self, batch: Batch) {
        let Batch { payload, ack } = batch;
        let items = payload.items() as u64;
        let mut requests: VecDeque<Request> = match self.destination.prepare(payload) {
            Ok(requests) => requests.into(),
            Err(why) => {
                self.lost(items, &why);
                ack.rejected(why);
                return;
            }
        };
        while let Some(request) = requests.pop_front() {
            match self.send(&request).await {
                End::Decided(outcome) => ack.clone().decide(outcome),
                End::Replaced(parts) => parts.into_iter().rev().for_each(|part| requests.push_front(part)),
            }
        }
        ack.delivered();
    }

    /// Tries until the request's end is known.
    async fn send(&self, request: &Request) -> End {
        let items = request.items;
        let begin = Instant::now();
        let mut backoff = Backoff::new(&self.retry);
        let mut attempt: u64 = 0;
        loop {
            attempt += 1;
            let (after, why) = match self.destination.export(request).await {
                SendOutcome::Accepted => {
                    self.arrived(items);
                    return End::Decided(Outcome::Delivered);
                }
                SendOutcome::Partial { rejected, message } => {
                    let rejected = rejected.min(items);
                    if rejected > 0 && rejected == items {
                        let why = format!("the destination refused all of it: {message}");
                        self.condition.works(self.signal);
                        self.instruments.rejected(rejected);
                        self.say_lost(items, &why);
                        return End::Decided(Outcome::Rejected(why));
                    }
                    self.arrived(items - rejected);
                    self.arrived_in_part(rejected, items, &message);
                    return End::Decided(Outcome::Delivered);
                }
                SendOutcome::TooLarge(why) => match self.halves(request) {
                    Ok(parts) => {
                        tracing::debug!(exporter = %self.exporter, "{why}; sending its {items} items in halves");
                        return End::Replaced(parts);
                    }
                    Err(cause) => return self.refused(items, format!("{why}; {cause}")),
                },
                SendOutcome::Permanent(why) => return self.refused(items, why),
                SendOutcome::Misconfigured(why) => {
                    self.condition.failing(self.signal, &why);
                    self.lost(items, &why);
                    return End::Decided(Outcome::Rejected(why));
                }
                SendOutcome::Retry { after, why } => (after, why),
            };

            self.condition.failing(self.signal, &why);
            let wait = if self.retry.enabled {
                backoff.next(begin.elapsed(), after, (self.random)())
            } else {
                None
            };
            let Some(wait) = wait else {
                let why = self.exhausted(attempt, begin.elapsed(), &why);
                self.lost(items, &why);
                return End::Decided(Outcome::Dropped(why));
            };
            let wait = self.hurried(wait, after);
            self.will_retry(items, attempt, wait, &why);
            self.wait(wait, after).await;
        }
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

    /// The destination does not want this data.
    fn refused(&self, items: u64, why: String) -> End {
        self.condition.still_failing(self.signal, &why);
        self.lost(items, &why);
        End::Decided(Outcome::Rejected(why))
    }

    /// During the shutdown the process may be killed soon, so our own waits stay short; what the destination asked
    /// for still holds.
    fn hurried(&self, wait: Duration, asked: Option<Duration>) -> Duration {
        if self.shutdown.is_cancelled() {
            wait.min(self.retry.initial_interval.get())
                .max(asked.unwrap_or_default())
        } else {
            wait
        }
    }

    /// Waits, but tries at once when the shutdown begins, unless the destination asked for the wait.
    async fn wait(&self, wait: Duration, asked: Option<Duration>) {
        if asked.is_some() || self.shutdown.is_cancelled() {
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

    fn arrived(&self, items: u64) {
        self.instruments.sent(items);
        self.condition.works(self.signal);
        let over = lock(&self.failures).worked(Instant::now());
        if let Some(over) = over {
            tracing::info!(
                exporter = %self.exporter,
                signal = %self.signal,
                "sending works again after {} failed attempts in {:.1?}",
                over.failures,
                over.lasted,
            );
        }
    }

    fn arrived_in_part(&self, rejected: u64, items: u64, message: &str) {
        self.instruments.rejected(rejected);
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            let what = if rejected == 0 {
                format!("the destination accepted {items} items with a warning: {message}")
            } else {
                format!("the destination refused {rejected} of {items} items, which are lost: {message}")
            };
            tracing::warn!(
                exporter = %self.exporter,
                signal = %self.signal,
                not_shown = line.held_back,
                "{what}",
            );
        }
    }

    fn lost(&self, items: u64, why: &str) {
        self.instruments.send_failed(items);
        self.say_lost(items, why);
    }

    fn say_lost(&self, items: u64, why: &str) {
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            tracing::error!(
                exporter = %self.exporter,
                signal = %self.signal,
                not_shown = line.held_back,
                "{items} items are lost: {why}",
            );
        }
    }

    fn will_retry(&self, items: u64, attempt: u64, wait: Duration, why: &str) {
        let line = lock(&self.failures).failed(Instant::now());
        match line {
            Some(line) => tracing::warn!(
                exporter = %self.exporter,
                signal = %self.signal,
                attempt,
                not_shown = line.held_back,
                "sending {items} items failed, next try in {wait:.1?}: {why}",
            ),
            None => tracing::debug!(
                exporter = %self.exporter,
                signal = %self.signal,
                attempt,
                "sending {items} items failed, next try in {wait:.1?}: {why}",
            ),
        }
    }
}

pub(super) fn lock(pace: &Mutex<LogPace>) -> std::sync::MutexGuard<'_, LogPace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}
