//! Whether running the Job again, unchanged, can help, and what to do next, where the evidence says more than the table of causes.

use crate::cause::{Cause, Retry};
use crate::finding::Finding;
use crate::rules::{admission, image};

/// What to do next where a limit of the container is not what ended it.
const NODE_MEMORY: &str = "Set requests.memory to what the container uses, so that it lands where there is room; see what else \
                           used the node's memory.";
/// The same where it is not the Pod that was refused.
const WEBHOOK: &str =
    "Look at the webhook that the message names, or at its Service: it did not answer; then run it again.";

/// What to do next, as the table of causes has it or, where the evidence says more, better.
pub fn next_step(finding: &Finding<'_>) -> &'static str {
    let message = finding.message.unwrap_or_default();
    match finding.cause {
        Cause::OutOfMemory if finding.termination.is_some_and(|end| &*end.reason != "OOMKilled") => NODE_MEMORY,
        Cause::AdmissionDenied if message.contains("failed calling webhook") => WEBHOOK,
        cause => cause.info().next_step,
    }
}

/// Whether running it again can help.
pub fn retry(finding: &Finding<'_>) -> Retry {
    let message = finding.message.unwrap_or_default();
    match finding.cause {
        Cause::ImagePull => {
            let waiting = finding.container.and_then(|container| container.waiting.as_deref());
            image::retry(waiting.map(|w| &*w.reason).unwrap_or_default(), message)
        }
        // Another Pod may have taken the node's memory.
        Cause::OutOfMemory if finding.termination.is_some_and(|end| &*end.reason != "OOMKilled") => Retry::Maybe,
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
