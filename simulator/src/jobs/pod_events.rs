//! The Events that the kubelet records about Pods (`pkg/kubelet/events/event.go`).

use super::events::{EventSource, Note};
use super::run::ScenarioRun;
use crate::resource::Resource;
use std::time::Duration;

impl ScenarioRun<'_> {
    pub(super) fn pulled(&mut self, index: usize, after: Duration) {
        let image = self.pods[index].image();
        let message = format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
        self.normal(index, after, "Pulled", &message);
    }

    pub(super) fn killing(&mut self, index: usize, after: Duration) {
        let message = format!("Stopping container {}", self.pods[index].container());
        self.normal(index, after, "Killing", &message);
    }

    pub(super) fn back_off_event(&mut self, index: usize, after: Duration) {
        let pod = &self.pods[index];
        let (container, name, uid) = (pod.container(), pod.name(), pod.uid());
        let namespace = &self.scenario.namespace;
        let message = format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
        self.warning(index, after, "BackOff", &message);
    }

    /// Records a normal Event about the container.
    pub(super) fn normal(&mut self, index: usize, after: Duration, reason: &str, message: &str) {
        let note = Note::normal(EventSource::Kubelet, reason, message);
        self.pod_event(index, after, &note.about_container());
    }

    /// Records a warning about the container.
    pub(super) fn warning(&mut self, index: usize, after: Duration, reason: &str, message: &str) {
        let note = Note::warning(EventSource::Kubelet, reason, message);
        self.pod_event(index, after, &note.about_container());
    }

    pub(super) fn pod_event(&mut self, index: usize, after: Duration, note: &Note<'_>) {
        let object = self.pods[index].object.clone();
        self.event(after, Resource::Pods, &object, note);
    }
}
