//! The Job controller of a story: its verdicts, deletions and Events.

use serde_json::{Value, json};

use super::story::{BACKOFF, DEADLINE, Story, condition};

impl Story {
    /// The Job controller deletes a Pod, with an Event.
    pub(crate) fn controller_deletes(self, pod: &str) -> Story {
        let message = format!("Deleted pod: {pod}");
        self.deletes(pod).tell("jobs/j", "Normal", "SuccessfulDelete", &message)
    }

    /// The Job controller decides that the Job fails.
    pub(crate) fn verdict(self, reason: &str, message: &str) -> Story {
        let condition = condition("FailureTarget", true, reason, message, self.now);
        let job = self.uid("jobs/j");
        let of_job = |pod: &&Value| pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == *job;
        let pods = self.objects.values().filter(of_job);
        // Live Pods count as failed at once.
        let failed = pods.filter(|pod| pod["status"]["phase"] != "Succeeded").count() + self.gone;
        self.conditions("jobs/j", &[condition])
            .patch("jobs/j", json!({"status": {"active": 0, "failed": failed}}))
    }

    /// The Job's Pods are gone, and it is `Failed`.
    pub(crate) fn finished(self) -> Story {
        let conditions = self.objects["jobs/j"]["status"]["conditions"].as_array().unwrap();
        let verdict = conditions.iter().find(|c| c["type"] == "FailureTarget").unwrap();
        let [reason, message] = ["reason", "message"].map(|key| verdict[key].as_str().unwrap().to_owned());
        let failed = condition("Failed", true, &reason, &message, self.now);
        self.conditions("jobs/j", &[failed])
            .tell("jobs/j", "Warning", &reason, &message)
    }

    /// The verdict on a Job whose attempts are used up, and the end of the Job.
    pub(crate) fn backoff(self) -> Story {
        self.backoff_limit_exceeded().finished()
    }

    /// The deadline passes while that Pod is alive; its container ends in this state.
    pub(crate) fn deadline(self, pod: &str, state: &Value) -> Story {
        let now = self.now;
        self.controller_deletes(pod)
            .deadline_exceeded()
            .at(now + 2)
            .goes(pod, state)
            .at(now + 4)
            .finished()
    }

    /// The verdict on a Job whose attempts are used up.
    pub(crate) fn backoff_limit_exceeded(self) -> Story {
        self.verdict(BACKOFF, "Job has reached the specified backoff limit")
    }

    /// The verdict on a Job whose deadline has passed.
    pub(crate) fn deadline_exceeded(self) -> Story {
        self.verdict(DEADLINE, "Job was active longer than specified deadline")
    }
}
