//! The states of watches, for people who look at a running receiver.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::WatchHealth;

/// The state of one list and watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchState {
    /// The name of the kind in metrics.
    pub resource: &'static str,
    /// `None` for the whole cluster.
    pub namespace: Option<String>,
    /// The first list is complete.
    pub listed: bool,
    /// RBAC does not allow to list or watch it, and the receiver works without it.
    pub denied: bool,
    /// Why lists or watches fail now.
    pub problem: Option<String>,
    /// When it last received something.
    pub last_sign_of_life: Instant,
    /// How often it resumed or listed again after a gap.
    pub restarts: u64,
}

/// The states of all watches of a receiver when it [recorded](crate::watches::Watches::record_state) them last; clones share
/// them.
#[derive(Clone, Debug, Default)]
pub struct WatchStates(Arc<Mutex<Vec<WatchState>>>);

impl WatchStates {
    /// A reader of the states; it returns `None` once the watches have ended.
    pub fn reader(&self) -> impl Fn() -> Option<Vec<WatchState>> + Send + Sync + 'static {
        let states = Arc::downgrade(&self.0);
        move || Some(states.upgrade()?.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(crate) fn update(&self, health: &WatchHealth) {
        health.states(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
