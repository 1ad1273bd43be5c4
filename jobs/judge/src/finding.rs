//! What a rule found: a cause, and the part of the evidence that proves it.

use jiff::Timestamp;
use job_event::evidence::{Container, Pod, Termination};

use crate::cause::Cause;

/// A cause with what proves it, so that the sentence can name it.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// Why.
    pub cause: Cause,
    /// The Pod it was found on.
    pub pod: Option<&'a Pod>,
    /// The container to blame.
    pub container: Option<&'a Container>,
    /// The end of the container that tells it.
    pub termination: Option<&'a Termination>,
    /// The exit code, where it is known even though the termination was not seen.
    pub exit_code: Option<i32>,
    /// The message of the cluster that tells it.
    pub message: Option<&'a str>,
    /// When it happened, as far as that is known.
    pub at: Option<Timestamp>,
}

impl<'a> Finding<'a> {
    /// A cause that nothing in particular proves.
    pub fn of(cause: Cause) -> Self {
        Finding {
            cause,
            pod: None,
            container: None,
            termination: None,
            exit_code: None,
            message: None,
            at: None,
        }
    }

    /// A cause found on a Pod.
    pub fn on(cause: Cause, pod: &'a Pod) -> Self {
        Finding {
            pod: Some(pod),
            ..Finding::of(cause)
        }
    }

    /// With the container to blame.
    pub fn container(self, container: &'a Container) -> Self {
        Finding {
            container: Some(container),
            ..self
        }
    }

    /// With the termination that tells it.
    pub fn termination(self, termination: &'a Termination) -> Self {
        Finding {
            termination: Some(termination),
            exit_code: Some(termination.exit_code),
            at: termination.finished,
            ..self
        }
    }

    /// With the message that tells it; an empty one is none.
    pub fn message(self, message: &'a str) -> Self {
        Finding {
            message: Some(message).filter(|text| !text.is_empty()),
            ..self
        }
    }

    /// With the time it happened.
    pub fn at(self, at: Option<Timestamp>) -> Self {
        Finding { at, ..self }
    }
}
