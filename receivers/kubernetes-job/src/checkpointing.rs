//! Resuming from the stored checkpoint, leading and standing by, and saving the checkpoint.

use std::time::Duration;

use collector_runtime::component::ComponentError;
use jiff::{SignedDuration, Timestamp};
use job_tracker::checkpoint::{Checkpoint, FromTheFuture};
use job_watch::Kind;
use job_watch::watch::gap::{Recovery, WatchGap};

use crate::checkpoint_store::StoreEvent;
use crate::session::JobSession;

/// How old a stored checkpoint may grow: after a restart its time shows how long no collector watched.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(60);
/// The same if the watches have observed changes: the API server keeps changes for a minute or more, so an older version may have
/// expired when the next process resumes there.
const MAX_AGE_OF_POSITIONS: SignedDuration = SignedDuration::from_secs(20);

impl JobSession {
    /// Waits until the reported Jobs are known, as leader and as standby. The checkpoint that a predecessor left is later than
    /// the stored one.
    pub(crate) async fn resume(&mut self, inherited: Option<Checkpoint>) -> Result<(), ComponentError> {
        let event = match self.store.is_configured() {
            true => self.store.next().await?,
            false => StoreEvent::Leading(None),
        };
        let scopes = &self.config.namespaces.include;
        let scopes: Vec<Box<str>> = scopes.iter().map(|name| name.as_str().into()).collect();
        match event {
            StoreEvent::Leading(stored) => {
                // Another replica may have written to a shared store since.
                let inherited = inherited.filter(|_| !self.store.is_shared());
                let is_resumed = self.store.is_configured() || inherited.is_some();
                let stored = inherited.or(stored);
                let mut checkpoint = stored.unwrap_or_else(|| Checkpoint::new(self.store.limits().tombstones));
                if is_resumed {
                    self.log_resume(&mut checkpoint);
                    self.measure_downtime(&checkpoint);
                }
                self.restore(checkpoint, scopes);
                self.watches.resume(self.tracker.stored_positions());
                self.tracker.begin((self.clock)());
                self.save_first_start().await
            }
            StoreEvent::Standby(stored) => {
                tracing::info!("another replica leads; standing by");
                self.restore(stored, scopes);
                self.watches.resume(self.tracker.stored_positions());
                Ok(())
            }
            StoreEvent::Saved | StoreEvent::Lost(_) => Err("the store reported a write before the first one".into()),
        }
    }

    fn restore(&mut self, checkpoint: Checkpoint, scopes: Vec<Box<str>>) {
        let checkpoint = checkpoint.with_max_size(self.store.limits().size);
        self.tracker.restore(checkpoint, scopes);
        if self.store.is_configured() {
            self.tracker.outbox().announce_notices();
        }
    }

    /// Waits until the store has the time of the first start, so that the next process does not take its own for it.
    async fn save_first_start(&mut self) -> Result<(), ComponentError> {
        while self.store.is_configured() && self.store.leads() && !self.is_saved() {
            self.save((self.clock)(), true);
            let event = self.store.next().await?;
            self.on_store_event(event);
        }
        Ok(())
    }

    pub(crate) fn on_store_event(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Leading(stored) => {
                tracing::info!("this replica leads");
                self.tracker.outbox().write_lost();
                if let Some(mut stored) = stored {
                    self.log_resume(&mut stored);
                    self.adopt(stored);
                }
            }
            StoreEvent::Standby(stored) => self.adopt(stored),
            StoreEvent::Saved => self.tracker.outbox().written(),
            StoreEvent::Lost(reason) => tracing::info!(reason, "another replica leads; standing by"),
        }
        self.report_health();
    }

    fn adopt(&mut self, stored: Checkpoint) {
        self.tracker.adopt(stored);
        self.events.retain_pending(self.tracker.outbox());
    }

    /// Saves the checkpoint if it changed or is old.
    pub(crate) fn save(&mut self, now: Timestamp, hurry: bool) {
        if !self.store.is_idle() {
            return;
        }
        let outbox = self.tracker.outbox();
        let checkpoint = outbox.checkpoint();
        let max_age = match checkpoint.has_new_positions() {
            true => MAX_AGE_OF_POSITIONS,
            false => MAX_AGE,
        };
        let is_old = |saved: Timestamp| now.duration_since(saved).abs() >= max_age;
        if checkpoint.is_dirty() || checkpoint.saved_at().is_some_and(is_old) {
            let before = checkpoint.omitted();
            let encoded = outbox.encode(now);
            let omitted = outbox.checkpoint().omitted();
            if omitted > 0 && before == 0 {
                tracing::warn!(
                    omitted,
                    "the store is too small for the state of every stalled Job and CronJob; use file_storage"
                );
            }
            self.store.save(encoded, hurry);
        }
    }

    /// True if the stored checkpoint has every acknowledged Job.
    pub(crate) fn is_saved(&mut self) -> bool {
        self.store.is_idle() && !self.tracker.outbox().checkpoint().is_dirty()
    }

    /// Logs from when Jobs are reported, and corrects a checkpoint written with a wrong clock.
    fn log_resume(&self, stored: &mut Checkpoint) {
        let now = (self.clock)();
        match stored.saved_at() {
            Some(since) => {
                let away_seconds = now.duration_since(since).as_secs();
                tracing::info!(%since, away_seconds, "resuming from the checkpoint");
            }
            None => tracing::info!(on_first_start = ?self.config.on_first_start, "no checkpoint: first start"),
        }
        let Some(FromTheFuture { latest, is_corrected }) = stored.correct(now) else {
            return;
        };
        let consequence = match is_corrected {
            true => "Jobs that finished before now and were not reported yet count as reported",
            false => "no Job is lost or reported twice because of it",
        };
        tracing::warn!(
            %latest,
            %now,
            consequence,
            "the checkpoint is from the future: the clock was ahead when it was stored or is behind now; synchronize the clocks of the nodes"
        );
    }

    fn measure_downtime(&mut self, stored: &Checkpoint) {
        let away = stored.saved_at().map(|since| (self.clock)().duration_since(since));
        self.downtime = away.and_then(|away| Duration::try_from(away).ok());
    }

    /// The watch of Jobs has recovered from the time when no collector ran.
    pub(crate) fn downtime_ends(&mut self, recovery: Recovery) {
        if let Some(length) = self.downtime.take() {
            self.telemetry.watches.gap(Kind::Jobs, WatchGap { length, recovery });
        }
    }
}
