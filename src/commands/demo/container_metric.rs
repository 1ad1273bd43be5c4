//! What a container-status metric says of a Job's Pods: the comparison the demo draws.
//!
//! It is scraped from the Pods that exist at that moment, and only the reasons that Datadog's `kubernetes_state_core`
//! check lets through become `kubernetes_state.container.status_report.count.{terminated,waiting}`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// How often such a metric is scraped, in the cluster's time.
pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);

const TERMINATED: &[&str] = &["oomkilled", "containercannotrun", "error"];
const WAITING: &[&str] = &[
    "errimagepull",
    "imagepullbackoff",
    "crashloopbackoff",
    "containercreating",
    "createcontainererror",
    "invalidimagename",
];

/// What scrapes have said so far, by namespace and name of the Job.
#[derive(Debug, Default)]
pub struct ContainerMetric {
    said: BTreeMap<(String, String), String>,
}

impl ContainerMetric {
    /// Looks at all Pods, as one scrape does; gives back the Jobs about which it says something new.
    pub fn scrape(&mut self, pods: &[Value]) -> Vec<(String, String, String)> {
        let mut news = Vec::new();
        for pod in pods {
            let metadata = &pod["metadata"];
            let (Some(namespace), Some(job)) = (
                metadata["namespace"].as_str(),
                metadata["labels"]["batch.kubernetes.io/job-name"].as_str(),
            ) else {
                continue;
            };
            let Some(reason) = reason(pod) else { continue };
            let key = (namespace.to_owned(), job.to_owned());
            if self.said.get(&key) != Some(&reason) {
                news.push((key.0.clone(), key.1.clone(), reason.clone()));
                self.said.insert(key, reason);
            }
        }
        news
    }

    /// What the last scrape that said anything about the Job said.
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
        assert!(metric.scrape(&[pod(json!({"running": {}}))]).is_empty());
        let killed = pod(json!({"terminated": {"reason": "Error", "exitCode": 137}}));
        assert_eq!(
            metric.scrape(&[killed.clone()]),
            [("n".into(), "j".into(), "error".into())]
        );
        assert!(metric.scrape(&[killed]).is_empty());
        assert_eq!(metric.about("n", "j"), Some("error"));
    }

    #[test]
    fn reasons_that_are_not_let_through_say_nothing() {
        let mut metric = ContainerMetric::default();
        assert!(
            metric
                .scrape(&[pod(json!({"terminated": {"reason": "ContainerStatusUnknown"}}))])
                .is_empty()
        );
        assert!(
            metric
                .scrape(&[pod(json!({"waiting": {"reason": "CreateContainerConfigError"}}))])
                .is_empty()
        );
        assert_eq!(metric.about("n", "j"), None);
    }
}
