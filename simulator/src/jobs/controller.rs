//! The job controller: its writes, in their order (`pkg/controller/job/job_controller.go`).

use super::events::{EventSource, Note};
use super::objects::TRACKING;
use super::run::{PlannedAction, ScenarioRun, ms};
use crate::resource::{ChangeType, Resource};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The controller handles changes of Pods once a second (`SyncJobBatchPeriod`).
const BATCH_PERIOD: Duration = ms(1000);
/// The first delay before a replacement, doubled with each failure (`DefaultJobPodFailureBackOff`).
const BACKOFF: Duration = Duration::from_secs(10);
/// The longest delay (`MaxJobPodFailureBackOff`).
const MAX_BACKOFF: Duration = Duration::from_secs(600);

const BACKOFF_LIMIT_EXCEEDED: (&str, &str) = ("BackoffLimitExceeded", "Job has reached the specified backoff limit");
const DEADLINE_EXCEEDED: (&str, &str) = ("DeadlineExceeded", "Job was active longer than specified deadline");
const COMPLETIONS_REACHED: (&str, &str) = ("CompletionsReached", "Reached expected number of succeeded pods");

impl ScenarioRun<'_> {
    /// Plans a sync of the Job, unless one is planned already.
    pub(super) fn plan_sync(&mut self, after: Duration) {
        if !self.job.sync_planned {
            self.job.sync_planned = true;
            self.plan(after, PlannedAction::SyncJob);
        }
    }

    /// Plans a sync after a change of a Pod.
    pub(super) fn pod_changed(&mut self) {
        self.plan_sync(BATCH_PERIOD);
    }

    pub(super) fn sync_job(&mut self) {
        self.job.sync_planned = false;
        if self.job.finished {
            return;
        }
        if self.job.start_time.is_none() {
            self.job.start_time = Some(self.now);
            if let Some(deadline) = self.spec("activeDeadlineSeconds") {
                self.plan(Duration::from_secs(deadline), PlannedAction::SyncJob);
            }
            return self.create_pods();
        }
        let ready = self.pods.iter().filter(|pod| pod.ready && !pod.deleting).count();
        let terminating = self.pods.iter().filter(|pod| pod.deleting && !pod.terminal()).count();
        if self.job.verdict.is_some() {
            if terminating == 0 {
                // First the count of terminating Pods, then the final condition.
                self.job.terminating = 0;
                self.write_status(ms(0));
                self.finish_job(ms(10));
            }
            return;
        }
        self.collect_finished();
        if let Some(verdict) = self.verdict() {
            return self.fail_job(verdict);
        }
        let completions = usize::try_from(self.spec("completions").unwrap_or(1)).unwrap_or(usize::MAX);
        let active = self.pods.iter().filter(|pod| pod.active()).count();
        let succeeded = self.job.succeeded + self.job.uncounted_succeeded.len();
        let changed = (self.job.ready, self.job.terminating, self.job.active) != (ready, terminating, active);
        (self.job.ready, self.job.terminating, self.job.active) = (ready, terminating, active);
        if succeeded >= completions && active == 0 {
            self.job.verdict = Some(COMPLETIONS_REACHED);
            self.add_condition("SuccessCriteriaMet", COMPLETIONS_REACHED, ms(0));
            self.write_status(ms(0));
            self.release_and_count(ms(8));
            return self.finish_job(ms(15));
        }
        if !self.job.uncounted_failed.is_empty() || !self.job.uncounted_succeeded.is_empty() {
            self.write_status(ms(0));
            self.release_and_count(ms(12));
            self.write_status(ms(18));
        } else if changed {
            self.write_status(ms(0));
        }
        self.plan_replacement();
    }

    /// Creates the missing Pods.
    pub(super) fn create_pods(&mut self) {
        self.job.pod_planned = false;
        if self.job.verdict.is_some() {
            return;
        }
        let wanted = self.wanted();
        let mut active = self.pods.iter().filter(|pod| pod.active()).count();
        let first = self.pods.len();
        while active < wanted {
            self.create_pod();
            active += 1;
        }
        if self.pods.len() == first {
            return;
        }
        self.job.active = active;
        self.job.ready = self.pods.iter().filter(|pod| pod.ready && !pod.deleting).count();
        self.write_status(ms(2));
        for pod in first..self.pods.len() {
            let message = format!("Created pod: {}", self.pods[pod].name());
            self.job_event(ms(2), false, "SuccessfulCreate", &message);
        }
        self.pod_changed();
    }

    fn wanted(&self) -> usize {
        let number = |name| usize::try_from(self.spec(name).unwrap_or(1)).unwrap_or(usize::MAX);
        number("parallelism").min(number("completions").saturating_sub(self.job.succeeded))
    }

    fn plan_replacement(&mut self) {
        let active = self.pods.iter().filter(|pod| pod.active()).count();
        if active >= self.wanted() || self.job.pod_planned {
            return;
        }
        let last_failure = self
            .pods
            .iter()
            .filter(|pod| pod.failed())
            .filter_map(|pod| pod.finished_at)
            .max();
        let delay = match (u32::try_from(self.job.failed), last_failure) {
            (Ok(failed @ 1..), Some(finished)) => {
                let backoff = BACKOFF.saturating_mul(1 << (failed - 1).min(10)).min(MAX_BACKOFF);
                (finished + backoff).saturating_sub(self.now)
            }
            _ => ms(0),
        };
        self.job.pod_planned = true;
        self.plan(delay.max(ms(20)), PlannedAction::CreatePod);
    }

    /// Collects the terminal Pods that are not counted yet.
    fn collect_finished(&mut self) {
        for pod in self.pods.iter_mut().filter(|pod| !pod.counted && pod.terminal()) {
            pod.counted = true;
            if pod.failed() {
                self.job.uncounted_failed.push(pod.uid().to_owned());
            } else {
                self.job.uncounted_succeeded.push(pod.uid().to_owned());
            }
        }
    }

    /// The reason and message of a failure, if the Job has failed; the order of the checks is the controller's.
    fn verdict(&self) -> Option<(&'static str, &'static str)> {
        let limit = usize::try_from(self.spec("backoffLimit").unwrap_or(6)).unwrap_or(usize::MAX);
        let restarts: usize = self
            .pods
            .iter()
            .filter(|pod| pod.active())
            .map(|pod| pod.restarts)
            .sum();
        let restarts_exceed = self.restarts_on_failure() && restarts >= limit.max(1);
        if self.job.failed + self.job.uncounted_failed.len() > limit || restarts_exceed {
            return Some(BACKOFF_LIMIT_EXCEEDED);
        }
        let running = self.now.saturating_sub(self.job.start_time.unwrap_or(self.now));
        let deadline = self.spec("activeDeadlineSeconds").map(Duration::from_secs);
        deadline
            .filter(|deadline| running >= *deadline)
            .map(|_| DEADLINE_EXCEEDED)
    }

    /// Writes the verdict and deletes the Pods; the condition `Failed` follows once they are gone.
    fn fail_job(&mut self, verdict: (&'static str, &'static str)) {
        self.job.verdict = Some(verdict);
        let active: Vec<usize> = (0..self.pods.len()).filter(|pod| self.pods[*pod].active()).collect();
        for pod in &active {
            self.kill_pod(*pod);
            let pod = &mut self.pods[*pod];
            pod.counted = true;
            self.job.uncounted_failed.push(pod.uid().to_owned());
        }
        self.job.active = 0;
        self.job.ready = 0;
        self.job.terminating = self.pods.iter().filter(|pod| pod.deleting && !pod.terminal()).count();
        self.add_condition("FailureTarget", verdict, ms(0));
        self.write_status(ms(20));
        self.release_and_count(ms(100));
        for pod in &active {
            let message = format!("Deleted pod: {}", self.pods[*pod].name());
            self.job_event(ms(200), false, "SuccessfulDelete", &message);
        }
        if self.job.terminating == 0 {
            return self.finish_job(ms(130));
        }
        self.write_status(ms(130));
        // Pods without a node are gone as soon as their finalizer is.
        self.pod_changed();
    }

    /// Removes the finalizer of the counted Pods, and adds them to the counts.
    fn release_and_count(&mut self, after: Duration) {
        for index in 0..self.pods.len() {
            let pod = &mut self.pods[index];
            if !pod.counted || !pod.is_tracked() {
                continue;
            }
            if pod.deleting && !pod.scheduled {
                // The update that removes the last finalizer is not stored: watches see the version before it.
                pod.gone = true;
                self.write_pod(index, after, ChangeType::Deleted);
                continue;
            }
            if let Some(metadata) = pod.object["metadata"].as_object_mut() {
                metadata.remove("finalizers");
            }
            self.write_pod(index, after, ChangeType::Modified);
        }
        self.job.failed += std::mem::take(&mut self.job.uncounted_failed).len();
        self.job.succeeded += std::mem::take(&mut self.job.uncounted_succeeded).len();
    }

    fn finish_job(&mut self, after: Duration) {
        let Some(verdict) = self.job.verdict else { return };
        let succeeded = verdict == COMPLETIONS_REACHED;
        self.job.finished = true;
        if succeeded {
            self.job.completion_time = Some(self.now + after);
        }
        self.add_condition(if succeeded { "Complete" } else { "Failed" }, verdict, after);
        self.write_status(after);
        let event_after = after + ms(3);
        if succeeded {
            self.job_event(event_after, false, "Completed", "Job completed");
        } else {
            self.job_event(event_after, true, verdict.0, verdict.1);
        }
        if self.cron_job_finished(after + ms(9), succeeded) {
            return;
        }
        if let Some(seconds) = self.spec("ttlSecondsAfterFinished") {
            self.plan(after + ms(6) + Duration::from_secs(seconds), PlannedAction::Expire);
        }
    }

    /// Deletes a finished Job in the foreground, Pods first, as the TTL controller (`pkg/controller/ttlafterfinished`).
    pub(super) fn expire_job(&mut self) {
        let time = self.time(ms(0));
        let metadata = &mut self.job.object["metadata"];
        metadata["deletionTimestamp"] = time.into();
        metadata["deletionGracePeriodSeconds"] = 0.into();
        metadata["generation"] = 2.into();
        metadata["finalizers"] = json!(["foregroundDeletion"]);
        self.write_job_object(ms(0), ChangeType::Modified);
        self.delete_finished_pods(ms(20));
        self.write_job_object(ms(40), ChangeType::Deleted);
    }

    /// Deletes the remaining Pods of the Job, as the garbage collector.
    pub(super) fn delete_finished_pods(&mut self, after: Duration) {
        for index in 0..self.pods.len() {
            let time = self.time(after);
            let pod = &mut self.pods[index];
            if pod.gone {
                continue;
            }
            pod.gone = true;
            pod.plan += 1;
            pod.mark_deleted(time, 0);
            self.write_pod(index, after, ChangeType::Modified);
            self.write_pod(index, after + ms(2), ChangeType::Deleted);
        }
    }

    fn add_condition(&mut self, kind: &str, verdict: (&str, &str), after: Duration) {
        let time = self.time(after);
        self.job.conditions.push(json!({
            "type": kind,
            "status": "True",
            "lastProbeTime": time,
            "lastTransitionTime": time,
            "reason": verdict.0,
            "message": verdict.1,
        }));
    }

    /// Writes a version of the Job, `after` from now.
    pub(super) fn write_job_object(&mut self, after: Duration, change: ChangeType) {
        let object = self.job.object.clone();
        self.write(after, Resource::Jobs, change, &object);
    }

    /// Writes the status; zero counts are left out, as Go does.
    fn write_status(&mut self, after: Duration) {
        let time = |at: Duration| self.timestamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let job = &self.job;
        let mut status = Map::new();
        let mut set = |key: &str, value: Value| status.insert(key.to_owned(), value);
        if !job.conditions.is_empty() {
            set("conditions", job.conditions.clone().into());
        }
        if let Some(start) = job.start_time {
            set("startTime", time(start).into());
        }
        if let Some(end) = job.completion_time {
            set("completionTime", time(end).into());
        }
        for (key, count) in [
            ("active", job.active),
            ("succeeded", job.succeeded),
            ("failed", job.failed),
        ] {
            if count > 0 {
                set(key, count.into());
            }
        }
        set("terminating", job.terminating.into());
        let mut uncounted = json!({});
        for (key, uids) in [
            ("succeeded", &job.uncounted_succeeded),
            ("failed", &job.uncounted_failed),
        ] {
            if !uids.is_empty() {
                uncounted[key] = json!(uids);
            }
        }
        set("uncountedTerminatedPods", uncounted);
        set("ready", job.ready.into());
        self.job.object["status"] = Value::Object(status);
        self.write_job_object(after, ChangeType::Modified);
    }

    fn job_event(&mut self, after: Duration, warning: bool, reason: &str, message: &str) {
        let mut note = Note::normal(EventSource::JobController, reason, message);
        if warning {
            note = Note::warning(EventSource::JobController, reason, message);
        }
        let job = self.job.object.clone();
        self.event(after, Resource::Jobs, &job, &note);
    }

    fn spec(&self, key: &str) -> Option<u64> {
        self.job.object["spec"][key].as_u64()
    }

    pub(super) fn restarts_on_failure(&self) -> bool {
        self.job.object["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
    }
}

/// True while an object has the finalizer of its Job.
pub(super) fn has_tracking_finalizer(object: &Value) -> bool {
    object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| list.iter().any(|finalizer| finalizer == TRACKING))
}
