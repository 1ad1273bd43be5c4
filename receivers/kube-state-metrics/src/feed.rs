//! Sends changed objects to the pipeline: within a second or two, in batches, without the watches waiting for it.

use std::future::pending;
use std::time::{Duration, SystemTime};

use collector_data::{Ack, Batch, Payload};
use collector_runtime::Outlet;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use crate::state::KubeState;

/// How many objects go into one batch.
const OBJECTS: usize = 250;
/// How long a change may wait for others.
const PAUSE: Duration = Duration::from_secs(1);

/// The state, and the batches that carry its changes to the pipeline.
pub(crate) struct Feed {
    pub(crate) state: KubeState,
    outlet: Outlet,
    cluster_name: Option<String>,
    sending: Option<BoxFuture<'static, ()>>,
    next: Instant,
}

impl Feed {
    pub(crate) fn new(outlet: Outlet, cluster_name: Option<String>) -> Self {
        Feed {
            state: KubeState::default(),
            outlet,
            cluster_name,
            sending: None,
            next: Instant::now(),
        }
    }

    /// Resolves when a batch was sent or one is due. May be dropped and called again at any time.
    pub(crate) async fn step(&mut self) {
        match &mut self.sending {
            Some(sending) => {
                sending.await;
                self.sending = None;
            }
            None if self.state.is_pending() => sleep_until(self.next).await,
            None => pending().await,
        }
    }

    /// Begins to send the next batch if it is due.
    pub(crate) fn send_due(&mut self) {
        if !self.state.is_pending() || self.sending.is_some() || Instant::now() < self.next {
            return;
        }
        let metrics = self
            .state
            .take(OBJECTS, self.cluster_name.as_deref(), nanos(SystemTime::now()));
        if !self.state.is_pending() {
            self.next = Instant::now() + PAUSE;
        }
        let outlet = self.outlet.clone();
        self.sending = Some(Box::pin(async move {
            outlet
                .send(Batch::new(Payload::Metrics(metrics), Ack::unwatched()))
                .await;
        }));
    }
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
