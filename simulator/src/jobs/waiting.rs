//! Containers that wait for what does not come: an image, a ConfigMap (`pkg/kubelet/images/image_manager.go`).

use super::kubelet::{MAX_RESTART_BACKOFF, PodStep};
use super::pod::image;
use super::run::{Run, ms};
use super::scenario::Attempt;
use serde_json::json;
use std::time::Duration;

impl Run<'_> {
    pub fn pull(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        let Attempt::ImagePullError(error) = pod.attempt.clone() else {
            return;
        };
        pod.tries += 1;
        pod.sandbox = true;
        let (tries, image) = (pod.tries, image(pod));
        self.normal(index, ms(0), "Pulling", &format!("Pulling image \"{image}\""));
        if tries > 1 {
            let why = format!("Back-off pulling image \"{image}\": ErrImagePull: {error}");
            self.wait_for(index, "ImagePullBackOff", &why);
        }
        self.report(index, ms(15));
        self.warning(
            index,
            ms(33),
            "Failed",
            &format!("Failed to pull image \"{image}\": {error}"),
        );
        self.warning(index, ms(56), "Failed", "Error: ErrImagePull");
        if tries == 1 {
            self.plan_pod(index, ms(850), PodStep::PullFailed);
        } else {
            let delay = Duration::from_secs(13)
                .saturating_mul(1 << (tries - 1).min(4))
                .min(MAX_RESTART_BACKOFF);
            self.plan_pod(index, delay, PodStep::Pull);
        }
    }

    pub fn pull_failed(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        let Attempt::ImagePullError(error) = pod.attempt.clone() else {
            return;
        };
        let image = image(pod);
        self.normal(index, ms(0), "BackOff", &format!("Back-off pulling image \"{image}\""));
        self.warning(index, ms(16), "Failed", "Error: ImagePullBackOff");
        self.wait_for(index, "ErrImagePull", &error);
        self.report(index, ms(28));
        self.plan_pod(index, ms(13_300), PodStep::Pull);
    }

    pub fn create_failed(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        let Attempt::MissingConfigMap(name) = pod.attempt.clone() else {
            return;
        };
        pod.tries += 1;
        let tries = pod.tries;
        let why = format!("configmap \"{name}\" not found");
        if tries > 1 {
            self.pulled(index, ms(0));
        }
        self.warning(index, ms(3), "Failed", &format!("Error: {why}"));
        if tries == 2 {
            self.wait_for(index, "CreateContainerConfigError", &why);
            self.report(index, ms(8));
        }
        self.plan_pod(
            index,
            if tries == 1 { ms(900) } else { ms(12_000) },
            PodStep::CreateFailed,
        );
    }

    fn wait_for(&mut self, index: usize, reason: &str, message: &str) {
        if let Some(pod) = self.pods.get_mut(index) {
            pod.state = json!({"waiting": {"reason": reason, "message": message}});
        }
    }
}
