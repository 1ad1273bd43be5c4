//! What the kubelet records about Pods (`pkg/kubelet/events/event.go`).

use super::events::{Note, Source};
use super::pod::image;
use super::run::{Run, ms};
use crate::resource::Resource;
use serde_json::Value;
use std::time::Duration;

impl Run<'_> {
    pub fn pulled(&mut self, index: usize, after: Duration) {
        let image = self.pods.get(index).map(image).unwrap_or_default();
        let message = format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
        self.normal(index, after, "Pulled", &message);
    }

    pub fn killing(&mut self, index: usize, after: Duration) {
        let container = self
            .pods
            .get(index)
            .map(|pod| pod.object["spec"]["containers"][0]["name"].clone());
        let container = container.as_ref().and_then(Value::as_str).unwrap_or_default();
        self.normal(index, after, "Killing", &format!("Stopping container {container}"));
    }

    pub fn back_off_event(&mut self, index: usize, after: Duration) {
        let Some(pod) = self.pods.get(index) else { return };
        let container = pod.object["spec"]["containers"][0]["name"].as_str().unwrap_or_default();
        let (name, namespace, uid) = (pod.name(), &self.scenario.namespace, pod.uid());
        let message = format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
        self.warning(index, after, "BackOff", &message);
    }

    pub fn normal(&mut self, index: usize, after: Duration, reason: &str, message: &str) {
        self.pod_event(
            index,
            after,
            Note {
                source: Source::Kubelet,
                warning: false,
                reason,
                message,
                container: true,
            },
        );
    }

    pub fn warning(&mut self, index: usize, after: Duration, reason: &str, message: &str) {
        self.pod_event(
            index,
            after,
            Note {
                source: Source::Kubelet,
                warning: true,
                reason,
                message,
                container: true,
            },
        );
    }

    pub fn warning_about_pod(&mut self, index: usize, reason: &str, message: &str) {
        self.pod_event(
            index,
            ms(0),
            Note {
                source: Source::Kubelet,
                warning: true,
                reason,
                message,
                container: false,
            },
        );
    }

    pub fn pod_event(&mut self, index: usize, after: Duration, note: Note<'_>) {
        let Some(object) = self.pods.get(index).map(|pod| pod.object.clone()) else {
            return;
        };
        self.event(after, Resource::Pods, &object, &note);
    }
}
