//! The windows that a connector leaves when a reload replaces it: its successor continues them, so that no event is counted twice
//! and no two windows end in the same second.

use collector_runtime::Outputs;
use collector_runtime::component::{ComponentError, Running};
use collector_runtime::limited::LimitedMetrics;
use futures_util::future::FutureExt;

use crate::counting::Counting;
use crate::ledger::LAST;

impl Counting {
    /// True if a successor may continue the windows. With a store that the successor does not use or that restarts, they end
    /// as on shutdown.
    pub(crate) fn may_be_left(&self, running: &Running) -> bool {
        running.is_replaced() && (running.succession.keeps_services() || self.store.is_none())
    }

    /// Leaves the windows to the successor, if there is one, with the acknowledgements of those in flight.
    pub(crate) fn leave(mut self, running: &Running) {
        if running.is_replaced() {
            self.outputs = Outputs::default();
            running.succession.leave(self);
        }
    }

    /// Continues the windows of a predecessor. Its open window ends now if later points differ in their attributes, buckets or
    /// limit.
    ///
    /// # Errors
    /// If the store is unusable.
    pub(crate) async fn after(mut self, mut left: Counting, running: &Running) -> Result<Counting, ComponentError> {
        left.outputs = self.outputs.clone();
        let has_same_store = left.store.is_some() == self.store.is_some();
        let limit = |limited: &Option<LimitedMetrics>| limited.as_ref().map(LimitedMetrics::limit);
        let is_alike = left.aggregate.is_alike(&self.aggregate) && limit(&left.limit) == limit(&self.limit);
        if !(is_alike && has_same_store) {
            left.flush().await?;
        }
        if has_same_store {
            if !is_alike {
                left.aggregate = self.aggregate;
                left.limit = self.limit;
            }
            if let Some(store) = &left.store {
                store.report_to(&running.health);
            }
            return Ok(left);
        }
        // The store does not have these windows, so their numbers must not be those of stored ones.
        let renumbered = |number: u64| number + LAST + 1;
        let in_flight = left.in_flight.into_iter();
        self.in_flight = in_flight
            .map(|window| {
                window
                    .map(move |(number, outcome)| (renumbered(number), outcome))
                    .boxed()
            })
            .collect();
        let sent = left.sent.into_iter();
        self.sent = sent.map(|(number, acks)| (renumbered(number), acks)).collect();
        self.windows = left.windows;
        Ok(self)
    }
}
