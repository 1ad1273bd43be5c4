//! Shutdown: sends every event that is due, and saves the last acknowledgements.

use collector_runtime::Outlet;
use collector_runtime::component::ComponentError;

use crate::batch_sender::BatchSender;
use crate::checkpoint_store::StoreEvent;
use crate::session::JobSession;

impl JobSession {
    pub(crate) async fn finish(mut self) -> Result<Self, ComponentError> {
        let now = (self.clock)();
        self.events.flush().await;
        // With a store, notices wait for the next start: it knows which of them the store has announced.
        while !self.store.is_configured()
            && let Some(notice) = self.next_notice(now)
        {
            self.events.emit_notice(&notice, now);
            self.events.flush().await;
        }
        // With a store, a Job whose end is unknown waits for the next start, and so does each one that is too many or lacks evidence.
        while self.store.leads()
            && (!self.store.is_configured() || (self.has_room() && self.has_evidence()))
            && let Some(evidence) = self.tracker.drain(!self.store.is_configured())
        {
            self.events.emit(evidence, now);
            self.events.flush().await;
        }
        self.events.close();
        self.gauges = BatchSender::new(Outlet::default());
        self.save_acknowledged().await?;
        while let Some(outcome) = self.events.next_known() {
            self.on_outcome(Some(outcome));
        }
        let unacknowledged = self.events.unacknowledged();
        tracing::info!(unacknowledged, "receiver stopped");
        Ok(self)
    }

    /// Waits until each event is acknowledged and the store has the acknowledgement.
    async fn save_acknowledged(&mut self) -> Result<(), ComponentError> {
        let now = (self.clock)();
        while self.store.is_configured() && self.store.leads() && (self.events.unacknowledged() > 0 || !self.is_saved())
        {
            tokio::select! {
                outcome = self.events.next() => match outcome {
                    Some((_, ref left)) if self.events.is_left(left) => {}
                    outcome => self.on_outcome(outcome),
                },
                event = self.store.next() => if let StoreEvent::Saved = event? {
                    self.tracker.outbox().written();
                },
            }
            self.save(now, true);
        }
        Ok(())
    }
}
