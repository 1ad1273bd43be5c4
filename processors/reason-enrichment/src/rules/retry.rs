//! Whether running the Job again, unchanged, can help, where the evidence says more than the table of causes.

use crate::cause::{Cause, Retry};
use crate::finding::Finding;
use crate::rules::{admission, image};

/// Whether running it again can help.
pub fn retry(finding: &Finding<'_>) -> Retry {
    let message = finding.message.unwrap_or_default();
    match finding.cause {
        Cause::ImagePull => {
            let waiting = finding.container.and_then(|container| container.waiting.as_deref());
            image::retry(waiting.map(|w| &*w.reason).unwrap_or_default(), message)
        }
        Cause::AdmissionDenied if admission::is_passing(message) => Retry::Yes,
        Cause::NodeRejected => match finding.pod.map(|pod| &*pod.reason).unwrap_or_default() {
            reason if reason.starts_with("OutOf") => Retry::Yes,
            "SysctlForbidden"
            | "AppArmor"
            | "PodOSSelectorNodeLabelDoesNotMatch"
            | "PodOSNotSupported"
            | "SupplementalGroupsPolicyNotSupported"
            | "PodLevelResourcesNotSupported"
            | "PodFeatureUnsupported"
            | "InitContainerRestartPolicyForbidden" => Retry::No,
            _ => finding.cause.info().retry,
        },
        cause => cause.info().retry,
    }
}
