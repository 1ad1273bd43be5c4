//! Why one Pod failed: the first rule that holds wins.
//!
//! 1. The kubelet refused it ([`rejection`]).
//! 2. The program had failed before a disruption came: the program.
//! 3. A disruption ([`disruption::disruption`]), then `status.reason` without one.
//! 4. The container that ended first with a failure ([`exit`]).
//! 5. Somebody deleted it.
//! 6. An error kept it from starting ([`blocking`]).
//!
//! Source for the order of ends within a Pod: `pkg/kubelet/kuberuntime/kuberuntime_termination_order.go` of
//! Kubernetes (native sidecars are stopped after the main containers) and `getPhase` in `pkg/kubelet/kubelet_pods.go`.

use jiff::Timestamp;
use job_event::evidence::{Container, ContainerRole, Pod, Termination};

use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{blocking, disruption, exit, rejection};
use crate::world::World;

/// Whether a termination counts: it was seen before the Pod was asked to go, or happened before. What a container
/// does after that request, whatever its exit code, is an answer to it. The order of the watch beats the API's
/// timestamps of one second. Of a Pod that was first seen when it was all but gone only the last request is known, so
/// what its containers did after the verdict does not count either.
pub fn counts(world: &World<'_>, pod: &Pod, termination: &Termination) -> bool {
    let Some(deletion) = &pod.deletion else { return true };
    if termination.after_deletion {
        return false;
    }
    let before = |finished| finished < deletion.requested && world.decided.is_none_or(|decided| finished < decided);
    let in_time = termination.before_deletion || termination.finished.is_some_and(before);
    // A victim of the verdict, of which only the last request is known.
    let is_signal = matches!(termination.exit_code, 137 | 143) && &*termination.reason == "Error";
    in_time && (termination.before_deletion || !(deletion.seen_late && is_signal && world.is_collateral(pod)))
}

/// Why the Pod failed.
pub fn attempt_cause<'a>(world: &World<'a>, pod: &'a Pod) -> Finding<'a> {
    if let Some(finding) = system_cause(world, pod) {
        return finding;
    }
    own_failure(world, pod, None)
        .map(|finding| unless_ended(pod, finding))
        .or_else(|| deleted(world, pod))
        .or_else(|| blocking::blocking_error(world, pod))
        .unwrap_or_else(|| Finding::on(Cause::Unknown, pod).at(pod.not_ready_since))
}

/// Somebody gave the Pod as a whole a `status.reason` or message, and [`system_cause`] does not know it: then that its containers
/// were killed or lost follows from it and explains nothing.
fn unless_ended<'a>(pod: &'a Pod, finding: Finding<'a>) -> Finding<'a> {
    let unsaid = pod.reason.is_empty() && pod.message.is_empty();
    if unsaid || !matches!(finding.cause, Cause::Killed | Cause::NodeLost) {
        return finding;
    }
    Finding::on(Cause::Unknown, pod).message(&pod.message).at(finding.at)
}

/// What the system did to the Pod as a whole: rules 1 to 3, but for a program that had failed before.
pub fn system_cause<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    if let Some(finding) = rejection::rejection(pod) {
        return Some(finding);
    }
    match pod.disruption.as_deref() {
        // The kubelet publishes its own disruptions with the end of the Pod, so their time tells nothing.
        Some(condition) if &*condition.reason != "TerminationByKubelet" => {
            let deleted = pod.deletion.as_ref().map(|deletion| deletion.requested);
            let disrupted = match (condition.since, deleted) {
                (Some(since), Some(deleted)) => Some(since.min(deleted)),
                (since, deleted) => since.or(deleted),
            };
            if let Some(finding) = disrupted.and_then(|before| own_failure(world, pod, Some(before))) {
                return Some(finding);
            }
        }
        _ => {}
    }
    disruption::disruption(world, pod).or_else(|| disruption::status_reason(world, pod))
}

/// Evidence: a request to delete the Pod from neither the Job controller nor a disruption.
fn deleted<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    // Of a Pod that had ended when it was first seen, nobody knows which came first.
    let deletion = world.own_deletion(pod).filter(|deletion| !deletion.seen_late)?;
    Some(Finding::on(Cause::PodDeleted, pod).at(Some(deletion.requested)))
}

/// The failure of a container of the Pod that explains the Pod's: of init containers before main ones before native
/// sidecars, within a class the earliest, because the others are its consequences; of equals the default container.
/// Of each container only its last run: what it failed before, it was given another chance for.
///
/// With `before`, only failures of init and main containers before that time.
fn own_failure<'a>(world: &World<'a>, pod: &'a Pod, before: Option<Timestamp>) -> Option<Finding<'a>> {
    let default = blocking::default_container(pod).map(|container| &container.name);
    let mut failures: Vec<(&Container, &Termination)> = pod
        .containers
        .iter()
        .filter(|container| before.is_none() || container.role != ContainerRole::Sidecar)
        .filter_map(|container| {
            let ends = container.terminations.iter().filter(|end| counts(world, pod, end));
            let last = ends.max_by_key(|end| end.attempt)?;
            // Who disrupts a Pod through the API asks for its deletion at once; there again the order of the watch counts.
            let in_order = pod.deletion.is_some() && last.before_deletion;
            let in_time =
                before.is_none_or(|before| in_order || last.finished.is_some_and(|finished| finished < before));
            (exit::is_failure(last) && in_time).then_some((container, last))
        })
        .collect();
    failures.sort_by_key(|(container, end)| {
        let class = match container.role {
            ContainerRole::Init => 0,
            ContainerRole::Main => 1,
            ContainerRole::Sidecar => 2,
        };
        // Ends without a time were lost track of; those with one say more.
        (
            class,
            end.finished.is_none(),
            end.finished,
            Some(&container.name) != default,
        )
    });
    // A native sidecar is killed when the others are done, whatever they were. No main container starts before the init
    // containers are done, so one that is killed later is a sidecar too, by a rule that is not known here.
    let main_started = pod
        .containers
        .iter()
        .any(|container| container.role == ContainerRole::Main && container.started);
    let is_aside = |role| role == ContainerRole::Sidecar || role == ContainerRole::Init && main_started;
    failures.into_iter().find_map(|(container, end)| {
        let finding = exit::termination_cause(world, pod, container, end)?;
        (finding.cause != Cause::Killed || !is_aside(container.role)).then_some(finding)
    })
}

/// Why the Pod failed, where the failure policy's message names the container and its exit code.
pub fn named_exit_cause<'a>(world: &World<'a>, pod: &'a Pod, container: &str, exit_code: i32) -> Finding<'a> {
    if let Some(finding) = system_cause(world, pod) {
        return finding;
    }
    let Some(container) = pod.containers.iter().find(|c| &*c.name == container) else {
        return Finding {
            exit_code: Some(exit_code),
            ..Finding::on(exit::exit_code_cause(exit_code), pod)
        };
    };
    container
        .terminations
        .iter()
        .rev()
        .find(|termination| termination.exit_code == exit_code)
        .and_then(|termination| exit::termination_cause(world, pod, container, termination))
        .unwrap_or(Finding {
            exit_code: Some(exit_code),
            ..Finding::on(exit::exit_code_cause(exit_code), pod).container(container)
        })
}
