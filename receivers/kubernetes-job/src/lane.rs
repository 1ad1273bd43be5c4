//! Between the tracker and the pipeline: what waits to be taken, without anybody waiting for it.

use std::collections::VecDeque;
use std::future::pending;

use futures_util::future::BoxFuture;
use pipeline::{Batch, Outlet};

/// Batches on their way to one outlet.
pub struct Lane {
    outlet: Outlet,
    queue: VecDeque<Batch>,
    sending: Option<BoxFuture<'static, ()>>,
}

impl Lane {
    /// A lane that leads to `outlet`.
    pub fn new(outlet: Outlet) -> Self {
        Lane {
            outlet,
            queue: VecDeque::new(),
            sending: None,
        }
    }

    /// Whether nobody takes what is sent.
    pub fn is_closed(&self) -> bool {
        self.outlet.is_empty()
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.sending.is_none()
    }

    /// Adds a batch at the end.
    pub fn push(&mut self, batch: Batch) {
        self.queue.push_back(batch);
    }

    /// Takes the place of everything that still waits: the newest state is the only one worth sending.
    pub fn replace(&mut self, batches: impl IntoIterator<Item = Batch>) {
        self.queue.clear();
        self.queue.extend(batches);
    }

    /// Resolves when one batch was taken; never while there is none. May be dropped and called again at any time.
    pub async fn step(&mut self) {
        if self.sending.is_none() {
            let Some(batch) = self.queue.pop_front() else {
                return pending().await;
            };
            let outlet = self.outlet.clone();
            self.sending = Some(Box::pin(async move { outlet.send(batch).await }));
        }
        if let Some(sending) = &mut self.sending {
            sending.await;
            self.sending = None;
        }
    }
}
