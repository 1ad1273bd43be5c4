//! Ownership of evidence.
//!
//! A UID in an object proves nothing: anyone who may create a Pod or an Event may write any UID into its labels, owners or
//! `involvedObject`, and UIDs are not secret. The API server checks permissions for the namespace of an object, so an
//! object is evidence only about Jobs of its own namespace; the tracker compares them. The API server does not verify the
//! source of an Event either: checking it separates controllers, but does not stop a forger with permission to create
//! Events in the namespace.
//!
//! A Pod that was never seen has no owner to check. It counts if an Event of the Job controller about the Job names it, in the
//! Job's namespace, and if only one Pod claims that name.

use job_event::Uid;

use job_watch::model::{self, ApiGroup};

/// Writes the Events about Jobs.
const JOB_CONTROLLER: &str = "job-controller";
/// Writes the Events about CronJobs.
const CRONJOB_CONTROLLER: &str = "cronjob-controller";
/// Write the Events about nodes that are read: the kubelet, and node-problem-detector (`source` of
/// `config/kernel-monitor.json`).
const NODE_AUTHORS: [&str; 2] = ["kubelet", "kernel-monitor"];
/// Where Events about objects without a namespace are (`staging/src/k8s.io/client-go/tools/record/event.go`).
const NODE_EVENTS: &str = "default";

/// The kind of object an Event is evidence about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A Job of group `batch`.
    Job,
    /// A CronJob of group `batch`.
    CronJob,
    /// A Pod.
    Pod,
    /// A node.
    Node,
}

/// The UID of the Job that controls a Pod. A label alone is not enough: the Job controller does not count such a Pod
/// either, while it counts every one that names it as its controller.
pub(crate) fn job_of(pod: &model::Pod) -> Option<Uid> {
    let owner = pod.metadata.controller("Job")?;
    Some(Uid::new(&owner.uid))
}

/// The kind of object an Event is evidence about, if it is. Some clients leave `involvedObject.apiVersion` empty. Many components explain Pods (schedulers, autoscalers,
/// storage drivers, admission plugins), but a Job or a CronJob only its controller.
pub(crate) fn about(event: &model::Event) -> Option<About> {
    if event.is_own() {
        return None;
    }
    let object = &event.involved_object;
    let is_core = matches!(object.api_version, ApiGroup::Core | ApiGroup::Absent);
    let is_batch = matches!(object.api_version, ApiGroup::Batch | ApiGroup::Absent);
    match &*object.kind {
        "Job" if is_batch && event.component() == JOB_CONTROLLER => Some(About::Job),
        "CronJob" if is_batch && event.component() == CRONJOB_CONTROLLER => Some(About::CronJob),
        "Pod" if is_core => Some(About::Pod),
        "Node" if is_core && &*event.metadata.namespace == NODE_EVENTS => {
            NODE_AUTHORS.contains(&event.component()).then_some(About::Node)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn about_of(event: &Value) -> Option<About> {
        about(&serde_json::from_value(event.clone()).unwrap())
    }

    fn event(kind: &str, api_version: &str, component: &str) -> Value {
        json!({"metadata": {"namespace": "default"}, "type": "Warning", "source": {"component": component},
            "involvedObject": {"kind": kind, "apiVersion": api_version}})
    }

    #[test]
    fn only_the_job_controller_explains_batch_jobs() {
        for api_version in ["batch/v1", ""] {
            assert_eq!(about_of(&event("Job", api_version, "job-controller")), Some(About::Job));
        }
        for (api_version, component) in [
            ("batch.volcano.sh/v1alpha1", "job-controller"),
            ("v1", "job-controller"),
            ("batch/v1", "kubectl"),
            ("batch/v1", "vc-controller-manager"),
            ("batch/v1", ""),
        ] {
            let event = event("Job", api_version, component);
            assert_eq!(about_of(&event), None, "{api_version} {component}");
        }
    }

    #[test]
    fn an_event_may_name_its_author_in_either_place() {
        let mut newer = event("Job", "batch/v1", "");
        newer["reportingComponent"] = "job-controller".into();
        assert_eq!(about_of(&newer), Some(About::Job));
        newer["source"]["component"] = "kubectl".into();
        assert_eq!(about_of(&newer), None, "two authors");
    }

    #[test]
    fn events_of_the_collector_are_no_evidence() {
        let controllers = [("Job", "job-controller"), ("CronJob", "cronjob-controller")];
        for (kind, component) in controllers.into_iter().chain([("Pod", "kubelet"), ("Node", "kubelet")]) {
            let mut event = event(kind, "", component);
            assert!(about_of(&event).is_some(), "{kind}");
            event["reportingComponent"] = model::OWN_COMPONENT.into();
            assert_eq!(about_of(&event), None, "{kind}");
            event["source"] = json!({});
            assert_eq!(about_of(&event), None, "{kind}");
            event["source"] = json!({"component": model::OWN_COMPONENT});
            event["reportingComponent"] = "".into();
            assert_eq!(about_of(&event), None, "{kind}");
        }
    }

    #[test]
    fn any_component_explains_pods_and_the_kubelet_nodes() {
        for component in ["kubelet", "default-scheduler", "volcano", "karpenter", ""] {
            assert_eq!(
                about_of(&event("Pod", "v1", component)),
                Some(About::Pod),
                "{component}"
            );
        }
        assert_eq!(about_of(&event("Pod", "example.com/v1", "kubelet")), None);
        assert_eq!(about_of(&event("Node", "", "kubelet")), Some(About::Node));
        assert_eq!(about_of(&event("Node", "", "kernel-monitor")), Some(About::Node));
        assert_eq!(about_of(&event("Node", "", "kubectl")), None);
        let mut elsewhere = event("Node", "", "kubelet");
        elsewhere["metadata"]["namespace"] = "evil".into();
        assert_eq!(about_of(&elsewhere), None, "a node has no namespace");
    }

    #[test]
    fn only_a_controlling_owner_of_group_batch_makes_a_pod_a_jobs() {
        let pod = |api_version: &str, kind: &str, controller: bool| {
            let pod = json!({"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "u"},
                "ownerReferences": [{"apiVersion": api_version, "kind": kind, "uid": "u", "controller": controller}]}});
            job_of(&serde_json::from_value(pod).unwrap())
        };
        assert_eq!(pod("batch/v1", "Job", true), Some(Uid::new("u")));
        assert_eq!(pod("batch/v1", "Job", false), None);
        assert_eq!(pod("batch.volcano.sh/v1alpha1", "Job", true), None);
        assert_eq!(pod("batch/v1", "CronJob", true), None);
    }
}
