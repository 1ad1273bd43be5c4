//! Why one Pod failed: the first rule that matches wins.
//!
//! 1. The kubelet rejected the Pod ([`rejection`]).
//! 2. The program failed before a disruption.
//! 3. A disruption ([`disruption::disruption`]), then `status.reason` without one.
//! 4. The container that failed first ([`exit`]).
//! 5. A deletion by a user or another controller.
//! 6. An error that blocked its start ([`blocking`]).
//!
//! Source for the order of ends within a Pod: `pkg/kubelet/kuberuntime/kuberuntime_termination_order.go` of
//! Kubernetes (native sidecars are stopped after the main containers) and `getPhase` in `pkg/kubelet/kubelet_pods.go`.

use jiff::Timestamp;
use job_event::evidence::{Container, ContainerRole, Pod, Termination};

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::rules::{blocking, disruption, exit, rejection, sides, state};

/// True if a termination counts: it was seen, or happened, before the request to delete the Pod. A later end, with any exit
/// code, is a consequence of that request. The order of the watch is more exact than the API's timestamps of one second.
/// For a Pod that was first seen late only the last request is known, so ends after the verdict do not count either.
pub(crate) fn counts(case: &Case<'_>, pod: &Pod, termination: &Termination) -> bool {
    let Some(deletion) = &pod.deletion else { return true };
    if termination.after_deletion {
        return false;
    }
    let before = |finished| finished < deletion.requested && case.decided.is_none_or(|decided| finished < decided);
    let in_time = termination.before_deletion || termination.finished.is_some_and(before);
    // The verdict ended this Pod, and only the last request is known.
    let is_signal = exit::is_stop(termination.exit_code) && &*termination.reason == "Error";
    in_time && (termination.before_deletion || !(deletion.seen_late && is_signal && case.is_collateral(pod)))
}

/// The cause of a failed Pod.
pub(crate) fn attempt_cause<'a>(case: &Case<'a>, pod: &'a Pod) -> Finding<'a> {
    if let Some(finding) = system_cause(case, pod) {
        return finding;
    }
    own_failure(case, pod, None)
        .map(|finding| unless_ended(pod, finding))
        .or_else(|| disruption::by_event(case, pod))
        .or_else(|| deleted(case, pod))
        .or_else(|| blocking::blocking_error(case, pod))
        .unwrap_or_else(|| Finding::on(Cause::Unknown, pod).at(pod.not_ready_since))
}

/// A `status.reason` or message of the Pod that [`system_cause`] does not know: killed and lost containers follow from it and
/// prove nothing.
fn unless_ended<'a>(pod: &'a Pod, finding: Finding<'a>) -> Finding<'a> {
    let unsaid = pod.reason.is_empty() && pod.message.is_empty();
    let by_signal = || finding.exit_code.map(exit::exit_code_cause) == Some(Cause::Killed);
    let follows = match finding.cause {
        Cause::Killed | Cause::NodeLost => true,
        Cause::SidecarFailed => by_signal(),
        _ => false,
    };
    if unsaid || !follows {
        return finding;
    }
    Finding::on(Cause::Unknown, pod).message(&pod.message).at(finding.at)
}

/// The action of the system on the Pod as a whole: rules 1 to 3.
pub(crate) fn system_cause<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    if let Some(finding) = rejection::rejection(pod) {
        return Some(finding);
    }
    match pod.disruption.as_deref() {
        // The kubelet publishes its own disruptions together with the end of the Pod, so their time proves nothing.
        Some(condition) if &*condition.reason != "TerminationByKubelet" => {
            let deleted = pod.deletion.as_ref().map(|deletion| deletion.requested);
            let disrupted = match (condition.since, deleted) {
                (Some(since), Some(deleted)) => Some(since.min(deleted)),
                (since, deleted) => since.or(deleted),
            };
            if let Some(finding) = disrupted.and_then(|before| own_failure(case, pod, Some(before))) {
                return Some(finding);
            }
        }
        _ => {}
    }
    disruption::disruption(case, pod).or_else(|| disruption::status_reason(case, pod))
}

/// Evidence: a request to delete the Pod from neither the Job controller nor a disruption.
fn deleted<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    // If the Pod was first seen ended, the order of its end and its deletion is unknown.
    let deletion = case.own_deletion(pod).filter(|deletion| !deletion.seen_late)?;
    Some(Finding::on(Cause::PodDeleted, pod).at(Some(deletion.requested)))
}

/// The failure of a container that explains the failure of the Pod: init containers first, then main containers, then native
/// sidecars; within a class the earliest, because the others are its consequences, and on a tie the work.
/// Only the last run of each container counts: earlier failures were retried.
///
/// A side container that failed before the work did is the cause: the work lost its proxy. Where only a signal ended it, or
/// SIGTERM ended another container just before a failure, the work may have stopped it, so the failure of the work counts.
///
/// With `before`, only failures of init and main containers before that time.
fn own_failure<'a>(case: &Case<'a>, pod: &'a Pod, before: Option<Timestamp>) -> Option<Finding<'a>> {
    let work = sides::work(case, pod).map(|container| &container.name);
    let mut failures: Vec<(&Container, &Termination, Finding<'a>)> = pod
        .containers
        .iter()
        .filter(|container| before.is_none() || container.role != ContainerRole::Sidecar)
        .filter_map(|container| {
            let ends = container.terminations.iter().filter(|end| counts(case, pod, end));
            let last = ends.max_by_key(|end| end.attempt)?;
            // A disruption through the API deletes the Pod at once, so the order of the watch counts here too.
            let in_order = pod.deletion.is_some() && last.before_deletion;
            let in_time =
                before.is_none_or(|before| in_order || last.finished.is_some_and(|finished| finished < before));
            let failed = exit::is_failure(last) && in_time;
            let finding = failed
                .then(|| sides::termination_cause(case, pod, container, last))
                .flatten()?;
            Some((container, last, finding))
        })
        .collect();
    let own = failures.iter().filter(|(_, _, finding)| finding.cause != Cause::Killed);
    let own: Vec<&Termination> = own.map(|(_, end, _)| *end).collect();
    let is_stopped = |end| own.iter().any(|failure| sides::was_stopped(end, failure));
    failures.sort_by_cached_key(|(container, end, finding)| {
        let is_killed = || finding.cause == Cause::Killed;
        let class = match container.role {
            ContainerRole::Init => 0,
            ContainerRole::Main if is_killed() && (sides::is_side(pod, container) || is_stopped(end)) => 2,
            ContainerRole::Main => 1,
            ContainerRole::Sidecar => 3,
        };
        // An end without a time was lost; an end with a time is better proof.
        (
            class,
            end.finished.is_none(),
            end.finished,
            Some(&container.name) != work,
        )
    });
    // The kubelet kills a native sidecar when the other containers have ended. An init container that is killed after the
    // start of a main container is a sidecar too, by a rule of a newer Kubernetes.
    let main_started = state::main_started(pod);
    let is_aside = |role| role == ContainerRole::Sidecar || role == ContainerRole::Init && main_started;
    let place = failures
        .iter()
        .position(|(container, _, finding)| finding.cause != Cause::Killed || !is_aside(container.role))?;
    let (blamed, _, finding) = failures[place];
    let mut consequences = failures[place + 1..].iter().filter(|(other, _, _)| {
        sides::is_side(pod, blamed) && other.role == ContainerRole::Main && !sides::is_side(pod, other)
    });
    Some(match consequences.next() {
        Some((other, end, _)) => finding.beside(Beside::Failed(other, end)),
        None => finding,
    })
}

/// The cause of a failed Pod if the failure policy's message names the container and its exit code.
pub(crate) fn named_exit_cause<'a>(case: &Case<'a>, pod: &'a Pod, container: &str, exit_code: i32) -> Finding<'a> {
    if let Some(finding) = system_cause(case, pod) {
        return finding;
    }
    let by_code = Finding::on(exit::exit_code_cause(exit_code), pod).exit_code(exit_code);
    let Some(container) = pod.containers.iter().find(|c| &*c.name == container) else {
        return by_code;
    };
    container
        .terminations
        .iter()
        .rev()
        .find(|termination| termination.exit_code == exit_code)
        .and_then(|termination| sides::termination_cause(case, pod, container, termination))
        .unwrap_or(by_code.container(container))
}
