//! What a container-status metric says of a Job's Pods: the comparison the demo draws.
//!
//! At best: as if it were scraped at the right moment. A real one is scraped every 15 seconds or so and misses what
//! comes and goes in between. Only the reasons that Datadog's `kubernetes_state_core` check lets through become
//! `kubernetes_state.container.status_report.count.{terminated,waiting}`. (`containercreating` is let through too; every
//! Pod passes through it, so it says nothing about a failure and is left out here.)

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

/// What the metric has said so far, by namespace and name of the Job.
#[derive(Debug, Default)]
pub struct ContainerMetric {
    said: BTreeMap<(String, String), String>,
}

impl ContainerMetric {
    /// Looks at a version of a Pod; gives back the Job and the reason if it says something new about it.
    pub fn observe(&mut self, pod: &Value) -> Option<(String, String)> {
        let metadata = &pod["metadata"];
        let namespace = metadata["namespace"].as_str()?.to_owned();
        let job = metadata["labels"]["batch.kubernetes.io/job-name"].as_str()?.to_owned();
        let reason = reason(pod)?;
        let before = self.said.insert((namespace, job.clone()), reason.clone());
        (before.as_deref() != Some(&reason)).then_some((job, reason))
    }

    /// The last it said about the Job.
    pub fn about(&self, namespace: &str, job: &str) -> Option<&str> {
        self.said
            .get(&(namespace.to_owned(), job.to_owned()))
            .map(String::as_str)
    }
}

/// The reason such a metric gives for a Pod: a terminated one first, then a waiting one, if it is let through.
/// Init containers are not looked at, as in the check's defaults.
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
    fn a_job_killed_at_its_deadline_is_an_error_to_it() {
        let mut metric = ContainerMetric::default();
        assert_eq!(metric.observe(&pod(json!({"running": {}}))), None);
        let killed = pod(json!({"terminated": {"reason": "Error", "exitCode": 137}}));
        assert_eq!(metric.observe(&killed), Some(("j".into(), "error".into())));
        assert_eq!(metric.observe(&killed), None, "nothing new");
        assert_eq!(metric.about("n", "j"), Some("error"));
    }

    #[test]
    fn reasons_that_are_not_let_through_say_nothing() {
        let mut metric = ContainerMetric::default();
        assert_eq!(
            metric.observe(&pod(json!({"terminated": {"reason": "ContainerStatusUnknown"}}))),
            None
        );
        assert_eq!(
            metric.observe(&pod(json!({"waiting": {"reason": "CreateContainerConfigError"}}))),
            None
        );
        assert_eq!(metric.about("n", "j"), None);
    }
}
