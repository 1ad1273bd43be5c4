//! How a component that a reload replaces gives its work to its successor, the next component with the same kind and id.
//!
//! A component that is replaced should end soon, even if a backend is unavailable. An exporter gives undelivered batches
//! back; any component may leave a state for its successor. Both keep their acknowledgements, so no producer sends again.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use collector_data::Batch;

type State = Box<dyn Any + Send>;

/// The connection of one component with its predecessor and its successor; clones share it.
#[derive(Clone, Default)]
pub struct Succession {
    shared: Arc<Bequest>,
}

#[derive(Default)]
struct Bequest {
    replaced: CancellationToken,
    keeps_services: AtomicBool,
    returned: Mutex<Vec<Batch>>,
    unfinished: Mutex<Vec<BoxFuture<'static, ()>>>,
    /// For the successor.
    left: Mutex<Option<State>>,
    /// From the predecessor.
    inherited: Mutex<Option<State>>,
}

impl Succession {
    /// The succession of a component whose predecessor left this state.
    pub fn after(inherited: Option<Box<dyn Any + Send>>) -> Self {
        Succession {
            shared: Arc::new(Bequest {
                inherited: Mutex::new(inherited),
                ..Bequest::default()
            }),
        }
    }

    /// From now on a shutdown means that a successor follows.
    pub fn replace(&self) {
        self.shared.replaced.cancel();
    }

    /// The same, and the successor uses the same extensions, which run on.
    pub fn replace_with_same_services(&self) {
        self.shared.keeps_services.store(true, Ordering::Release);
        self.replace();
    }

    /// True if a successor follows that uses the same extensions, which run on: it can use a claimed store that it inherits.
    pub fn keeps_services(&self) -> bool {
        self.is_replaced() && self.shared.keeps_services.load(Ordering::Acquire)
    }

    /// True if a successor follows.
    pub fn is_replaced(&self) -> bool {
        self.shared.replaced.is_cancelled()
    }

    /// Resolves once a successor follows, which may be after the shutdown: a removed component that still drains comes
    /// back.
    pub async fn replaced(&self) {
        self.shared.replaced.cancelled().await;
    }

    /// Gives an undelivered batch to the successor, as one of its inbox.
    pub fn give_back(&self, batch: Batch) {
        locked(&self.shared.returned).push(batch);
    }

    /// Lets the runtime finish work beside the successor: a batch that waits for room at a consumer. A future in the state
    /// for the successor would keep the inbox of that consumer open, and nobody would poll it.
    pub fn finish_later(&self, work: impl Future<Output = ()> + Send + 'static) {
        locked(&self.shared.unfinished).push(Box::pin(work));
    }

    /// Leaves state for the successor.
    pub fn leave<T: Any + Send>(&self, state: T) {
        *locked(&self.shared.left) = Some(Box::new(state));
    }

    /// Takes the state that the predecessor left, if it is of this type.
    pub fn inherit<T: Any>(&self) -> Option<T> {
        let inherited = locked(&self.shared.inherited).take()?;
        inherited.downcast().ok().map(|state| *state)
    }

    /// Takes the batches that were given back.
    pub fn take_returned(&self) -> Vec<Batch> {
        std::mem::take(&mut locked(&self.shared.returned))
    }

    /// Takes the work to be finished.
    pub fn take_unfinished(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut locked(&self.shared.unfinished))
    }

    /// Takes the state for the successor; from a component that has not taken the state of its predecessor, that one.
    pub fn take_left(&self) -> Option<Box<dyn Any + Send>> {
        let left = locked(&self.shared.left).take();
        left.or_else(|| locked(&self.shared.inherited).take())
    }
}

impl fmt::Debug for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Succession")
            .field("is_replaced", &self.is_replaced())
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_passes_a_component_that_did_not_take_it() {
        let first = Succession::default();
        first.leave(7_u32);
        let second = Succession::after(first.take_left());
        let third = Succession::after(second.take_left());
        assert_eq!(third.inherit::<u32>(), Some(7));
        assert_eq!(third.inherit::<u32>(), None);
        assert!(third.take_left().is_none());
    }

    #[test]
    fn a_state_of_another_type_is_dropped() {
        let succession = Succession::after(Some(Box::new("text")));
        assert_eq!(succession.inherit::<u32>(), None);
        assert!(succession.take_left().is_none());
    }
}
