//! Values that many records have in common (namespaces, images, specs) and therefore share.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use job_event::evidence::{JobSpec, ServiceTags};

use super::container::PodTemplate;
use super::owner::{OwnerPool, OwnerSettings};
use job_watch::model::Labels;

/// Below this size a pool is not searched for values that nobody holds any more.
const SMALL: usize = 1024;

/// One copy of each value that is held somewhere.
#[derive(Debug)]
pub(crate) struct Pool<T: ?Sized> {
    values: HashSet<Arc<T>>,
    /// The size at which values that nobody holds are removed.
    full: usize,
}

impl<T: Eq + Hash + ?Sized> Pool<T> {
    /// The one copy of `value`.
    pub(crate) fn get(&mut self, value: impl Borrow<T> + Into<Arc<T>>) -> Arc<T> {
        if let Some(known) = self.values.get(value.borrow()) {
            return known.clone();
        }
        if self.values.len() >= self.full {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.full = SMALL.max(self.values.len() * 2);
        }
        let value: Arc<T> = value.into();
        self.values.insert(value.clone());
        value
    }
}

impl Pools {
    /// Pools for Jobs whose owners are found by `settings`.
    pub(crate) fn new(settings: OwnerSettings) -> Pools {
        Pools {
            owners: OwnerPool::new(settings),
            ..Pools::default()
        }
    }

    /// The service tags in these labels; `None` if there are none.
    pub(crate) fn tags(&mut self, labels: &Labels) -> Option<Arc<ServiceTags>> {
        let tags = ServiceTags {
            env: labels.env.clone(),
            service: labels.service.clone(),
            version: labels.version.clone(),
        };
        (tags != ServiceTags::default()).then(|| self.service_tags.get(tags))
    }
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Pool {
            values: HashSet::new(),
            full: SMALL,
        }
    }
}

/// The pools of a tracker.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    /// Namespaces, nodes, phases, indexes, reasons of Events.
    pub texts: Pool<str>,
    /// The specs of Jobs.
    pub specs: Pool<JobSpec>,
    /// The owners of Jobs.
    pub owners: OwnerPool,
    /// The service tags of Jobs.
    pub service_tags: Pool<ServiceTags>,
    /// The containers of Pods.
    pub templates: Pool<PodTemplate>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_unheld_ones_go() {
        let mut pool = Pool::<str>::default();
        let held = pool.get("a");
        assert!(Arc::ptr_eq(&held, &pool.get("a")));
        for n in 0..10 * SMALL {
            pool.get(&*n.to_string());
        }
        assert!(pool.values.len() <= SMALL);
        assert!(Arc::ptr_eq(&held, &pool.get("a")));
    }
}
