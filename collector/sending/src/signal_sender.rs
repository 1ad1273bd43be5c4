//! The state that the intake and the consumers of one signal share, and how they report the progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::instruments::{Instruments, Loss};
use super::persistent_queue::PersistentQueue;
use super::queue::Queue;
use super::retry_settings::RetrySettings;
use collector_config::ComponentId;
use collector_data::Signal;
use collector_runtime::health::{Reporter, Status};
use collector_runtime::succession::Succession;
use pacing::{LogPace, lock};

/// Sends one signal: its queue, and everything that consumers need.
pub(super) struct SignalSender<D> {
    pub(super) destination: Arc<D>,
    pub(super) exporter: ComponentId,
    pub(super) signal: Signal,
    pub(super) retry: RetrySettings,
    /// True if producers wait while the queue is full.
    pub(super) blocks: bool,
    pub(super) queue: Queue,
    /// `None` if the queue is in memory only.
    pub(super) persistent: Option<Arc<PersistentQueue>>,
    pub(super) instruments: Instruments,
    /// Fails while the backend's latest answer to this signal was a failure.
    pub(super) backend_health: Reporter,
    /// Fails while the queue is full.
    pub(super) queue_health: Reporter,
    pub(super) shutdown: CancellationToken,
    pub(super) succession: Succession,
    /// Evenly spread over 0..1.
    pub(super) random: fn() -> f64,
    pub(super) clock: Clock,
    /// True if requests are sent in order: with one consumer.
    pub(super) in_order: bool,
    /// The number of accepted requests.
    pub(super) delivered: AtomicU64,
    pub(super) failures: Mutex<LogPace>,
    pub(super) losses: Mutex<LogPace>,
}

impl<D> SignalSender<D> {
    /// True if a reload replaces the exporter: attempts in flight end, and its successor sends the rest.
    pub(super) fn is_replaced(&self) -> bool {
        self.shutdown.is_cancelled() && self.succession.is_replaced()
    }

    /// Resolves when a reload replaces the exporter.
    pub(super) async fn replaced(&self) {
        self.shutdown.cancelled().await;
        self.succession.replaced().await;
    }

    pub(super) fn unhealthy(&self, why: &str) {
        let why = format!("{}: {why}", self.signal);
        self.backend_health.report(Status::RecoverableError(why));
    }

    pub(super) fn accepted(&self, items: u64) {
        self.instruments.sent(items);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.backend_health.report(Status::Ok);
        let over = lock(&self.failures).worked(Instant::now());
        if let Some(over) = over {
            tracing::info!(
                exporter = %self.exporter,
                signal = %self.signal,
                failed_attempts = over.failures,
                lasted = format!("{:.1?}", over.lasted),
                "sending works again",
            );
        }
    }

    pub(super) fn rejected_items(&self, rejected: u64, items: u64, message: &str) {
        self.instruments.rejected(rejected);
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            let text = if rejected == 0 {
                format!("the backend accepted {items} items with a warning: {message}")
            } else {
                format!("the backend rejected {rejected} of {items} items, which are lost: {message}")
            };
            tracing::warn!(
                exporter = %self.exporter,
                signal = %self.signal,
                not_logged = line.held_back,
                "{text}",
            );
        }
    }

    pub(super) fn lost(&self, items: u64, loss: Loss, why: &str) {
        self.instruments.send_failed(items, loss);
        self.log_loss(items, why);
    }

    pub(super) fn log_loss(&self, items: u64, why: &str) {
        if let Some(line) = lock(&self.losses).failed(Instant::now()) {
            tracing::error!(
                exporter = %self.exporter,
                signal = %self.signal,
                not_logged = line.held_back,
                "{items} items are lost: {why}",
            );
        }
    }

    pub(super) fn log_retry(&self, items: u64, attempt: u32, wait: Duration, why: &str) {
        let line = lock(&self.failures).failed(Instant::now());
        match line {
            Some(line) => tracing::warn!(
                exporter = %self.exporter,
                signal = %self.signal,
                attempt,
                not_logged = line.held_back,
                "sending {items} items failed, retrying in {wait:.1?}: {why}",
            ),
            None => tracing::debug!(
                exporter = %self.exporter,
                signal = %self.signal,
                attempt,
                "sending {items} items failed, retrying in {wait:.1?}: {why}",
            ),
        }
    }
}
