//! Generated Jobs, for tests that count them.

use super::objects;
use super::scenario::{AttemptScript, Scenario};
use crate::ids::Ids;
use crate::resource::{ChangeType, Resource};
use crate::timeline::TimelineStep;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// The end of a generated Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The only attempt fails.
    Failed,
    /// All three attempts fail.
    RetriesExhausted,
    /// The Job exceeds its deadline.
    DeadlineExceeded,
    /// The Job succeeds.
    Succeeded,
    /// The second attempt succeeds.
    SucceededAfterRetry,
    /// The Job is deleted while it runs, and never gets a verdict.
    Deleted,
}

impl Ending {
    /// Every end.
    pub const ALL: [Ending; 6] = [
        Ending::Failed,
        Ending::RetriesExhausted,
        Ending::DeadlineExceeded,
        Ending::Succeeded,
        Ending::SucceededAfterRetry,
        Ending::Deleted,
    ];

    fn attempts(self) -> Vec<AttemptScript> {
        let exit = |code| AttemptScript::Exit {
            after: Duration::from_secs(2),
            code,
            message: None,
        };
        match self {
            Ending::Failed | Ending::RetriesExhausted => vec![exit(3)],
            Ending::DeadlineExceeded | Ending::Deleted => vec![AttemptScript::Forever { on_sigterm: Some(143) }],
            Ending::Succeeded => vec![exit(0)],
            Ending::SucceededAfterRetry => vec![exit(1), exit(0)],
        }
    }
}

/// One Job and everything that happens to it.
#[derive(Clone, Debug)]
pub struct GeneratedJob {
    /// The UID of the Job.
    pub uid: String,
    /// The name of the Job.
    pub name: String,
    /// The end of the Job.
    pub ending: Ending,
    /// The versions of the Job, its Pods and Events, from its creation on.
    pub steps: Vec<TimelineStep>,
}

/// Generates Jobs in one namespace, in a cluster that is faster than real ones.
#[derive(Debug)]
pub struct JobGenerator {
    ids: Ids,
    namespace: String,
    pace: u32,
    /// The owner of some of the Jobs.
    cron: Value,
}

impl JobGenerator {
    /// A generator; `pace` is the speed, as a multiple of a real cluster's.
    pub fn new(namespace: &str, pace: u32, start: Timestamp, mut ids: Ids) -> JobGenerator {
        let manifest = json!({
            "metadata": {"name": "recurring"},
            // Its runs are created by hand, so none of its slots is due.
            "spec": {"schedule": "* * * * *", "suspend": true, "jobTemplate": {"spec": spec(Ending::Failed, None)}},
        });
        let created = start.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        JobGenerator {
            cron: objects::cron_job(&manifest, namespace, &created, &mut ids),
            ids,
            namespace: namespace.to_owned(),
            pace,
        }
    }

    /// The creation of the CronJob `recurring`.
    pub fn cron_job(&self) -> TimelineStep {
        TimelineStep {
            at: Duration::ZERO,
            resource: Resource::CronJobs,
            change: ChangeType::Added,
            object: self.cron.clone(),
        }
    }

    /// A Job that is created at `start`. With `ttl`, it is deleted after this many (fast) seconds.
    pub fn job(&mut self, name: &str, ending: Ending, ttl: Option<u64>, start: Timestamp) -> GeneratedJob {
        let manifest = json!({"metadata": {"name": name}, "spec": spec(ending, ttl)});
        self.play(manifest, ending, start)
    }

    /// A run of the CronJob, otherwise as [`job`](JobGenerator::job).
    pub fn run(&mut self, name: &str, ending: Ending, ttl: Option<u64>, start: Timestamp) -> GeneratedJob {
        let owner = objects::owner("CronJob", &self.cron);
        let manifest = json!({"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec(ending, ttl)});
        self.play(manifest, ending, start)
    }

    pub(super) fn ids(&mut self) -> &mut Ids {
        &mut self.ids
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A Job with this metadata.
    pub(super) fn owned(&mut self, metadata: Value, ending: Ending, start: Timestamp) -> GeneratedJob {
        let manifest = json!({"metadata": metadata, "spec": spec(ending, None)});
        self.play(manifest, ending, start)
    }

    fn play(&mut self, manifest: Value, ending: Ending, start: Timestamp) -> GeneratedJob {
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let scenario = Scenario {
            name: name.clone(),
            namespace: self.namespace.clone(),
            manifest,
            attempts: ending.attempts(),
        };
        let mut steps = scenario.timeline_at(self.pace, start, &mut self.ids);
        if ending == Ending::Deleted {
            delete_all(&mut steps);
        }
        let job = steps.iter().find(|step| step.resource == Resource::Jobs);
        let uid = job.and_then(|job| job.object["metadata"]["uid"].as_str());
        GeneratedJob {
            uid: uid.unwrap_or_default().to_owned(),
            name,
            ending,
            steps,
        }
    }
}

/// Deletes the Job and its Pods after the last step, the Job first, as `kubectl delete` in the background does.
fn delete_all(steps: &mut Vec<TimelineStep>) {
    let at = steps.last().map_or(Duration::ZERO, |step| step.at);
    for resource in [Resource::Jobs, Resource::Pods] {
        let last = steps.iter().rev().find(|step| step.resource == resource).cloned();
        steps.extend(last.map(|step| TimelineStep {
            at,
            change: ChangeType::Deleted,
            ..step
        }));
    }
}

fn spec(ending: Ending, ttl: Option<u64>) -> Value {
    let mut spec = json!({
        "backoffLimit": if matches!(ending, Ending::RetriesExhausted | Ending::SucceededAfterRetry) { 2 } else { 0 },
        "template": {"spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "IfNotPresent"}],
        }},
    });
    if ending == Ending::DeadlineExceeded {
        spec["activeDeadlineSeconds"] = 5.into();
    }
    if let Some(ttl) = ttl {
        spec["ttlSecondsAfterFinished"] = ttl.into();
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn conditions(job: &GeneratedJob) -> Vec<String> {
        let versions = job.steps.iter().filter(|step| step.resource == Resource::Jobs);
        let last = versions
            .max_by_key(|step| step.at)
            .map(|step| &step.object["status"]["conditions"]);
        last.and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|condition| condition["type"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn count(job: &GeneratedJob, resource: Resource, change: ChangeType) -> usize {
        job.steps
            .iter()
            .filter(|step| step.resource == resource && step.change == change)
            .count()
    }

    #[test]
    fn each_job_ends_as_requested() {
        let mut jobs = JobGenerator::new("n", 1, start(), Ids::new(1));
        for (ending, expected, pods) in [
            (Ending::Failed, &["FailureTarget", "Failed"][..], 1),
            (Ending::RetriesExhausted, &["FailureTarget", "Failed"], 3),
            (Ending::DeadlineExceeded, &["FailureTarget", "Failed"], 1),
            (Ending::Succeeded, &["SuccessCriteriaMet", "Complete"], 1),
            (Ending::SucceededAfterRetry, &["SuccessCriteriaMet", "Complete"], 2),
            (Ending::Deleted, &[], 1),
        ] {
            let job = jobs.job("j", ending, None, start());
            assert_eq!(conditions(&job), expected, "{ending:?}");
            assert_eq!(count(&job, Resource::Pods, ChangeType::Added), pods, "{ending:?}");
            let deleted = usize::from(ending == Ending::Deleted);
            assert_eq!(count(&job, Resource::Jobs, ChangeType::Deleted), deleted, "{ending:?}");
        }
    }

    #[test]
    fn a_fast_cluster_takes_less_time() {
        let slow = JobGenerator::new("n", 1, start(), Ids::new(1)).run("j", Ending::RetriesExhausted, Some(0), start());
        let fast =
            JobGenerator::new("n", 20, start(), Ids::new(1)).run("j", Ending::RetriesExhausted, Some(0), start());
        assert_eq!(slow.uid, fast.uid);
        assert_eq!(slow.steps.len(), fast.steps.len());
        for (slow, fast) in slow.steps.iter().zip(&fast.steps) {
            assert_eq!(
                (slow.at / 20, slow.resource, slow.change),
                (fast.at, fast.resource, fast.change)
            );
        }
        let failed = |job: &GeneratedJob| {
            let last = job.steps.iter().rfind(|step| step.resource == Resource::Jobs);
            let conditions = last.map(|step| &step.object["status"]["conditions"]);
            let time = conditions.and_then(|conditions| conditions[1]["lastTransitionTime"].as_str());
            time.unwrap_or_default().to_owned()
        };
        let (slow, fast) = (failed(&slow), failed(&fast));
        assert!(*slow > *"1970-01-01T00:00:30Z", "{slow}");
        assert!(*fast < *"1970-01-01T00:00:03Z" && !fast.is_empty(), "{fast}");
    }

    #[test]
    fn uids_are_unique() {
        let mut jobs = JobGenerator::new("n", 20, start(), Ids::new(1));
        let mut uids: Vec<String> = (0..100)
            .map(|_| jobs.run("j", Ending::Failed, Some(0), start()).uid)
            .collect();
        uids.sort();
        uids.dedup();
        assert_eq!(uids.len(), 100);
    }
}
