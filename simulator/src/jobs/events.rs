//! Events, as controllers and the kubelet record them; repeated ones are counted.

use super::run::ScenarioRun;
use crate::resource::{ChangeType, Resource};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The component that records an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventSource {
    JobController,
    CronJobController,
    Scheduler,
    Kubelet,
}

/// The content of an Event.
pub(super) struct Note<'a> {
    source: EventSource,
    kind: &'static str,
    reason: &'a str,
    message: &'a str,
    /// The Event is about the first container of a Pod, not the Pod as a whole.
    container: bool,
}

impl<'a> Note<'a> {
    pub(super) fn normal(source: EventSource, reason: &'a str, message: &'a str) -> Note<'a> {
        Note {
            source,
            kind: "Normal",
            reason,
            message,
            container: false,
        }
    }

    pub(super) fn warning(source: EventSource, reason: &'a str, message: &'a str) -> Note<'a> {
        Note {
            kind: "Warning",
            ..Note::normal(source, reason, message)
        }
    }

    pub(super) fn about_container(self) -> Note<'a> {
        Note {
            container: true,
            ..self
        }
    }
}

/// The Events so far, by object, reason and message.
pub(super) type Recorder = HashMap<(String, String, String), Value>;

impl ScenarioRun<'_> {
    /// Records an Event about an object, `after` from now.
    pub(super) fn event(&mut self, after: Duration, resource: Resource, about: &Value, note: &Note<'_>) {
        let metadata = &about["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        let time = self.time(after);
        let key = (name.clone(), note.reason.to_owned(), note.message.to_owned());
        if let Some(mut event) = self.recorder.remove(&key) {
            event["count"] = (event["count"].as_i64().unwrap_or(1) + 1).into();
            event["lastTimestamp"] = time.into();
            self.write(after, Resource::Events, ChangeType::Modified, &event);
            self.recorder.insert(key, event);
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
            EventSource::JobController => "job-controller",
            EventSource::CronJobController => "cronjob-controller",
            EventSource::Scheduler => "default-scheduler",
            EventSource::Kubelet => "kubelet",
        };
        let mut event = json!({
            "metadata": {
                "name": format!("{name}.{:016x}", self.ids.bits()),
                "namespace": metadata["namespace"],
                "uid": self.ids.uid(),
                "creationTimestamp": time,
            },
            "involvedObject": involved,
            "reason": note.reason,
            "message": note.message,
            "source": {"component": component},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "type": note.kind,
            "eventTime": null,
            "reportingComponent": component,
            "reportingInstance": "",
        });
        if note.source == EventSource::Kubelet {
            event["source"]["host"] = "node1".into();
            event["reportingInstance"] = "node1".into();
        }
        if note.source != EventSource::Scheduler {
            self.write(after, Resource::Events, ChangeType::Added, &event);
            self.recorder.insert(key, event);
            return;
        }
        // The scheduler writes through events.k8s.io: no count, no first or last time.
        let exact = self.timestamp(self.now + after).strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
        event["eventTime"] = exact.to_string().into();
        event["source"] = json!({});
        event["firstTimestamp"] = Value::Null;
        event["lastTimestamp"] = Value::Null;
        let warning = note.kind == "Warning";
        event["action"] = if warning { "Scheduling" } else { "Binding" }.into();
        event["reportingInstance"] = "default-scheduler-node1".into();
        if let Some(map) = event.as_object_mut() {
            map.remove("count");
        }
        self.write(after, Resource::Events, ChangeType::Added, &event);
    }
}
