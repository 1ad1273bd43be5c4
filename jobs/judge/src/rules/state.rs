//! The states of Pods and containers just before the verdict or the deletion of the Pod.

use jiff::SignedDuration;
use job_event::evidence::{Container, ContainerRole, ContainerState, Pod, Termination};

use crate::case::{Case, is_terminal, last_end};
use crate::rules::{attempt, collateral};

/// True if a main container of the Pod has started.
pub(crate) fn main_started(pod: &Pod) -> bool {
    let mut containers = pod.containers.iter();
    containers.any(|container| container.role == ContainerRole::Main && container.started)
}

/// The state of a container before the request to delete the Pod. If only a later end was seen, its times show the state.
pub(crate) fn container_state(case: &Case<'_>, pod: &Pod, container: &Container) -> ContainerState {
    let seen_late = |end: &&Termination| end.ran && !end.before_deletion && end.attempt == container.restarts;
    let mut ends = container.terminations.iter().filter(seen_late);
    match container.state {
        ContainerState::Running if ends.any(|end| attempt::counts(case, pod, end)) => ContainerState::Terminated,
        ContainerState::Running | ContainerState::Terminated => container.state,
        ContainerState::Waiting | ContainerState::Absent => match ends.next() {
            Some(end) if attempt::counts(case, pod, end) => ContainerState::Terminated,
            Some(end) if end.started.is_some_and(|started| Some(started) <= case.decided) => ContainerState::Running,
            _ => container.state,
        },
    }
}

/// The last termination of a container that the deletion of the Pod did not cause.
pub(crate) fn last_counted<'a>(case: &Case<'_>, pod: &Pod, container: &'a Container) -> Option<&'a Termination> {
    let ends = container.terminations.iter();
    ends.filter(|end| attempt::counts(case, pod, end))
        .max_by_key(|end| end.attempt)
}

/// True if the Pod had not ended at the verdict.
pub(crate) fn is_live(case: &Case<'_>, pod: &Pod) -> bool {
    let (Some(deletion), Some(decided)) = (&pod.deletion, case.decided) else {
        return !is_terminal(&pod.phase) && !pod.removed;
    };
    if deletion.requested >= decided || collateral::after_deadline(case, deletion) {
        return true;
    }
    if is_terminal(&pod.phase) {
        return last_end(pod).is_some_and(|end| end > decided);
    }
    !pod.removed
}

/// The age of the Pod at the verdict.
pub(crate) fn age(case: &Case<'_>, pod: &Pod) -> Option<SignedDuration> {
    Some(case.decided?.duration_since(pod.start_time.or(pod.created)?))
}
