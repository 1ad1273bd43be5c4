//! The container of a Pod that does the work, and those that only serve it: `docs/side-containers.md`.
//!
//! Sources: `getPhase` in `pkg/kubelet/kubelet_pods.go` of Kubernetes (a Pod ends when every regular container has ended, and
//! fails if one of them failed; native sidecars do not count) and `staging/src/k8s.io/kubectl/pkg/cmd/util/podcmd` (the annotation).

use job_event::evidence::{Container, ContainerRole, ContainerState, Pod, Termination};

use crate::case::{Case, shifted};
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::rules::exit;
use crate::rules::state::{container_state, last_counted};
use crate::side_containers::well_known;

/// The longest time between the end of the work and the end of a container that the work stopped: the time in which most
/// proxies drain their connections. Without a failed probe or hook nothing in a cluster sends SIGTERM to one container of a Pod.
const STOPPED_SECONDS: i64 = 10;

/// The longest time in which the kubelet notices the end of a grace period and kills the container.
const KILL_SECONDS: i64 = 5;

/// The container with the work of the Job: the one named by the annotation `kubectl.kubernetes.io/default-container`; else,
/// among those that are no side containers, the first that ended with 0 while another one ran or failed later; else the
/// first of these.
pub(crate) fn work<'a>(case: &Case<'_>, pod: &'a Pod) -> Option<&'a Container> {
    if let Some(named) = named(pod) {
        return Some(named);
    }
    let mut candidates = workers(pod);
    let first = candidates.clone().next()?;
    let outlived = |done: &&Container| {
        finished(case, pod, done).is_some_and(|end| workers(pod).any(|other| outlives(case, pod, other, end)))
    };
    candidates.find(outlived).or(Some(first))
}

/// The container that the annotation names.
fn named(pod: &Pod) -> Option<&Container> {
    let name = pod.default_container.as_deref()?;
    mains(pod).find(|container| &*container.name == name)
}

/// The regular containers.
pub(crate) fn mains(pod: &Pod) -> impl Iterator<Item = &Container> + Clone {
    let containers = pod.containers.iter();
    containers.filter(|container| container.role == ContainerRole::Main)
}

/// The regular containers that may be the work: at least one, if there is a regular container.
pub(crate) fn workers(pod: &Pod) -> impl Iterator<Item = &Container> + Clone {
    mains(pod).filter(|container| !is_side(pod, container))
}

/// True for a regular container that only serves others: a well-known side container, unless the annotation names it or the
/// Pod has no other container; or, beside a container that the annotation names, any other one. The injectors of meshes write
/// the annotation too, so beside a well-known side container it proves nothing about the others.
pub(crate) fn is_side(pod: &Pod, container: &Container) -> bool {
    let mut others = mains(pod).filter(|other| other.name != container.name).peekable();
    if container.role != ContainerRole::Main || others.peek().is_none() {
        return false;
    }
    let named = named(pod);
    if named.is_some_and(|named| named.name == container.name) {
        return false;
    }
    if is_well_known(container) {
        return named.is_some() || others.any(|other| !is_well_known(other));
    }
    named.is_some() && !pod.containers.iter().any(is_well_known)
}

/// True for a well-known side container, by its name or image.
pub(crate) fn is_well_known(container: &Container) -> bool {
    well_known(&container.name, &container.image).is_some()
}

/// The end of a container that ended with 0 by itself.
pub(crate) fn finished<'a>(case: &Case<'_>, pod: &Pod, container: &'a Container) -> Option<&'a Termination> {
    let ended = container_state(case, pod, container) == ContainerState::Terminated;
    last_counted(case, pod, container).filter(|end| ended && end.exit_code == 0 && !exit::is_failure(end))
}

/// True if a container ran after that end, or failed after it.
fn outlives(case: &Case<'_>, pod: &Pod, container: &Container, end: &Termination) -> bool {
    match container_state(case, pod, container) {
        ContainerState::Running => true,
        ContainerState::Terminated => last_counted(case, pod, container)
            .is_some_and(|last| exit::is_failure(last) && last.finished.zip(end.finished).is_some_and(|(a, b)| a > b)),
        ContainerState::Waiting | ContainerState::Absent => false,
    }
}

/// The work and its end, if every container that may be the work, other than `except`, ended with 0.
fn work_done<'a>(case: &Case<'_>, pod: &'a Pod, except: &Container) -> Option<(&'a Container, &'a Termination)> {
    let others = || workers(pod).filter(|other| other.name != except.name);
    let mut ends = others().map(|other| Some((other, finished(case, pod, other)?)));
    let first = ends.next()??;
    // The work ended when the last of them had ended.
    ends.try_fold(first, |last, end| {
        end.map(|end| if end.1.finished > last.1.finished { end } else { last })
    })
}

/// A running container beside that one: preferably one that is not a well-known side container, because that one may be the
/// work.
pub(crate) fn running_beside<'a>(case: &Case<'_>, pod: &'a Pod, container: &Container) -> Option<&'a Container> {
    let running = |other: &&Container| {
        other.name != container.name && container_state(case, pod, other) == ContainerState::Running
    };
    let mut others = workers(pod).filter(running);
    others.next().or_else(|| mains(pod).find(running))
}

/// A side container that failed for good, without a restart.
pub(crate) fn failed_side<'a>(case: &Case<'_>, pod: &'a Pod) -> Option<(&'a Container, &'a Termination)> {
    mains(pod).filter(|container| is_side(pod, container)).find_map(|side| {
        let ended = container_state(case, pod, side) == ContainerState::Terminated && !case.restarts_in_place();
        let end = last_counted(case, pod, side).filter(|end| ended && exit::is_failure(end))?;
        Some((side, end))
    })
}

/// True if a container that may be the work has started.
pub(crate) fn work_started(pod: &Pod) -> bool {
    workers(pod).any(|worker| worker.started)
}

/// True if a container that may be the work waits for its first start, and none has started.
pub(crate) fn work_waits(pod: &Pod) -> bool {
    !work_started(pod) && workers(pod).any(|worker| worker.state == ContainerState::Waiting)
}

/// The cause of a termination ([`exit::termination_cause`]), seen beside the other containers of the Pod.
///
/// Evidence for [`Cause::SidecarFailed`]: every container that may be the work ended with 0, and this one is a side container,
/// or a signal stopped it around that time. If it may be work of its own, the cause stays.
pub(crate) fn termination_cause<'a>(
    case: &Case<'a>,
    pod: &'a Pod,
    container: &'a Container,
    termination: &'a Termination,
) -> Option<Finding<'a>> {
    let finding = exit::termination_cause(case, pod, container, termination)?;
    if container.role != ContainerRole::Main {
        return Some(finding);
    }
    let Some((work, end)) = work_done(case, pod, container) else {
        return Some(finding);
    };
    // A container that was restarted before the work ended failed while it was needed.
    let earlier = || {
        termination
            .finished
            .zip(end.finished)
            .is_none_or(|(this, work)| this < work)
    };
    if case.restarts_in_place() && earlier() {
        return Some(finding);
    }
    let finding = finding.beside(Beside::Finished(work));
    // A failed probe or hook stops a container with a signal too, but its Event may be missing.
    let own = match finding.cause {
        Cause::NonZeroExit | Cause::Crashed | Cause::ProbeFailed | Cause::Killed | Cause::OutOfMemory => true,
        Cause::ContainerStart => !matches!(&*termination.reason, "StartError" | "ContainerCannotRun"),
        _ => false,
    };
    let aside = is_side(pod, container) || was_stopped(termination, end);
    // A known text says why the container could not be started.
    Some(match own && aside && finding.text.is_none() {
        true => Finding {
            cause: Cause::SidecarFailed,
            ..finding
        },
        false => finding,
    })
}

/// True for an end by SIGTERM or SIGINT around the end of the work: the work stopped it.
pub(crate) fn was_stopped(termination: &Termination, work: &Termination) -> bool {
    let near = |(this, work)| shifted(work, -STOPPED_SECONDS) <= this && this <= shifted(work, STOPPED_SECONDS);
    matches!(termination.exit_code, 130 | 143) && termination.finished.zip(work.finished).is_some_and(near)
}

/// The Pod's own deadline ended only another container: the work had failed or ended with 0 before. Evidence: the kubelet
/// stops all containers at once and kills them after the grace period, so a longer time lies between the two ends.
pub(crate) fn ended_before_deadline<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let end = |container: &'a Container| Some((container, last_counted(case, pod, container)?));
    let (stopped, last) = mains(pod).filter_map(end).max_by_key(|(_, end)| end.finished)?;
    let signalled = shifted(last.finished?, -exit::grace(pod) - KILL_SECONDS);
    let before = |end: &Termination| end.finished.is_some_and(|finished| finished < signalled);
    let failed = workers(pod).filter_map(end);
    let failed = failed.filter(|(_, end)| exit::is_failure(end) && before(end));
    if let Some((worker, end)) = failed.min_by_key(|(_, end)| end.finished) {
        let finding = termination_cause(case, pod, worker, end)?;
        return Some(finding.beside(Beside::Running(stopped)));
    }
    let (work, end) = work_done(case, pod, stopped).filter(|(_, end)| before(end))?;
    let finding = Finding::on(Cause::SidecarBlockedCompletion, pod).container(stopped);
    Some(
        finding
            .beside(Beside::Finished(work))
            .at(last.finished.max(end.finished)),
    )
}
