//! Containers that wait for an image or a ConfigMap (`pkg/kubelet/images/image_manager.go`).

use super::kubelet::{MAX_RESTART_BACKOFF, PodStep};
use super::run::{ScenarioRun, ms};
use super::scenario::AttemptScript;
use serde_json::json;
use std::time::Duration;

impl ScenarioRun<'_> {
    pub(super) fn pull(&mut self, index: usize) {
        let pod = &mut self.pods[index];
        let AttemptScript::ImagePullError(error) = pod.attempt.clone() else {
            return;
        };
        pod.tries += 1;
        pod.sandbox = true;
        let (tries, image) = (pod.tries, pod.image().to_owned());
        self.normal(index, ms(0), "Pulling", &format!("Pulling image \"{image}\""));
        if tries > 1 {
            let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {error}");
            self.wait_for(index, "ImagePullBackOff", &message);
        }
        self.report(index, ms(15));
        let message = format!("Failed to pull image \"{image}\": {error}");
        self.warning(index, ms(33), "Failed", &message);
        self.warning(index, ms(56), "Failed", "Error: ErrImagePull");
        if tries == 1 {
            return self.plan_pod(index, ms(850), PodStep::PullFailed);
        }
        let delay = Duration::from_secs(13).saturating_mul(1 << (tries - 1).min(4));
        self.plan_pod(index, delay.min(MAX_RESTART_BACKOFF), PodStep::Pull);
    }

    pub(super) fn pull_failed(&mut self, index: usize) {
        let pod = &self.pods[index];
        let AttemptScript::ImagePullError(error) = pod.attempt.clone() else {
            return;
        };
        let message = format!("Back-off pulling image \"{}\"", pod.image());
        self.normal(index, ms(0), "BackOff", &message);
        self.warning(index, ms(16), "Failed", "Error: ImagePullBackOff");
        self.wait_for(index, "ErrImagePull", &error);
        self.report(index, ms(28));
        self.plan_pod(index, ms(13_300), PodStep::Pull);
    }

    pub(super) fn create_failed(&mut self, index: usize) {
        let pod = &mut self.pods[index];
        let AttemptScript::MissingConfigMap(name) = pod.attempt.clone() else {
            return;
        };
        pod.tries += 1;
        let tries = pod.tries;
        let message = format!("configmap \"{name}\" not found");
        if tries > 1 {
            self.pulled(index, ms(0));
        }
        self.warning(index, ms(3), "Failed", &format!("Error: {message}"));
        if tries == 2 {
            self.wait_for(index, "CreateContainerConfigError", &message);
            self.report(index, ms(8));
        }
        let delay = if tries == 1 { ms(900) } else { ms(12_000) };
        self.plan_pod(index, delay, PodStep::CreateFailed);
    }

    fn wait_for(&mut self, index: usize, reason: &str, message: &str) {
        self.pods[index].state = json!({"waiting": {"reason": reason, "message": message}});
    }
}
