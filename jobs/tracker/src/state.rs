//! The Jobs' states, summed for each owner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use job_event::evidence::{CronJob, Job, JobOwner, OwnerRule, ServiceTags};
use job_judge::Cause;

use super::extracted::Extracted;
use super::job::JobRecord;
use super::time::Time;

/// Sums over Jobs of one owner; the names are those of the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `status.active`.
    pub active: i64,
    /// `status.failed`.
    pub failed: i64,
    /// `status.succeeded`.
    pub successful: i64,
    /// `spec.completions`.
    pub desired_successful: i64,
    /// `spec.parallelism`.
    pub max_parallel: i64,
}

/// The state of all Jobs of one owner.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerState {
    owner: OwnerKey,
    /// The sums.
    pub counts: Counts,
    /// The number of stalled Jobs by cause: those that are reported, and whose stall lasts; 0 once after the last one.
    pub stalled: BTreeMap<Cause, i64>,
    /// The labels and annotations that rules select, of the Job that was created last.
    pub extracted: Extracted,
}

/// Everything that `job_event::otlp::owner_resource` puts on the resource, in the order of the owners.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OwnerKey {
    namespace: Arc<str>,
    kind: OwnerKind,
    name: Box<str>,
    /// The tags `env`, `service` and `version`; few Jobs have them.
    tags: Option<Box<[Option<Box<str>>; 3]>>,
}

/// The kinds of owners, which have different resources for the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OwnerKind {
    Name,
    CronJob,
    /// Another object, of this kind.
    Controller(Box<str>),
}

impl OwnerState {
    /// A Job with only the fields that make its owner's resource.
    pub fn job(&self) -> Job {
        let OwnerKey {
            namespace,
            kind,
            name,
            tags,
        } = &self.owner;
        let tags = tags.as_deref().cloned();
        let mut job = Job {
            namespace: (**namespace).into(),
            service_tags: tags.map(|[env, service, version]| Box::new(ServiceTags { env, service, version })),
            ..Default::default()
        };
        match kind {
            OwnerKind::Name => job.name = name.clone(),
            OwnerKind::CronJob => {
                job.cronjob = Some(Box::new(CronJob {
                    name: name.clone(),
                    ..Default::default()
                }));
            }
            OwnerKind::Controller(kind) => {
                job.owner = Some(Box::new(JobOwner {
                    rule: OwnerRule::Controller,
                    kind: kind.clone(),
                    name: name.clone(),
                }));
            }
        }
        job
    }
}

/// The owners of stalled Jobs, with their causes.
#[derive(Debug, Default)]
pub(crate) struct StalledOwners(BTreeMap<OwnerKey, (BTreeSet<Cause>, Extracted)>);

/// The sums of one owner, and its newest Job.
#[derive(Debug, Default)]
struct Owned {
    counts: Counts,
    newest: Time,
    extracted: Extracted,
}

/// The states of several owners.
#[derive(Debug, Default)]
pub(crate) struct States {
    owners: BTreeMap<OwnerKey, Owned>,
    /// Those of them with stalled Jobs.
    stalled: BTreeMap<OwnerKey, BTreeMap<Cause, i64>>,
}

impl States {
    /// Adds a Job to its owner's sums, with the cause of a reported stall that lasts. The active Pods of an ended Job do not
    /// count.
    pub(crate) fn add(&mut self, job: &JobRecord, extracted: Extracted, ended: bool, stalled: Option<Cause>) {
        let tags = job.tags.as_deref().map(|tags| tags.service.clone()).unwrap_or_default();
        let kind = match job.owner.as_deref() {
            Some(owner) if owner.is_cronjob() => OwnerKind::CronJob,
            Some(owner) if !owner.kind.is_empty() => OwnerKind::Controller(owner.kind.clone()),
            _ => OwnerKind::Name,
        };
        let name = job.owner.as_ref().map_or(&job.name, |owner| &owner.name);
        // A label with the default service makes no other resource.
        let service = tags.service.filter(|service| service != name);
        let owner = OwnerKey {
            namespace: job.namespace.clone(),
            kind,
            name: name.clone(),
            tags: Some([tags.env, service, tags.version])
                .filter(|tags| tags.iter().any(Option::is_some))
                .map(Box::new),
        };
        if let Some(cause) = stalled {
            let causes = self.stalled.entry(owner.clone()).or_default();
            *causes.entry(cause).or_default() += 1;
        }
        let owned = self.owners.entry(owner).or_default();
        if job.created >= owned.newest {
            (owned.newest, owned.extracted) = (job.created, extracted);
        }
        let counts = &mut owned.counts;
        counts.active += if ended { 0 } else { i64::from(job.active) };
        counts.failed += i64::from(job.failed);
        counts.successful += i64::from(job.succeeded);
        // Absent `completions`: a work queue, which completes when any Pod does (`pkg/apis/batch/types.go`).
        counts.desired_successful += i64::from(job.spec.completions.unwrap_or(0));
        counts.max_parallel += i64::from(job.spec.parallelism.unwrap_or(1));
    }

    /// Adds a 0 for each owner and cause of the last call that has no stalled Job any more.
    pub(crate) fn add_over(&mut self, last: &mut StalledOwners) {
        let stalled = self.stalled.iter().map(|(owner, causes)| {
            let extracted = self.owners.get(owner).map(|owned| owned.extracted.clone());
            let causes = causes.keys().copied().collect();
            (owner.clone(), (causes, extracted.unwrap_or_default()))
        });
        let stalled = stalled.collect();
        for (owner, (causes, extracted)) in std::mem::replace(&mut last.0, stalled) {
            // The last point has the attributes of the points before it.
            self.owners.entry(owner.clone()).or_insert_with(|| Owned {
                extracted,
                ..Default::default()
            });
            let now = self.stalled.entry(owner).or_default();
            for cause in causes {
                now.entry(cause).or_insert(0);
            }
        }
    }

    /// The sums, in the order of the owners.
    pub(crate) fn into_states(self) -> impl ExactSizeIterator<Item = OwnerState> + Send + use<> {
        let mut all_stalled = self.stalled;
        self.owners.into_iter().map(move |(owner, owned)| OwnerState {
            stalled: all_stalled.remove(&owner).unwrap_or_default(),
            owner,
            counts: owned.counts,
            extracted: owned.extracted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(names: &[(&str, Cause)], last: &mut StalledOwners) -> Vec<(Box<str>, Cause, i64)> {
        let mut states = States::default();
        for (name, cause) in names {
            let owner = OwnerKey {
                namespace: "n".into(),
                kind: OwnerKind::CronJob,
                name: (*name).into(),
                tags: None,
            };
            states.owners.entry(owner.clone()).or_default();
            let causes = states.stalled.entry(owner).or_default();
            *causes.entry(*cause).or_default() += 1;
        }
        states.add_over(last);
        let flat = |state: OwnerState| {
            let name = state.owner.name;
            state
                .stalled
                .into_iter()
                .map(move |(cause, count)| (name.clone(), cause, count))
        };
        states.into_states().flat_map(flat).collect()
    }

    #[test]
    fn a_stall_that_is_over_is_zero_once() {
        let mut last = StalledOwners::default();
        let (image, quota) = (Cause::ImagePull, Cause::QuotaExceeded);
        let both = states(&[("a", image), ("a", image), ("b", quota)], &mut last);
        assert_eq!(both, [("a".into(), image, 2), ("b".into(), quota, 1)]);
        let other = states(&[("a", quota)], &mut last);
        assert_eq!(
            other,
            [("a".into(), quota, 1), ("a".into(), image, 0), ("b".into(), quota, 0)]
        );
        assert_eq!(states(&[], &mut last), [("a".into(), quota, 0)]);
        assert_eq!(states(&[], &mut last), []);
    }
}
