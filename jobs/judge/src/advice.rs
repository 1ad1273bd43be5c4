//! The parts of a cause's row that depend on the evidence: the clause, the retry and the next step.

use job_event::evidence::NodeOutage;

use crate::category::Retry;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::image;
use crate::texts::{DEVICE, KnownText};

const NODE_MEMORY: &str = "Set requests.memory to the container's usage, so that it is scheduled to a node with enough room; find \
                           the other users of the node's memory.";
const NO_SCHEDULER: &str = "Check that the scheduler named in the Pod's schedulerName runs and looks at the Pod.";

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
        let is_from_events = finding.pod.is_some_and(|pod| pod.from_events);
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
                advice.clause = "{pod} was not scheduled, and no scheduler reported why{message}";
                advice.next_step = NO_SCHEDULER;
            }
            Cause::ImagePull => {
                let waiting = finding.container.and_then(|container| container.waiting.as_deref());
                let by_reason = waiting.and_then(|waiting| image::retry(&waiting.reason));
                advice.with_text(image::known(message));
                advice.retry = by_reason.unwrap_or(advice.retry);
                if finding.container.is_none_or(|container| container.image.is_empty()) {
                    advice.clause = "the image of {container} could not be pulled{message}";
                }
            }
            Cause::DeviceUnavailable => advice.with_text(DEVICE.find(message)),
            Cause::ContainerStart => match finding.exit_code {
                Some(126) => advice.clause = "{container} {exit} (command not executable){message}",
                Some(127) => advice.clause = "{container} {exit} (command not found){message}",
                _ => {}
            },
            Cause::NodeLost => match (finding.container, finding.pod.and_then(|pod| pod.node_outage)) {
                (Some(_), _) => advice.clause = "{node} lost {container} of {pod}{message}",
                (None, Some(NodeOutage { over: false, .. })) => {
                    advice.clause = "{pod} was on {node}, which had not been ready since {since}";
                }
                (None, _) => {}
            },
            Cause::NonZeroExit | Cause::Unknown if is_from_events && finding.container.is_some() => {
                advice.clause = "{container} failed again and again, and no Event has its exit code{message}";
            }
            Cause::SidecarBlockedCompletion if is_from_events => {
                advice.clause = "another container had ended, with an exit code that no Event has, but {container} kept \
                                 the Pod running";
            }
            Cause::SlowStart if is_from_events => {
                advice.clause = "the Events show that the image of {container} was still being pulled ({image})";
            }
            Cause::RanTooLong if finding.container.is_none() => {
                advice.clause = match finding.pod {
                    Some(_) => "{pod} ran longer than its own activeDeadlineSeconds",
                    None => "the Job did not finish in time",
                };
            }
            _ => {}
        }
        advice.with_text(finding.text);
        advice
    }

    /// A known text decides the retry and the next step.
    fn with_text(&mut self, text: Option<&'static KnownText>) {
        if let Some(text) = text {
            self.retry = text.retry;
            self.next_step = text.next_step;
        }
    }
}
