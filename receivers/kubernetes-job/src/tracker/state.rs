//! The Jobs' states, summed for each owner.

use std::collections::BTreeMap;

use job_event::evidence::{Job, ServiceTags};

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
    /// What of a Job makes its owner's resource; nothing else is filled in.
    pub job: Job,
    /// The sums.
    pub counts: Counts,
}

/// Everything that `job_event::otlp::owner_resource` puts on the resource.
type Owner = (Box<str>, bool, Box<str>, [Option<Box<str>>; 3]);

/// The states of several owners.
#[derive(Debug, Default)]
pub struct States {
    owners: BTreeMap<Owner, OwnerState>,
}

impl States {
    /// Adds a Job to its owner's sums. One that has ended has no active Pods any more that count.
    pub fn add(&mut self, job: &Job, ended: bool) {
        let name = job.cronjob.as_ref().map_or(&job.name, |cronjob| &cronjob.name);
        let tags = job.service_tags.as_deref().cloned().unwrap_or_default();
        let ServiceTags { env, service, version } = tags;
        let owner = (
            job.namespace.clone(),
            job.cronjob.is_some(),
            name.clone(),
            [env, service, version],
        );
        let state = self.owners.entry(owner).or_insert_with(|| OwnerState {
            job: Job {
                namespace: job.namespace.clone(),
                name: job.name.clone(),
                cronjob: job.cronjob.clone(),
                service_tags: job.service_tags.clone(),
                ..Default::default()
            },
            counts: Counts::default(),
        });
        let counts = &mut state.counts;
        counts.active += if ended { 0 } else { i64::from(job.status.active) };
        counts.failed += i64::from(job.status.failed);
        counts.successful += i64::from(job.status.succeeded);
        // Absent `completions`: a work queue, which completes when any Pod does (`pkg/apis/batch/types.go`).
        counts.desired_successful += i64::from(job.spec.completions.unwrap_or(0));
        counts.max_parallel += i64::from(job.spec.parallelism.unwrap_or(1));
    }

    /// The sums, in the order of the owners.
    pub fn into_vec(self) -> Vec<OwnerState> {
        self.owners.into_values().collect()
    }
}
