//! Hands what changed to the pipeline: soon, but not one by one.

use std::future::pending;
use std::time::Duration;

use collector_data::{Ack, Batch, Payload};
use collector_runtime::Outlet;
use jiff::Timestamp;
use job_event::otlp::nanos;
use tokio::time::{Instant, sleep_until};

use super::KubeState;
use crate::lane::Lane;
use job_watch::{Observation, Source};

/// How many objects go into one batch.
const OBJECTS: usize = 250;
/// How long what changed may wait for more that changes.
const PAUSE: Duration = Duration::from_secs(1);

/// What is told, and the way it takes. Without a state nothing is kept and nothing is told.
pub(crate) struct Feed {
    state: Option<KubeState>,
    lane: Lane,
    next: Instant,
}

impl Feed {
    pub(crate) fn new(enabled: bool, outlet: Outlet) -> Self {
        let lane = Lane::new(outlet);
        Feed {
            state: (enabled && !lane.is_closed()).then(KubeState::default),
            lane,
            next: Instant::now(),
        }
    }

    pub(crate) fn observe(&mut self, source: Source, observation: &Observation) {
        if let Some(state) = &mut self.state {
            state.apply(source, observation);
        }
    }

    pub(crate) fn refresh(&mut self) {
        if let Some(state) = &mut self.state {
            state.refresh();
        }
    }

    /// Sends what is due. What is pending waits while another replica tells it.
    pub(crate) fn advance(&mut self, cluster: Option<&str>, now: Timestamp) {
        let Some(state) = &mut self.state else { return };
        if !state.is_pending() || !self.lane.is_idle() || Instant::now() < self.next {
            return;
        }
        let metrics = state.take(OBJECTS, cluster, nanos(now));
        self.lane
            .send([Batch::new(Payload::Metrics(metrics), Ack::unwatched())]);
        if !state.is_pending() {
            self.next = Instant::now() + PAUSE;
        }
    }

    /// Resolves when something was taken or something is due. May be dropped and called again at any time.
    pub(crate) async fn step(&mut self) {
        if !self.lane.is_idle() {
            return self.lane.step().await;
        }
        match &self.state {
            Some(state) if state.is_pending() && Instant::now() < self.next => sleep_until(self.next).await,
            _ => pending().await,
        }
    }
}
