//! The parts of a cause's row that depend on the evidence: the clause, the retry and the next step.

use job_event::evidence::{NodeOutage, is_limit_oom};

use crate::category::Retry;
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::rules::{exit, image, windows};
use crate::side_containers::well_known;
use crate::texts::{COMMAND_NEXT_STEP, DEVICE, KnownText, PLATFORM_NEXT_STEP};

const NODE_MEMORY: &str = "Set requests.memory to the container's usage, so that it is scheduled to a node with enough room; find \
                           the other users of the node's memory.";
const PULLING: &str = "Check the size of the image, the speed of its registry and the load of the node's disk; a smaller image, a mirror or \
                       a larger activeDeadlineSeconds helps.";
const NO_SCHEDULER: &str = "Check that the scheduler named in the Pod's schedulerName is running and handles this Pod.";
const SHELL_CODE: &str = "Read the container's log around the time it ended: a shell exits with 127 if it does not find a \
                          command, and with 126 if it cannot execute one.";
const GIT_CODE: &str = "Read the container's log around the time it ended; the exit code is the program's own: git, for \
                        example, exits with 128 after every fatal error.";
const HOOK: &str =
    "Check the container's postStart hook: its command or address, and that the program is ready when it runs.";
const SIDECAR_MEMORY: &str =
    "{work} finished with code 0, but {container} was killed because it exceeded its memory limit{message}";
const KILLED_BESIDE: &str = "If this container only serves the one that finished, make it a native sidecar (initContainers with restartPolicy: \
                             Always, Kubernetes 1.29 and later); otherwise look for the sender of the signal.";

const LOG_OF_THE_PAST: &str = "Look for the container's log of that time in your log backend: its exit code and message were \
                               deleted with the Pod, and Events have neither, so this may also be an out-of-memory kill.";

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
        let status = finding.exit_code.and_then(windows::status);
        let status = status.filter(|status| status.cause == finding.cause);
        match finding.cause {
            Cause::NonZeroExit | Cause::Unknown if is_from_events && finding.container.is_some() => {
                advice.clause = "{container} failed repeatedly, and no Event has its exit code{message}";
                advice.next_step = LOG_OF_THE_PAST;
            }
            Cause::Unknown if is_from_events => {
                advice.clause = "the Events of {pod} do not show why{message}";
                advice.next_step = LOG_OF_THE_PAST;
            }
            Cause::Crashed | Cause::Killed | Cause::OutOfMemory | Cause::ContainerStart | Cause::NonZeroExit => {
                advice.end(finding, status.is_some());
            }
            Cause::SidecarBlockedCompletion | Cause::SidecarFailed => advice.side(finding, is_from_events),
            Cause::Unschedulable if message.is_empty() => {
                advice.clause = "{pod} was not scheduled, and no scheduler reported why{message}";
                advice.next_step = NO_SCHEDULER;
            }
            Cause::ImagePull => {
                let waiting = finding.container.and_then(|container| container.waiting.as_deref());
                let by_reason = waiting.and_then(|waiting| image::retry(&waiting.reason));
                let text = image::known(message);
                advice.with_text(text);
                // A registry with an invalid certificate stays unavailable, so a known text decides; an invalid name never
                // becomes valid.
                match by_reason {
                    Some(retry) if text.is_none() || retry == Retry::No => advice.retry = retry,
                    _ => {}
                }
                if finding.container.is_none_or(|container| container.image.is_empty()) {
                    advice.clause = "the image of {container} could not be pulled{message}";
                }
            }
            Cause::DeviceUnavailable => advice.with_text(DEVICE.find(message)),
            Cause::NodeLost => match (finding.container, finding.pod.and_then(|pod| pod.node_outage)) {
                (Some(_), _) => advice.clause = "{node} lost {container} of {pod}{message}",
                (None, Some(NodeOutage { over: false, .. })) => {
                    advice.clause = "{pod} was on {node}, which had not been ready since {since}";
                }
                (None, _) => {}
            },
            Cause::SlowStart if is_from_events => {
                advice.clause = "the Events show that the image of {container} was still being pulled ({image})";
            }
            Cause::RuntimeFailed if finding.container.is_none() => {
                advice.clause = "{node} could not create the sandbox of {pod}{message}";
            }
            Cause::SlowStart => advice.slow_start(finding),
            Cause::RanTooLong if finding.container.is_none() => {
                advice.clause = match finding.pod {
                    Some(_) => "{pod} ran longer than its own activeDeadlineSeconds",
                    None => "the Job did not finish in time",
                };
            }
            _ => {}
        }
        match (finding.text, status) {
            (None, Some(status)) => {
                advice.retry = status.retry;
                advice.next_step = status.next_step.unwrap_or(advice.next_step);
            }
            (text, _) => advice.with_text(text),
        }
        advice
    }

    /// The end of a container, or a failed start; `named`: its exit code has a name on Windows.
    fn end(&mut self, finding: &Finding<'_>, named: bool) {
        let ended_as = |reason| finding.termination.is_some_and(|end| &*end.reason == reason);
        // The runtime chooses the exit code of a container that it could not start.
        let not_started = finding.termination.is_some_and(exit::never_started);
        let code = finding.exit_code.filter(|_| !not_started);
        match (finding.cause, code) {
            (Cause::Crashed, _) if ended_as("seccomp killed") => {
                self.clause = "{container} was killed for a system call that its seccomp profile forbids{message}";
            }
            (Cause::Killed, _) if named => self.clause = "{container} {exit}{message}",
            (Cause::Killed, _) if matches!(finding.beside, Some(Beside::Finished(_))) => self.next_step = KILLED_BESIDE,
            (Cause::OutOfMemory, _) if finding.text.is_some() => {
                self.clause = match finding.container {
                    Some(_) => "{container} could not be started for lack of memory{message}",
                    None => "{pod} could not be started for lack of memory{message}",
                };
            }
            (Cause::OutOfMemory, _) if named => self.clause = "{container} ran out of memory and {exit}{message}",
            (Cause::OutOfMemory, _) if finding.message.is_some_and(is_limit_oom) => {
                self.clause = "{container} was killed when the kernel of {node} killed a process that exceeded its memory \
                               limit{message}";
            }
            // Another Pod may have used the node's memory.
            (Cause::OutOfMemory, _) if !ended_as("OOMKilled") => {
                self.clause = "{container} was killed because {node} ran out of memory{message}";
                self.retry = Retry::Maybe;
                self.next_step = NODE_MEMORY;
            }
            (Cause::ContainerStart, Some(126)) => {
                self.clause = "{container} {exit} (command not executable){message}";
                self.next_step = COMMAND_NEXT_STEP;
            }
            (Cause::ContainerStart, Some(127)) => {
                self.clause = "{container} {exit} (command not found){message}";
                self.next_step = COMMAND_NEXT_STEP;
            }
            (Cause::ContainerStart, Some(_)) => self.next_step = HOOK,
            (Cause::NonZeroExit, _) if finding.message.is_some_and(exit::is_exec_format_error) => {
                self.next_step = PLATFORM_NEXT_STEP;
            }
            (Cause::NonZeroExit, Some(126 | 127)) => self.next_step = SHELL_CODE,
            (Cause::NonZeroExit, Some(128)) => self.next_step = GIT_CODE,
            _ => {}
        }
    }

    /// A side container that kept running after the work had finished, or failed after it.
    fn side(&mut self, finding: &Finding<'_>, is_from_events: bool) {
        if finding.cause == Cause::SidecarFailed {
            if finding.termination.is_some_and(|end| &*end.reason == "OOMKilled") {
                self.clause = SIDECAR_MEMORY;
            }
            return;
        }
        if is_from_events {
            self.clause =
                "another container had ended (no Event has its exit code), but {container} kept the Pod running";
        }
        let side = finding.container.and_then(|side| well_known(&side.name, &side.image));
        if let Some(side) = side.filter(|side| !side.next_step.is_empty()) {
            self.next_step = side.next_step;
        }
    }

    /// The last stage that the Pod reached, if that is known.
    fn slow_start(&mut self, finding: &Finding<'_>) {
        let is_pulling = finding
            .message
            .is_some_and(|message| message.starts_with("Pulling image"));
        if is_pulling {
            self.next_step = PULLING;
            self.clause = match finding.container.is_some_and(|container| !container.image.is_empty()) {
                true => "image {image} was still being pulled for {container}",
                false => "the image of {container} was still being pulled",
            };
        } else if finding.pod.is_some_and(|pod| pod.ready_to_start.is_some()) {
            self.clause = "the volumes and the sandbox of {pod} were ready, but {container} had not started";
        }
    }

    /// A known text decides the retry and the next step.
    fn with_text(&mut self, text: Option<&'static KnownText>) {
        if let Some(text) = text {
            self.retry = text.retry;
            self.next_step = text.next_step;
        }
    }
}
