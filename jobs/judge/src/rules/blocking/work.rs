//! Containers that ran: crash loops, side containers that kept the Pod running, and long work.

use job_event::evidence::{Container, ContainerRole, ContainerState, Pod};

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::exit;
use crate::rules::state::{container_state, default_container, last_counted, main_started};

/// A container failed repeatedly, or failed while another container kept the Pod alive. Evidence: the last termination
/// of a container that is not running, or has been running for less than half of the Job's time.
pub(super) fn crash_loop<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let is_default = |container: &Container| default_container(pod).is_some_and(|c| c.name == container.name);
    let failed = |container: &'a Container| {
        let termination = last_counted(case, pod, container)?;
        let state = container_state(case, pod, container);
        let restarted = container.restarts > 0 || state == ContainerState::Waiting;
        let looping = match state {
            ContainerState::Running => container.restarts > 0 && !has_run_for_long(case, container),
            ContainerState::Terminated => restarted || is_default(container) || container.role == ContainerRole::Init,
            ContainerState::Waiting | ContainerState::Absent => restarted,
        };
        if !looping || !exit::is_failure(termination) {
            return None;
        }
        let finding = exit::termination_cause(case, pod, container, termination)?;
        Some((container.restarts, is_default(container), finding))
    };
    // The container with the most restarts is the one that fails; on a tie the default container.
    let in_role = |role| {
        let containers = pod.containers.iter().filter(|c| c.role == role);
        let most = containers
            .filter_map(failed)
            .max_by_key(|(restarts, is_default, _)| (*restarts, *is_default));
        most.map(|(_, _, finding)| finding)
    };
    in_role(ContainerRole::Init)
        .or_else(|| in_role(ContainerRole::Main))
        .or_else(|| (!main_started(pod)).then(|| in_role(ContainerRole::Sidecar)).flatten())
}

/// Evidence: the default container had terminated with 0, and another one that is not a native sidecar was running.
pub(super) fn blocked_by_sidecar<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let default = default_container(pod)?;
    let done = container_state(case, pod, default) == ContainerState::Terminated
        && last_counted(case, pod, default).is_some_and(|termination| !exit::is_failure(termination));
    let other = pod.containers.iter().find(|container| {
        container.role == ContainerRole::Main
            && container.name != default.name
            && container_state(case, pod, container) == ContainerState::Running
    })?;
    done.then(|| Finding::on(Cause::SidecarBlockedCompletion, pod).container(other))
}

/// Evidence: a main or init container was running.
pub(super) fn still_running<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let running = |container: &&Container| {
        container.role != ContainerRole::Sidecar && container_state(case, pod, container) == ContainerState::Running
    };
    let container = default_container(pod)
        .filter(running)
        .or_else(|| pod.containers.iter().find(running))?;
    Some(Finding::on(Cause::RanTooLong, pod).container(container))
}

/// True if a restarted container has been running for at least half of the Job's time.
fn has_run_for_long(case: &Case<'_>, container: &Container) -> bool {
    match (case.decided, container.running_since, case.duration()) {
        (Some(decided), Some(since), Some(duration)) => decided.duration_since(since) * 2 >= duration,
        _ => false,
    }
}
