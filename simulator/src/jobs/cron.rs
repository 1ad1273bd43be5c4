//! The CronJob controller, for one run (`pkg/controller/cronjob/cronjob_controllerv2.go`).

use super::events::{EventSource, Note};
use super::objects;
use super::run::{ScenarioRun, ms};
use crate::resource::{ChangeType, Resource};
use serde_json::{Value, json};
use std::time::Duration;

/// The CronJob that owns the Job.
#[derive(Debug)]
pub(super) struct Cron {
    object: Value,
    /// The scheduled time of the run: the full minute before the Job is created.
    scheduled: String,
}

impl ScenarioRun<'_> {
    /// Creates the CronJob; returns the time until its Job is due.
    pub(super) fn create_cron_job(&mut self) -> Duration {
        let due = ms(2000);
        let created = self.time(ms(0));
        let object = objects::cron_job(&self.scenario.manifest, &self.scenario.namespace, &created, self.ids);
        self.write(ms(0), Resource::CronJobs, ChangeType::Added, &object);
        let scheduled = self
            .timestamp(self.now + due)
            .strftime("%Y-%m-%dT%H:%M:00Z")
            .to_string();
        self.cron = Some(Cron { object, scheduled });
        due
    }

    /// The manifest of the Job of this run, if a CronJob creates it.
    pub(super) fn cron_job_run(&self) -> Option<Value> {
        let cron = self.cron.as_ref()?;
        let name = cron.object["metadata"]["name"].as_str().unwrap_or_default();
        let minute = self.timestamp(self.now).as_second() / 60;
        let template = &cron.object["spec"]["jobTemplate"];
        let mut metadata = template["metadata"].clone();
        metadata["name"] = format!("{name}-{minute}").into();
        metadata["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] = cron.scheduled.as_str().into();
        metadata["ownerReferences"] = json!([objects::owner("CronJob", &cron.object)]);
        Some(json!({"metadata": metadata, "spec": template["spec"]}))
    }

    /// Adds the Job to the list of active ones.
    pub(super) fn cron_job_started(&mut self) {
        let job = self.job.object["metadata"].clone();
        let Some(cron) = &mut self.cron else { return };
        let active = json!({
            "kind": "Job",
            "namespace": job["namespace"],
            "name": job["name"],
            "uid": job["uid"],
            "apiVersion": "batch/v1",
        });
        cron.object["status"] = json!({"active": [active], "lastScheduleTime": cron.scheduled});
        let object = cron.object.clone();
        self.write(ms(7), Resource::CronJobs, ChangeType::Modified, &object);
        let name = job["name"].as_str().unwrap_or_default();
        self.cron_event(ms(8), "SuccessfulCreate", &format!("Created job {name}"));
    }

    /// Removes the finished Job from the list; returns true if a history limit of 0 deletes it.
    pub(super) fn cron_job_finished(&mut self, after: Duration, succeeded: bool) -> bool {
        let Some(cron) = &mut self.cron else { return false };
        let limit = if succeeded {
            "successfulJobsHistoryLimit"
        } else {
            "failedJobsHistoryLimit"
        };
        let deleted = cron.object["spec"][limit] == 0;
        cron.object["status"] = json!({"lastScheduleTime": cron.scheduled});
        let object = cron.object.clone();
        let name = self.job.object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if deleted {
            self.write_job_object(after, ChangeType::Deleted);
            self.cron_event(after + ms(9), "SuccessfulDelete", &format!("Deleted job {name}"));
        } else {
            let condition = if succeeded { "Complete" } else { "Failed" };
            let message = format!("Saw completed job: {name}, condition: {condition}");
            self.cron_event(after + ms(9), "SawCompletedJob", &message);
        }
        self.write(after + ms(12), Resource::CronJobs, ChangeType::Modified, &object);
        if deleted {
            self.delete_finished_pods(after + ms(13));
        }
        deleted
    }

    fn cron_event(&mut self, after: Duration, reason: &str, message: &str) {
        let Some(cron) = self.cron.as_ref().map(|cron| cron.object.clone()) else {
            return;
        };
        let note = Note::normal(EventSource::CronJobController, reason, message);
        self.event(after, Resource::CronJobs, &cron, &note);
    }
}
