//! Containers that ran: crash loops, side containers that kept the Pod running, and long work.

use jiff::SignedDuration;
use job_event::Outcome;
use job_event::evidence::{Container, ContainerRole, ContainerState, Pod, Termination};

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::rules::state::{container_state, last_counted, main_started};
use crate::rules::{exit, sides};

/// A container failed repeatedly, or failed while another container kept the Pod alive. Evidence: its last termination, if it
/// is not running or has been running for less than half of the Job's time.
pub(super) fn crash_loop<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let work = sides::work(case, pod);
    let is_work = |container: &Container| work.is_some_and(|work| work.name == container.name);
    let failed = |container: &'a Container| {
        let termination = last_counted(case, pod, container)?;
        let state = container_state(case, pod, container);
        let restarted = container.restarts > 0 || state == ContainerState::Waiting;
        // A Pod whose containers are not restarted fails with each of them.
        let ended = || container.role != ContainerRole::Sidecar && !sides::is_side(pod, container);
        let ended =
            ended() && (!case.restarts_in_place() || container.role == ContainerRole::Init || is_work(container));
        let looping = match state {
            ContainerState::Running => container.restarts > 0 && !has_run_for_long(case, container),
            ContainerState::Terminated => restarted || ended,
            ContainerState::Waiting | ContainerState::Absent => restarted,
        };
        if !looping || !exit::is_failure(termination) {
            return None;
        }
        let finding = sides::termination_cause(case, pod, container, termination)?;
        // A side container that is up again after the work has ended keeps the Pod running.
        let after_work =
            || sides::is_side(pod, container) && work.is_some_and(|work| sides::finished(case, pod, work).is_some());
        let up_again = state == ContainerState::Running && (finding.cause == Cause::SidecarFailed || after_work());
        (!up_again).then(|| {
            (
                container.restarts,
                is_work(container),
                beside_running(case, pod, container, finding),
            )
        })
    };
    // The container with the most restarts is the one that fails; on a tie the work.
    let in_role = |role| {
        let containers = pod.containers.iter().filter(|c| c.role == role);
        let most = containers
            .filter_map(failed)
            .max_by_key(|(restarts, is_work, _)| (*restarts, *is_work));
        most.map(|(_, _, finding)| finding)
    };
    in_role(ContainerRole::Init)
        .or_else(|| in_role(ContainerRole::Main))
        .or_else(|| (!main_started(pod)).then(|| in_role(ContainerRole::Sidecar)).flatten())
}

/// With the container that kept the Pod running after a regular container had failed for good.
fn beside_running<'a>(case: &Case<'a>, pod: &'a Pod, failed: &'a Container, finding: Finding<'a>) -> Finding<'a> {
    let for_good = failed.role == ContainerRole::Main && failed.restarts == 0 && !case.restarts_in_place();
    let for_good = for_good && finding.cause != Cause::SidecarFailed;
    match sides::running_beside(case, pod, failed) {
        Some(other) if for_good => finding.beside(Beside::Running(other)),
        _ => finding,
    }
}

/// Evidence: the work had ended with 0, no other container that may be work waited or had failed, and a regular container
/// was running.
pub(super) fn blocked_by_sidecar<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let work = sides::work(case, pod)?;
    let end = sides::finished(case, pod, work)?;
    let other = sides::running_beside(case, pod, work)?;
    let mut workers = sides::workers(pod);
    let done = workers.all(|worker| {
        container_state(case, pod, worker) == ContainerState::Running || sides::finished(case, pod, worker).is_some()
    });
    let finding = Finding::on(Cause::SidecarBlockedCompletion, pod).container(other);
    done.then(|| finding.beside(Beside::Finished(work)).at(end.finished))
}

/// Evidence: a main or init container was running. A side container that runs before the work has started proves nothing.
pub(super) fn still_running<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let running = |container: &&Container| {
        container.role != ContainerRole::Sidecar && container_state(case, pod, container) == ContainerState::Running
    };
    let started = sides::work_started(pod);
    let other = || {
        let mut containers = pod.containers.iter();
        containers.find(|container| running(container) && (started || !sides::is_side(pod, container)))
    };
    let container = sides::work(case, pod).filter(running).or_else(other)?;
    let finding = Finding::on(Cause::RanTooLong, pod).container(container);
    Some(match sides::failed_side(case, pod) {
        Some((side, end)) => finding.beside(Beside::Failed(side, end)),
        None => finding,
    })
}

/// True if a restarted container has been running for at least half of the Job's time; in a Job that has not finished, for
/// longer than it ran before ([`outlasts`]).
pub(crate) fn has_run_for_long(case: &Case<'_>, container: &Container) -> bool {
    let since = container.running_since.zip(case.decided);
    let Some(run) = since.map(|(since, decided)| decided.duration_since(since)) else {
        return false;
    };
    if case.job().outcome() == Outcome::Running {
        let ran = |end: &Termination| Some(end.finished?.duration_since(end.started?));
        let runs = container.terminations.iter().filter(|end| !exit::never_started(end));
        // A container that could not be started before, and now runs, needs no time to show it.
        let Some(longest) = runs.map(ran).max() else {
            return true;
        };
        return outlasts(run, longest.unwrap_or_default());
    }
    case.duration().is_some_and(|duration| run * 2 >= duration)
}

/// True if a run shows that a program works that failed before: it has lasted half as long again as the longest of these runs,
/// and two minutes, because most programs that fail do so at once.
pub(crate) fn outlasts(run: SignedDuration, longest: SignedDuration) -> bool {
    run > (longest + longest / 2).max(SignedDuration::from_mins(2))
}
