//! What the consumers of one signal's queue share, and what they say about how it goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::condition::{Condition, Part};
use super::instruments::{Instruments, Loss};
use super::kept::Kept;
use super::queue::Queue;
use super::retry_settings::RetrySettings;
use collector_config::ComponentId;
use collector_data::Signal;
use pacing::{LogPace, lock};

/// The way of one signal from the queue to the destination.
pub(super) struct Lane<D> {
    pub(super) destination: Arc<D>,
    pub(super) exporter: ComponentId,
    pub(super) signal: Signal,
    pub(super) retry: RetrySettings,
    /// Whether what finds no room waits.
    pub(super) blocks: bool,
    pub(super) queue: Queue,
    /// `None` if the queue is in memory only.
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) instruments: Instruments,
    pub(super) condition: Arc<Condition>,
    pub(super) shutdown: CancellationToken,
    /// Evenly spread over 0..1.
    pub(super) random: fn() -> f64,
    pub(super) clock: Clock,
    /// True if requests are sent in order: with one consumer.
    pub(super) in_order: bool,
    /// How many requests the destination has accepted.
    pub(super) delivered: AtomicU64,
    pub(super) failures: Mutex<LogPace>,
    pub(super) losses: Mutex<LogPace>,
}

impl<D> Lane<D> {
    pub(super) fn arrived(&self, items: u64) {
        self.instruments.sent(items);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.condition.works(self.signal, Part::Destination);
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

    pub(super) fn arrived_in_part(&self, rejected: u64, items: u64, message: &str) {
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

    pub(super) fn lost(&self, items: u64, loss: Loss, why: &str) {
        self.instruments.send_failed(items, loss);
        self.say_lost(items, why);
    }

    pub(super) fn say_lost(&self, items: u64, why: &str) {
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            tracing::error!(
                exporter = %self.exporter,
                signal = %self.signal,
                not_shown = line.held_back,
                "{items} items are lost: {why}",
            );
        }
    }

    pub(super) fn will_retry(&self, items: u64, attempt: u64, wait: Duration, why: &str) {
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
