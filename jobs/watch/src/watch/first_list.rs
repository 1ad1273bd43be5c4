//! The first list of one kind, which those of other kinds follow: owners before the objects that they own.

use tokio_util::sync::CancellationToken;

/// After this many failures it no longer delays the first lists of kinds that can do without it.
const FAILURES: u32 = 3;

/// The state of the first list of one kind. Clones are of the same list.
#[derive(Clone, Debug, Default)]
pub struct FirstList {
    over: CancellationToken,
    tried: CancellationToken,
}

impl FirstList {
    /// True if it is complete or forbidden.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits until it is complete or forbidden.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Waits until it is complete or forbidden, or has failed several times.
    pub async fn tried(&self) {
        self.tried.cancelled().await;
    }

    /// It is complete or forbidden.
    pub(super) fn ends(&self) {
        self.over.cancel();
        self.tried.cancel();
    }

    /// It failed, for the `times`-th time in a row.
    pub(super) fn fails(&self, times: u32) {
        if times >= FAILURES {
            self.tried.cancel();
        }
    }
}
