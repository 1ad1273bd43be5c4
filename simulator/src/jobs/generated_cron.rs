//! Generated CronJobs, whose runs a test starts or skips (`pkg/controller/cronjob/cronjob_controllerv2.go`).

use super::generator::{Ending, GeneratedJob, JobGenerator};
use super::objects;
use crate::resource::{ChangeType, Resource};
use crate::timeline::TimelineStep;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// A CronJob.
#[derive(Clone, Debug)]
pub struct GeneratedCronJob {
    object: Value,
    /// The Event about skipped runs.
    skipped: Option<Value>,
}

impl GeneratedCronJob {
    /// The name.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The UID.
    pub fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap_or_default()
    }

    /// Its creation.
    pub fn created(&self) -> TimelineStep {
        step(Resource::CronJobs, ChangeType::Added, self.object.clone())
    }

    /// Its deletion.
    pub fn deleted(&self) -> TimelineStep {
        step(Resource::CronJobs, ChangeType::Deleted, self.object.clone())
    }

    /// The controller's write after it created the Job of a slot.
    pub fn scheduled(&mut self, slot: Timestamp, job: &GeneratedJob) -> TimelineStep {
        self.object["status"] = json!({
            "active": [{
                "apiVersion": "batch/v1",
                "kind": "Job",
                "namespace": self.object["metadata"]["namespace"],
                "name": job.name,
                "uid": job.uid,
            }],
            "lastScheduleTime": time(slot),
        });
        step(Resource::CronJobs, ChangeType::Modified, self.object.clone())
    }
}

impl JobGenerator {
    /// A CronJob with that schedule that is created at `start`.
    pub fn cron_job_with(&mut self, name: &str, schedule: &str, policy: &str, start: Timestamp) -> GeneratedCronJob {
        let manifest = json!({
            "metadata": {"name": name},
            "spec": {
                "schedule": schedule,
                "concurrencyPolicy": policy,
                "successfulJobsHistoryLimit": 1000,
                "failedJobsHistoryLimit": 1000,
                "jobTemplate": {"spec": {"template": {"spec": {}}}},
            },
        });
        let namespace = self.namespace().to_owned();
        GeneratedCronJob {
            object: objects::cron_job(&manifest, &namespace, &time(start), self.ids()),
            skipped: None,
        }
    }

    /// The run of a CronJob for a slot, otherwise as [`job`](JobGenerator::job).
    pub fn run_for(
        &mut self,
        cronjob: &GeneratedCronJob,
        slot: Timestamp,
        ending: Ending,
        start: Timestamp,
    ) -> GeneratedJob {
        let metadata = json!({
            // Several slots of these CronJobs are in one minute, whose number the name of a real run has.
            "name": format!("{}-run-{}", cronjob.name(), slot.as_second()),
            "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": time(slot)},
            "ownerReferences": [objects::owner("CronJob", &cronjob.object)],
        });
        self.owned(metadata, ending, start)
    }

    /// The controller's Event that it starts no run at `now`, because the run before is active.
    pub fn skipped(&mut self, cronjob: &mut GeneratedCronJob, now: Timestamp) -> TimelineStep {
        if let Some(event) = &mut cronjob.skipped {
            event["count"] = (event["count"].as_i64().unwrap_or(1) + 1).into();
            event["lastTimestamp"] = time(now).into();
            return step(Resource::Events, ChangeType::Modified, event.clone());
        }
        let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
        let event = self.event_about(cronjob, "JobAlreadyActive", message, now);
        cronjob.skipped = Some(event.clone());
        step(Resource::Events, ChangeType::Added, event)
    }

    /// The controller's Event that it created a run at `now`.
    pub fn started(&mut self, cronjob: &GeneratedCronJob, run: &GeneratedJob, now: Timestamp) -> TimelineStep {
        let message = format!("Created job {}", run.name);
        let event = self.event_about(cronjob, "SuccessfulCreate", &message, now);
        step(Resource::Events, ChangeType::Added, event)
    }

    fn event_about(&mut self, cronjob: &GeneratedCronJob, reason: &str, message: &str, now: Timestamp) -> Value {
        let metadata = &cronjob.object["metadata"];
        json!({
            "metadata": {
                "name": format!("{}.{:016x}", cronjob.name(), self.ids().bits()),
                "namespace": metadata["namespace"],
                "uid": self.ids().uid(),
                "creationTimestamp": time(now),
            },
            "involvedObject": {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "source": {"component": "cronjob-controller"},
            "firstTimestamp": time(now),
            "lastTimestamp": time(now),
            "count": 1,
            "type": "Normal",
            "eventTime": null,
            "reportingComponent": "cronjob-controller",
            "reportingInstance": "",
        })
    }
}

fn step(resource: Resource, change: ChangeType, object: Value) -> TimelineStep {
    TimelineStep {
        at: Duration::ZERO,
        resource,
        change,
        object,
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ids;

    #[test]
    fn a_run_names_its_slot_and_its_cronjob() {
        let start = Timestamp::UNIX_EPOCH;
        let mut jobs = JobGenerator::new("n", 20, start, Ids::new(1));
        let mut cronjob = jobs.cron_job_with("c", "@every 1s", "Forbid", start);
        let run = jobs.run_for(&cronjob, start, Ending::Succeeded, start);
        let metadata = &run.steps[0].object["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["uid"], cronjob.uid());
        assert_eq!(
            metadata["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"],
            "1970-01-01T00:00:00Z"
        );
        let scheduled = cronjob.scheduled(start, &run);
        assert_eq!(scheduled.object["status"]["lastScheduleTime"], "1970-01-01T00:00:00Z");
        assert_eq!(scheduled.object["status"]["active"][0]["uid"], run.uid);
    }

    #[test]
    fn skipped_runs_share_an_event() {
        let start = Timestamp::UNIX_EPOCH;
        let mut jobs = JobGenerator::new("n", 20, start, Ids::new(1));
        let mut cronjob = jobs.cron_job_with("c", "@every 1s", "Forbid", start);
        let first = jobs.skipped(&mut cronjob, start);
        let second = jobs.skipped(&mut cronjob, Timestamp::constant(1, 0));
        assert_eq!((first.change, second.change), (ChangeType::Added, ChangeType::Modified));
        assert_eq!(first.object["metadata"]["uid"], second.object["metadata"]["uid"]);
        assert_eq!(second.object["count"], 2);
        assert_eq!(second.object["lastTimestamp"], "1970-01-01T00:00:01Z");
    }
}
