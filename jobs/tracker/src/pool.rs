//! Values that many records have in common (namespaces, images, specs) and therefore share.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use job_event::evidence::{Attribute, JobSpec, ServiceTags};

use super::container::PodTemplate;
use super::owner::{OwnerPool, OwnerSettings};
use job_watch::model::Metadata;

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

/// The labels and annotations of an object that become attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tags {
    pub service: ServiceTags,
    /// Those that rules select, in the order of their names.
    pub extracted: Vec<Attribute>,
}

impl Tags {
    /// True if these are the tags of an object.
    pub(crate) fn are_of(tags: Option<&Tags>, metadata: &Metadata) -> bool {
        let labels = &metadata.labels;
        let none = ServiceTags::default();
        let ServiceTags { env, service, version } = tags.map_or(&none, |tags| &tags.service);
        *env == labels.env
            && *service == labels.service
            && *version == labels.version
            && tags.map_or(&[][..], |tags| &tags.extracted) == selected(metadata)
    }
}

/// The labels and annotations that rules select of an object, as attributes.
pub(crate) fn selected(metadata: &Metadata) -> &[Attribute] {
    metadata
        .extracted
        .as_ref()
        .map_or(&[], |extracted| &extracted.attributes)
}

impl Pools {
    /// Pools for Jobs whose owners are found by `settings`.
    pub(crate) fn new(settings: OwnerSettings) -> Pools {
        Pools {
            owners: OwnerPool::new(settings),
            ..Pools::default()
        }
    }

    /// The tags of an object; `None` if it has none.
    pub(crate) fn tags(&mut self, metadata: &Metadata) -> Option<Arc<Tags>> {
        if Tags::are_of(None, metadata) {
            return None;
        }
        let labels = &metadata.labels;
        let service = ServiceTags {
            env: labels.env.clone(),
            service: labels.service.clone(),
            version: labels.version.clone(),
        };
        let extracted = selected(metadata).to_vec();
        Some(self.tags.get(Tags { service, extracted }))
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
    /// The labels and annotations of Jobs, CronJobs and namespaces.
    pub tags: Pool<Tags>,
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
