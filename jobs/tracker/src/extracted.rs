//! Labels and annotations that rules select, as attributes of a Job or a CronJob.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use job_event::Uid;
use job_event::evidence::Attribute;
use job_watch::model;

use super::Tracker;
use super::container::PodTemplate;
use super::job::JobRecord;
use super::pool::Tags;

/// How many deleted namespaces are remembered: their last Jobs may still be reported.
const GONE: usize = 256;

/// The attributes of a Job or a CronJob, by the object that has the label or annotation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extracted {
    job: Option<Arc<Tags>>,
    pod: Option<Arc<PodTemplate>>,
    cronjob: Option<Arc<Tags>>,
    namespace: Option<Arc<Tags>>,
}

impl Extracted {
    /// The value of an attribute. If several objects have it, the first of Job, Pod, CronJob and namespace wins.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.sources().into_iter().flatten();
        all.find(|attribute| *attribute.name == *name)
            .map(|attribute| &*attribute.value)
    }

    /// All attributes in the order of their names, each once.
    pub(crate) fn merged(&self) -> Vec<Attribute> {
        let mut all: Vec<Attribute> = self.sources().into_iter().flatten().cloned().collect();
        // Stable, so the first source of a name stays first.
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|later, first| later.name == first.name);
        all
    }

    fn sources(&self) -> [&[Attribute]; 4] {
        fn of(tags: &Option<Arc<Tags>>) -> &[Attribute] {
            tags.as_ref().map_or(&[], |tags| &tags.extracted)
        }
        let pod = self.pod.as_ref().map_or(&[][..], |template| &*template.extracted);
        [of(&self.job), pod, of(&self.cronjob), of(&self.namespace)]
    }
}

/// The namespaces with selected labels or annotations, by name.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    known: HashMap<Box<str>, Namespace>,
    /// Those that are deleted, oldest first.
    gone: VecDeque<Uid>,
}

#[derive(Debug)]
struct Namespace {
    uid: Uid,
    scope: u16,
    tags: Arc<Tags>,
}

impl Namespaces {
    /// A namespace was seen, with these attributes.
    fn seen(&mut self, namespace: &model::Namespace, tags: Option<Arc<Tags>>, scope: u16) {
        let uid = Uid::new(&namespace.metadata.uid);
        let name = &namespace.metadata.name;
        match tags {
            Some(tags) => {
                self.known.insert(name.as_str().into(), Namespace { uid, scope, tags });
            }
            None => {
                self.known.remove(name.as_str());
            }
        }
    }

    /// A namespace was deleted. Its attributes stay for a while.
    pub(crate) fn gone(&mut self, uid: Uid) {
        if self.gone.contains(&uid) || !self.existing().any(|known| known == uid) {
            return;
        }
        self.gone.push_back(uid);
        if self.gone.len() > GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            self.known.retain(|_, namespace| namespace.uid != oldest);
        }
    }

    /// The namespaces of a scope that are missing in a complete list were deleted.
    pub(crate) fn listed(&mut self, scope: u16, seen: &HashSet<Uid>) {
        let known = self.known.values().filter(|known| known.scope == scope);
        let gone: Vec<Uid> = known.map(|known| known.uid).filter(|uid| !seen.contains(uid)).collect();
        for uid in gone {
            self.gone(uid);
        }
    }

    /// The UIDs of all known namespaces.
    pub(crate) fn existing(&self) -> impl Iterator<Item = Uid> {
        self.known.values().map(|known| known.uid)
    }

    fn tags(&self, name: &str) -> Option<Arc<Tags>> {
        self.known.get(name).map(|known| known.tags.clone())
    }
}

impl Tracker {
    /// A version of a namespace.
    pub(super) fn namespace(&mut self, namespace: &model::Namespace, scope: u16) {
        let tags = self.pools.tags(&namespace.metadata);
        self.namespaces.seen(namespace, tags, scope);
    }

    /// The attributes of a Job as last observed. A Job may have many Pods: the failed one that was created last, else the one
    /// that was created last, gives its attributes.
    pub(super) fn extracted(&self, record: &JobRecord) -> Extracted {
        Extracted {
            job: record.tags.clone(),
            pod: record.describing_pod(),
            cronjob: record
                .owner
                .as_ref()
                .filter(|owner| owner.is_cronjob())
                .and_then(|owner| self.cronjobs.tags(Uid::new(&owner.uid))),
            namespace: self.namespaces.tags(&record.namespace),
        }
    }

    /// The attributes of a CronJob.
    pub(super) fn extracted_of_cronjob(&self, uid: Uid, namespace: &str) -> Extracted {
        Extracted {
            cronjob: self.cronjobs.tags(uid),
            namespace: self.namespaces.tags(namespace),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(attributes: &[(&str, &str)]) -> Option<Arc<Tags>> {
        let attribute = |(name, value): &(&str, &str)| Attribute {
            name: (*name).into(),
            value: (*value).into(),
        };
        let extracted = attributes.iter().map(attribute).collect();
        Some(Arc::new(Tags {
            extracted,
            ..Default::default()
        }))
    }

    #[test]
    fn the_job_wins_over_cronjob_and_namespace() {
        let extracted = Extracted {
            job: tags(&[("b", "job")]),
            pod: None,
            cronjob: tags(&[("b", "cronjob"), ("c", "cronjob")]),
            namespace: tags(&[("a", "namespace"), ("b", "namespace"), ("c", "namespace")]),
        };
        let merged = extracted.merged();
        let merged: Vec<(&str, &str)> = merged.iter().map(|found| (&*found.name, &*found.value)).collect();
        assert_eq!(merged, [("a", "namespace"), ("b", "job"), ("c", "cronjob")]);
        for (name, value) in merged {
            assert_eq!(extracted.get(name), Some(value));
        }
        assert_eq!(extracted.get("d"), None);
    }

    #[test]
    fn remembers_a_bounded_number_of_deleted_namespaces() {
        let mut namespaces = Namespaces::default();
        for n in 0..GONE + 10 {
            let mut namespace = model::Namespace::default();
            namespace.metadata.name = format!("n{n}").into();
            namespace.metadata.uid = format!("u{n}").into();
            namespaces.seen(&namespace, tags(&[("a", "b")]), 0);
            namespaces.gone(Uid::new(&namespace.metadata.uid));
            namespaces.gone(Uid::new(&namespace.metadata.uid));
        }
        assert_eq!((namespaces.known.len(), namespaces.gone.len()), (GONE, GONE));
        assert_eq!(namespaces.tags("n0"), None);
        assert!(namespaces.tags("n265").is_some());
    }
}
