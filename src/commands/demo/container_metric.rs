//! The reason that a container-status metric reports for a Job, for comparison with its event.
//!
//! This is the best case: a real metric is scraped every 15 seconds or so and misses shorter states. Only the reasons that
//! Datadog's `kubernetes_state_core` check allows become
//! `kubernetes_state.container.status_report.count.{terminated,waiting}`. (It allows `containercreating`, too, which every
//! Pod has and which explains no failure.)

use std::collections::BTreeMap;

use serde_json::Value;

const TERMINATED: &[&str] = &["oomkilled", "containercannotrun", "error"];
const WAITING: &[&str] = &[
    "errimagepull",
    "imagepullbackoff",
    "crashloopbackoff",
    "createcontainererror",
    "invalidimagename",
];

/// The last reason of the metric, by namespace and name of the Job.
#[derive(Debug, Default)]
pub(super) struct ContainerMetric {
    reasons: BTreeMap<(String, String), String>,
}

impl ContainerMetric {
    /// Observes a version of a Pod; returns the Job and its reason if the reason is new.
    pub(super) fn observe(&mut self, pod: &Value) -> Option<(String, String)> {
        let metadata = &pod["metadata"];
        let namespace = metadata["namespace"].as_str()?.to_owned();
        let job = metadata["labels"]["batch.kubernetes.io/job-name"].as_str()?.to_owned();
        let reason = reason(pod)?;
        let before = self.reasons.insert((namespace, job.clone()), reason.clone());
        (before.as_deref() != Some(&reason)).then_some((job, reason))
    }

    /// The last reason for the Job.
    pub(super) fn reason(&self, namespace: &str, job: &str) -> Option<&str> {
        self.reasons
            .get(&(namespace.to_owned(), job.to_owned()))
            .map(String::as_str)
    }
}

/// The allowed reason for a Pod: that of a terminated container first, then that of a waiting one. Init containers are
/// left out, as in the defaults of the check.
fn reason(pod: &Value) -> Option<String> {
    let states = || {
        pod["status"]["containerStatuses"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| &c["state"])
    };
    let find = |state: &str, known: &[&str]| {
        states()
            .filter_map(|s| s[state]["reason"].as_str())
            .map(str::to_lowercase)
            .find(|reason| known.contains(&reason.as_str()))
    };
    find("terminated", TERMINATED).or_else(|| find("waiting", WAITING))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(state: Value) -> Value {
        json!({
            "metadata": {"namespace": "n", "labels": {"batch.kubernetes.io/job-name": "j"}},
            "status": {"containerStatuses": [{"name": "main", "state": state}]}
        })
    }

    #[test]
    fn a_job_killed_at_its_deadline_has_the_reason_error() {
        let mut metric = ContainerMetric::default();
        assert_eq!(metric.observe(&pod(json!({"running": {}}))), None);
        let killed = pod(json!({"terminated": {"reason": "Error", "exitCode": 137}}));
        assert_eq!(metric.observe(&killed), Some(("j".into(), "error".into())));
        assert_eq!(metric.observe(&killed), None, "the same reason");
        assert_eq!(metric.reason("n", "j"), Some("error"));
    }

    #[test]
    fn reasons_that_are_not_allowed_are_dropped() {
        let mut metric = ContainerMetric::default();
        assert_eq!(
            metric.observe(&pod(json!({"terminated": {"reason": "ContainerStatusUnknown"}}))),
            None
        );
        assert_eq!(
            metric.observe(&pod(json!({"waiting": {"reason": "CreateContainerConfigError"}}))),
            None
        );
        assert_eq!(metric.reason("n", "j"), None);
    }
}
