//! A cause with the part of the evidence that proves it.

use jiff::Timestamp;
use job_event::evidence::{Container, Event, Pod, Termination};

use crate::cause::Cause;
use crate::texts::KnownText;

/// The result of a rule: a cause with its proof, so that the sentence can name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) cause: Cause,
    /// The Pod that it was found on.
    pub(crate) pod: Option<&'a Pod>,
    /// The container to blame.
    pub(crate) container: Option<&'a Container>,
    /// The end of the container that proves it.
    pub(crate) termination: Option<&'a Termination>,
    /// The exit code, also where the termination was not seen.
    pub(crate) exit_code: Option<i32>,
    /// The cluster's message about it, not empty.
    pub(crate) message: Option<&'a str>,
    /// The known text in that message, which decides the retry and the next step.
    pub(crate) text: Option<&'static KnownText>,
    /// The Event of the autoscaler that could have added a node for the Pod.
    pub(crate) autoscaler: Option<&'a Event>,
    /// When it happened, if known.
    pub(crate) at: Option<Timestamp>,
    /// Another container of the Pod that matters for it.
    pub(crate) beside: Option<Beside<'a>>,
}

/// The state of another container of the Pod.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside<'a> {
    /// It ended with 0.
    Finished(&'a Container),
    /// It ran on.
    Running(&'a Container),
    /// It failed as well, for its own reason or as a consequence.
    Failed(&'a Container, &'a Termination),
}

impl<'a> Finding<'a> {
    /// A cause without proof.
    pub(crate) fn of(cause: Cause) -> Self {
        Finding {
            cause,
            pod: None,
            container: None,
            termination: None,
            exit_code: None,
            message: None,
            text: None,
            autoscaler: None,
            at: None,
            beside: None,
        }
    }

    /// A cause found on a Pod.
    pub(crate) fn on(cause: Cause, pod: &'a Pod) -> Self {
        Finding {
            pod: Some(pod),
            ..Finding::of(cause)
        }
    }

    pub(crate) fn container(self, container: &'a Container) -> Self {
        Finding {
            container: Some(container),
            ..self
        }
    }

    /// With a termination, and its exit code and time.
    pub(crate) fn termination(self, termination: &'a Termination) -> Self {
        Finding {
            termination: Some(termination),
            exit_code: Some(termination.exit_code),
            at: termination.finished,
            ..self
        }
    }

    pub(crate) fn exit_code(self, exit_code: i32) -> Self {
        Finding {
            exit_code: Some(exit_code),
            ..self
        }
    }

    /// With a message; an empty one counts as none.
    pub(crate) fn message(self, message: &'a str) -> Self {
        Finding {
            message: Some(message).filter(|text| !text.is_empty()),
            ..self
        }
    }

    /// With a known text, which also decides the cause.
    pub(crate) fn known(self, text: &'static KnownText) -> Self {
        Finding {
            cause: text.cause,
            text: Some(text),
            ..self
        }
    }

    /// With a known text that decides the retry and the next step, but not the cause.
    pub(crate) fn advised(self, text: Option<&'static KnownText>) -> Self {
        Finding {
            text: text.or(self.text),
            ..self
        }
    }

    /// With an Event of an autoscaler about the Pod.
    pub(crate) fn autoscaler(self, autoscaler: Option<&'a Event>) -> Self {
        Finding { autoscaler, ..self }
    }

    pub(crate) fn at(self, at: Option<Timestamp>) -> Self {
        Finding { at, ..self }
    }

    pub(crate) fn beside(self, other: Beside<'a>) -> Self {
        Finding {
            beside: Some(other),
            ..self
        }
    }
}
