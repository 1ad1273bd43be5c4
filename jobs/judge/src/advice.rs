//! The parts of a cause's row that depend on the evidence: the clause, the retry and the next step.

use job_event::evidence::NodeOutage;

use crate::category::Retry;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{admission, image};

const NODE_MEMORY: &str = "Set requests.memory to the container's usage, so that it is scheduled to a node with enough room; find \
                           the other users of the node's memory.";
const WEBHOOK: &str =
    "Look at the webhook named in the message and at its Service: it did not respond; then run it again.";

/// The clause, the retry and the next step for a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// A clause with placeholders, as in the table of causes.
    pub(crate) clause: &'static str,
    pub(crate) retry: Retry,
    pub(crate) next_step: &'static str,
}

impl Advice {
    /// The row of the cause, changed where the evidence says more.
    pub(crate) fn of(finding: &Finding<'_>) -> Advice {
        let info = finding.cause.info();
        let mut advice = Advice {
            clause: info.clause,
            retry: info.retry,
            next_step: info.next_step,
        };
        let message = finding.message.unwrap_or_default();
        let ended_as = |reason| finding.termination.is_some_and(|end| &*end.reason == reason);
        match finding.cause {
            Cause::Crashed if ended_as("seccomp killed") => {
                advice.clause = "{container} was killed for a system call that its seccomp profile forbids{message}";
            }
            // Another Pod may have used the node's memory.
            Cause::OutOfMemory if !ended_as("OOMKilled") => {
                advice.clause = "{container} was killed because {node} ran out of memory{message}";
                advice.retry = Retry::Maybe;
                advice.next_step = NODE_MEMORY;
            }
            Cause::Unschedulable if message.is_empty() => {
                advice.clause = "{pod} was not scheduled, and no scheduler reported why";
            }
            Cause::ImagePull => {
                let waiting = finding.container.and_then(|container| container.waiting.as_deref());
                advice.retry = image::retry(waiting.map(|w| &*w.reason).unwrap_or_default(), message);
                if finding.container.is_none_or(|container| container.image.is_empty()) {
                    advice.clause = "the image of {container} could not be pulled{message}";
                }
            }
            Cause::ContainerStart => match finding.exit_code {
                Some(126) => advice.clause = "{container} {exit} (command not executable){message}",
                Some(127) => advice.clause = "{container} {exit} (command not found){message}",
                _ => {}
            },
            Cause::AdmissionDenied => {
                if admission::is_passing(message) {
                    advice.retry = Retry::Yes;
                }
                if message.contains("failed calling webhook") {
                    advice.next_step = WEBHOOK;
                }
            }
            Cause::NodeLost => match (finding.container, finding.pod.and_then(|pod| pod.node_outage)) {
                (Some(_), _) => advice.clause = "{node} lost {container} of {pod}{message}",
                (None, Some(NodeOutage { over: false, .. })) => {
                    advice.clause = "{pod} was on {node}, which had not been ready since {since}";
                }
                (None, _) => {}
            },
            Cause::NodeRejected => {
                let reason = finding.pod.map(|pod| &*pod.reason).unwrap_or_default();
                advice.retry = rejection_retry(reason).unwrap_or(advice.retry);
            }
            Cause::RanTooLong if finding.container.is_none() => {
                advice.clause = match finding.pod {
                    Some(_) => "{pod} ran longer than its own activeDeadlineSeconds",
                    None => "the Job did not finish in time",
                };
            }
            _ => {}
        }
        if let Some(text) = finding.text {
            advice.retry = text.retry;
            advice.next_step = text.next_step;
        }
        advice
    }
}

/// The effect of a retry after a rejection by the kubelet, by `status.reason`.
fn rejection_retry(reason: &str) -> Option<Retry> {
    match reason {
        _ if reason.starts_with("OutOf") => Some(Retry::Yes),
        "SysctlForbidden"
        | "AppArmor"
        | "PodOSSelectorNodeLabelDoesNotMatch"
        | "PodOSNotSupported"
        | "SupplementalGroupsPolicyNotSupported"
        | "PodLevelResourcesNotSupported"
        | "PodFeatureUnsupported"
        | "InitContainerRestartPolicyForbidden" => Some(Retry::No),
        _ => None,
    }
}
