//! Between the tracker and the pipeline: what is on its way to be taken, without anybody waiting for it.

use std::future::pending;

use futures_util::future::BoxFuture;
use pipeline::{Batch, Outlet};

type Batches = Box<dyn Iterator<Item = Batch> + Send>;

/// One batch on its way to an outlet, and those that follow it, which are made when it is their turn.
pub struct Lane {
    outlet: Outlet,
    sending: Option<BoxFuture<'static, ()>>,
    following: Option<Batches>,
}

impl Lane {
    /// A lane that leads to `outlet`.
    pub fn new(outlet: Outlet) -> Self {
        Lane {
            outlet,
            sending: None,
            following: None,
        }
    }

    /// Whether nobody takes what is sent.
    pub fn is_closed(&self) -> bool {
        self.outlet.is_empty()
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.sending.is_none() && self.following.is_none()
    }

    /// Sends these after the batch that is being taken, instead of what would have followed it.
    pub fn send(&mut self, batches: impl IntoIterator<Item = Batch, IntoIter: Send + 'static>) {
        self.following = Some(Box::new(batches.into_iter()));
    }

    /// Resolves when one batch was taken or none is left; never while idle. May be dropped and called again at any
    /// time.
    pub async fn step(&mut self) {
        if self.sending.is_none() {
            let Some(following) = &mut self.following else {
                return pending().await;
            };
            let Some(batch) = following.next() else {
                self.following = None;
                return;
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
