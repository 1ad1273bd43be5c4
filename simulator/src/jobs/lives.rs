//! Very many small Jobs, each with a life of its own, for tests that count them.

use super::objects;
use super::scenario::{Attempt, Scenario};
use crate::ids::Ids;
use crate::resource::{ChangeType, Resource};
use crate::timeline::Step;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// How a Job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its only attempt fails.
    Fails,
    /// All of its three attempts fail.
    FailsAfterRetries,
    /// It runs past its deadline.
    MissesDeadline,
    /// It succeeds.
    Succeeds,
    /// It succeeds at the second attempt.
    SucceedsAfterRetry,
    /// Somebody deletes it while it runs, so that it never gets a verdict.
    Deleted,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Fate; 6] = [
        Fate::Fails,
        Fate::FailsAfterRetries,
        Fate::MissesDeadline,
        Fate::Succeeds,
        Fate::SucceedsAfterRetry,
        Fate::Deleted,
    ];

    fn attempts(self) -> Vec<Attempt> {
        let exit = |code| Attempt::Exit {
            after: Duration::from_secs(2),
            code,
            message: None,
        };
        match self {
            Fate::Fails | Fate::FailsAfterRetries => vec![exit(3)],
            Fate::MissesDeadline | Fate::Deleted => vec![Attempt::Forever { on_sigterm: Some(143) }],
            Fate::Succeeds => vec![exit(0)],
            Fate::SucceedsAfterRetry => vec![exit(1), exit(0)],
        }
    }
}

/// One Job and what becomes of it.
#[derive(Clone, Debug)]
pub struct Life {
    /// The UID of the Job.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// How it ends.
    pub fate: Fate,
    /// What happens, from its creation on.
    pub steps: Vec<Step>,
}

/// Makes Jobs in one namespace, in a cluster that is faster than real ones.
#[derive(Debug)]
pub struct Lives {
    ids: Ids,
    namespace: String,
    pace: u32,
    /// The CronJob whose runs some of them are.
    cron: Value,
}

impl Lives {
    /// `pace`: how many times faster than in a real cluster everything happens.
    pub fn new(namespace: &str, pace: u32, start: Timestamp, mut ids: Ids) -> Lives {
        let manifest = json!({
            "metadata": {"name": "recurring"},
            "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": spec(Fate::Fails, None)}},
        });
        let created = start.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Lives {
            cron: objects::cron_job(&manifest, namespace, &created, &mut ids),
            ids,
            namespace: namespace.to_owned(),
            pace,
        }
    }

    /// The CronJob `recurring`, which is there from the beginning.
    pub fn cron_job(&self) -> Step {
        Step {
            at: Duration::ZERO,
            resource: Resource::CronJobs,
            change: ChangeType::Added,
            object: self.cron.clone(),
        }
    }

    /// A Job that is created at `start`. With `ttl`, it is deleted that many (fast) seconds after its end.
    pub fn job(&mut self, name: &str, fate: Fate, ttl: Option<u64>, start: Timestamp) -> Life {
        let manifest = json!({"metadata": {"name": name}, "spec": spec(fate, ttl)});
        self.play(manifest, fate, start)
    }

    /// The same, as a run of the CronJob.
    pub fn run(&mut self, name: &str, fate: Fate, ttl: Option<u64>, start: Timestamp) -> Life {
        let owner = json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": self.cron["metadata"]["name"],
            "uid": self.cron["metadata"]["uid"],
            "controller": true,
            "blockOwnerDeletion": true,
        });
        let manifest = json!({"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec(fate, ttl)});
        self.play(manifest, fate, start)
    }

    fn play(&mut self, manifest: Value, fate: Fate, start: Timestamp) -> Life {
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let scenario = Scenario {
            name: name.clone(),
            about: String::new(),
            namespace: self.namespace.clone(),
            manifest,
            attempts: fate.attempts(),
        };
        let mut steps = scenario.timeline_at(self.pace, start, &mut self.ids);
        if fate == Fate::Deleted {
            delete_all(&mut steps);
        }
        let job = steps.iter().find(|step| step.resource == Resource::Jobs);
        let uid = job.and_then(|job| job.object["metadata"]["uid"].as_str());
        Life {
            uid: uid.unwrap_or_default().to_owned(),
            name,
            fate,
            steps,
        }
    }
}

/// The Job and its Pods are deleted after the last step, the Job first, as `kubectl delete` in the background does.
fn delete_all(steps: &mut Vec<Step>) {
    let at = steps.last().map_or(Duration::ZERO, |step| step.at);
    for resource in [Resource::Jobs, Resource::Pods] {
        let last = steps.iter().rev().find(|step| step.resource == resource).cloned();
        steps.extend(last.map(|step| Step {
            at,
            change: ChangeType::Deleted,
            ..step
        }));
    }
}

fn spec(fate: Fate, ttl: Option<u64>) -> Value {
    let mut spec = json!({
        "backoffLimit": if matches!(fate, Fate::FailsAfterRetries | Fate::SucceedsAfterRetry) { 2 } else { 0 },
        "template": {"spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "IfNotPresent"}],
        }},
    });
    if fate == Fate::MissesDeadline {
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

    fn conditions(life: &Life) -> Vec<String> {
        let jobs = life.steps.iter().filter(|step| step.resource == Resource::Jobs);
        let last = jobs
            .max_by_key(|step| step.at)
            .map(|step| &step.object["status"]["conditions"]);
        last.and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|condition| condition["type"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn count(life: &Life, resource: Resource, change: ChangeType) -> usize {
        life.steps
            .iter()
            .filter(|step| step.resource == resource && step.change == change)
            .count()
    }

    #[test]
    fn each_fate_ends_as_told() {
        let mut lives = Lives::new("n", 1, start(), Ids::new(1));
        for (fate, expected, pods) in [
            (Fate::Fails, &["FailureTarget", "Failed"][..], 1),
            (Fate::FailsAfterRetries, &["FailureTarget", "Failed"], 3),
            (Fate::MissesDeadline, &["FailureTarget", "Failed"], 1),
            (Fate::Succeeds, &["SuccessCriteriaMet", "Complete"], 1),
            (Fate::SucceedsAfterRetry, &["SuccessCriteriaMet", "Complete"], 2),
            (Fate::Deleted, &[], 1),
        ] {
            let life = lives.job("j", fate, None, start());
            assert_eq!(conditions(&life), expected, "{fate:?}");
            assert_eq!(count(&life, Resource::Pods, ChangeType::Added), pods, "{fate:?}");
            let deleted = usize::from(fate == Fate::Deleted);
            assert_eq!(count(&life, Resource::Jobs, ChangeType::Deleted), deleted, "{fate:?}");
        }
    }

    #[test]
    fn a_fast_cluster_does_the_same_in_less_time() {
        let slow = Lives::new("n", 1, start(), Ids::new(1)).run("j", Fate::FailsAfterRetries, Some(0), start());
        let fast = Lives::new("n", 20, start(), Ids::new(1)).run("j", Fate::FailsAfterRetries, Some(0), start());
        assert_eq!(slow.uid, fast.uid);
        assert_eq!(slow.steps.len(), fast.steps.len());
        for (slow, fast) in slow.steps.iter().zip(&fast.steps) {
            assert_eq!(
                (slow.at / 20, slow.resource, slow.change),
                (fast.at, fast.resource, fast.change)
            );
        }
        let failed = |life: &Life| {
            let last = life.steps.iter().rfind(|step| step.resource == Resource::Jobs);
            let conditions = last.map(|step| &step.object["status"]["conditions"]);
            let time = conditions.and_then(|conditions| conditions[1]["lastTransitionTime"].as_str());
            time.unwrap_or_default().to_owned()
        };
        let (slow, fast) = (failed(&slow), failed(&fast));
        assert!(*slow > *"1970-01-01T00:00:30Z", "{slow}");
        assert!(*fast < *"1970-01-01T00:00:03Z" && !fast.is_empty(), "{fast}");
    }

    #[test]
    fn no_two_have_one_uid() {
        let mut lives = Lives::new("n", 20, start(), Ids::new(1));
        let mut uids: Vec<String> = (0..100)
            .map(|_| lives.run("j", Fate::Fails, Some(0), start()).uid)
            .collect();
        uids.sort();
        uids.dedup();
        assert_eq!(uids.len(), 100);
    }
}
