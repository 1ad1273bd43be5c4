//! Events, as controllers and the kubelet record them: the same one again counts up.

use super::run::Run;
use crate::resource::{ChangeType, Resource};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// Who records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    JobController,
    CronJobController,
    Scheduler,
    Kubelet,
}

/// What is recorded.
pub(super) struct Note<'a> {
    pub source: Source,
    pub warning: bool,
    pub reason: &'a str,
    pub message: &'a str,
    /// About the first container of a Pod, not the Pod as a whole.
    pub container: bool,
}

/// The Events so far, by object, reason and message.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    recorded: HashMap<(String, String, String), Value>,
}

impl Run<'_> {
    /// Records an Event about an object, `after` from now.
    pub fn event(&mut self, after: Duration, resource: Resource, about: &Value, note: &Note<'_>) {
        let metadata = &about["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        let time = self.time(after);
        let key = (name.clone(), note.reason.to_owned(), note.message.to_owned());
        if let Some(mut event) = self.recorder.recorded.remove(&key) {
            event["count"] = (event["count"].as_i64().unwrap_or(1) + 1).into();
            event["lastTimestamp"] = time.into();
            self.write(after, Resource::Events, ChangeType::Modified, &event);
            self.recorder.recorded.insert(key, event);
            return;
        }
        let mut involved = json!({
            "kind": resource.kind(),
            "namespace": metadata["namespace"],
            "name": name,
            "uid": metadata["uid"],
            "apiVersion": resource.api_version(),
        });
        if note.container {
            let container = about["spec"]["containers"][0]["name"].as_str().unwrap_or_default();
            involved["fieldPath"] = format!("spec.containers{{{container}}}").into();
        }
        let component = match note.source {
            Source::JobController => "job-controller",
            Source::CronJobController => "cronjob-controller",
            Source::Scheduler => "default-scheduler",
            Source::Kubelet => "kubelet",
        };
        let manager = match note.source {
            Source::JobController | Source::CronJobController => "kube-controller-manager",
            Source::Scheduler => "kube-scheduler",
            Source::Kubelet => "kubelet",
        };
        let fields = json!({
            "f:count": {}, "f:firstTimestamp": {}, "f:involvedObject": {}, "f:lastTimestamp": {}, "f:message": {},
            "f:reason": {}, "f:reportingComponent": {}, "f:source": {"f:component": {}}, "f:type": {},
        });
        let mut event = json!({
            "metadata": {
                "name": format!("{name}.{:016x}", self.ids.bits()),
                "namespace": metadata["namespace"],
                "uid": self.ids.uid(),
                "creationTimestamp": time,
                "managedFields": [{
                    "manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
                    "fieldsType": "FieldsV1", "fieldsV1": fields,
                }],
            },
            "involvedObject": involved,
            "reason": note.reason,
            "message": note.message,
            "source": {"component": component},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "type": if note.warning { "Warning" } else { "Normal" },
            "eventTime": null,
            "reportingComponent": component,
            "reportingInstance": "",
        });
        match note.source {
            Source::Kubelet => {
                event["source"]["host"] = "node1".into();
                event["reportingInstance"] = "node1".into();
            }
            // The scheduler writes through events.k8s.io: no count, no first or last time.
            Source::Scheduler => {
                let exact = self
                    .timestamp(self.now + after)
                    .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
                    .to_string();
                event["source"] = json!({});
                event["firstTimestamp"] = Value::Null;
                event["lastTimestamp"] = Value::Null;
                event["eventTime"] = exact.into();
                event["action"] = if note.warning {
                    "Scheduling".into()
                } else {
                    "Binding".into()
                };
                event["reportingInstance"] = "default-scheduler-node1".into();
                if let Some(map) = event.as_object_mut() {
                    map.remove("count");
                }
            }
            Source::JobController | Source::CronJobController => {}
        }
        self.write(after, Resource::Events, ChangeType::Added, &event);
        if note.source != Source::Scheduler {
            self.recorder.recorded.insert(key, event);
        }
    }
}
