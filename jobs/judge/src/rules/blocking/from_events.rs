//! Pods that were never seen, only their Events. A missing Event proves nothing by itself, so only those rules apply whose
//! proof is an Event, and the obstacles that it shows must have lasted.

use job_event::MessageDetail;
use job_event::evidence::{Container, ContainerRole, ContainerState, Event, Pod};

use super::{before_start, container_start};
use crate::case::{Case, is_about};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{image, sides};

/// Why the Pod had not finished, and the place of the rule in the order of the other Pods' rules.
pub(super) fn blocking_rule<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<(usize, Finding<'a>)> {
    let place = |place| move |finding| (place, finding);
    error(case, pod)
        .or_else(|| blocked_by_ended(pod).map(place(9)))
        .or_else(|| still_running(case, pod).map(place(10)))
        .or_else(|| before_start::slow_start(case, pod).map(place(11)))
}

/// The error that kept the Pod from starting or finishing.
pub(super) fn error<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<(usize, Finding<'a>)> {
    let place = |place| move |finding| (place, finding);
    let rules: [super::BlockingRule; 3] = [
        before_start::devices_not_prepared,
        before_start::volume_not_mounted,
        before_start::sandbox_not_created,
    ];
    let before_start = || rules.iter().find_map(|rule| rule(case, pod));
    let obstacle = || {
        image_not_pulled(case, pod)
            .or_else(|| container_start::container_not_created(case, pod))
            // The pull of an image begins when devices, volumes and the sandbox are ready.
            .or_else(|| before_start().filter(|_| pod.ready_to_start.is_none()))
    };
    before_start::unscheduled(case, pod)
        .map(place(0))
        .or_else(|| failed_repeatedly(case, pod).map(place(3)))
        .or_else(|| obstacle().filter(|_| lasted(case, pod)).map(place(4)))
}

/// An Event of a failed pull, and none of a later one that succeeded.
fn image_not_pulled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let finding = container_start::image_not_pulled(case, pod)?;
    let container = finding.container?;
    let last = |is_kind: &dyn Fn(&Event) -> bool| {
        let events = case.events(&pod.uid);
        let of_it = events.filter(|event| is_about(event, container) && is_kind(event));
        of_it.map(|event| event.last).max()
    };
    let failed = last(&|event| image::is_image_event(&event.reason, &event.message));
    (last(&|event| &*event.reason == "Pulled") < failed).then_some(finding)
}

/// The Event that says most about a Pod whose Events prove no cause.
pub(crate) fn last_words<'a>(case: &Case<'a>, pod: &'a Pod) -> Finding<'a> {
    let stages = ["Scheduled", "Pulling", "Pulled", "Created", "Started"];
    let events = case.events(&pod.uid).filter(|event| !stages.contains(&&*event.reason));
    let most = events.max_by_key(|event| (MessageDetail::of(&event.message), event.last));
    Finding::on(Cause::Unknown, pod).message(most.map_or("", |event| &event.message))
}

/// True if the obstacle lasted until the verdict. Events of type `Normal`, such as that of the scheduler, show each later
/// stage; without them the obstacle must have taken as long as everything after it.
fn lasted(case: &Case<'_>, pod: &Pod) -> bool {
    if pod.node.is_some() {
        return true;
    }
    let passes = ["FailedScheduling", "Unhealthy", "Killing", "BackOff"];
    let obstacles = case.events(&pod.uid).filter(|event| !passes.contains(&&*event.reason));
    let obstacles: Vec<&Event> = obstacles.collect();
    let first = obstacles.iter().filter_map(|event| event.first).min();
    let last = obstacles.iter().filter_map(|event| event.last).max();
    match (first, last, case.decided) {
        (Some(first), Some(last), Some(decided)) => decided.duration_since(last) <= last.duration_since(first),
        _ => false,
    }
}

/// A container that its kubelet restarted repeatedly. Under `restartPolicy: OnFailure` it does so only for an exit code
/// other than 0 (`ShouldContainerBeRestarted` in `pkg/kubelet/container/helpers.go`); no Event has the code.
fn failed_repeatedly<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let mut mains = pod.containers.iter().filter(|c| c.role == ContainerRole::Main);
    let container = mains.find(|container| is_restarted(container) && !has_run_for_long(case, container))?;
    let stopped_by_kubelet = |event: &Event| match &*event.reason {
        "FailedPostStartHook" => true,
        "Killing" => event.message.contains(" will be restarted"),
        _ => false,
    };
    let message = container.waiting.as_deref().map_or("", |waiting| &waiting.message);
    let finding = |cause| Finding::on(cause, pod).container(container).message(message);
    let fails_by_itself =
        case.job().spec.restart_policy.as_deref() != Some("Never") && !case.events(&pod.uid).any(stopped_by_kubelet);
    Some(finding(match fails_by_itself {
        true => Cause::NonZeroExit,
        false => Cause::Unknown,
    }))
}

fn is_restarted(container: &Container) -> bool {
    container.restarts > 0 || container.waiting.is_some()
}

/// True if the container was running, and had been since its last start for at least half of the Job's time.
fn has_run_for_long(case: &Case<'_>, container: &Container) -> bool {
    match (case.decided, container.running_since, case.duration()) {
        (Some(decided), Some(since), Some(duration)) => {
            container.state == ContainerState::Running && decided.duration_since(since) * 2 >= duration
        }
        _ => false,
    }
}

/// A container that may be the work had ended, while another one was still running. Evidence: the kubelet stopped the other
/// one only.
fn blocked_by_ended<'a>(pod: &'a Pod) -> Option<Finding<'a>> {
    let ended = sides::workers(pod).find(|container| container.state == ContainerState::Terminated)?;
    let mut mains = sides::mains(pod);
    let other = mains.find(|other| other.name != ended.name && other.state == ContainerState::Running)?;
    Some(Finding::on(Cause::SidecarBlockedCompletion, pod).container(other))
}

/// A main container was running, or an init container before any main one had begun. Evidence: the kubelet stopped it. A
/// side container proves nothing: the Events of the work may be missing.
fn still_running<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let runs = |container: &&Container| {
        let up = container.state == ContainerState::Running && !sides::is_well_known(container);
        up && (!is_restarted(container) || has_run_for_long(case, container))
    };
    let is_main = |container: &Container| container.role == ContainerRole::Main;
    let any_main = pod.containers.iter().any(is_main);
    // Another one may be the work, and may have ended.
    if sides::mains(pod).any(|main| main.state != ContainerState::Running) {
        return None;
    }
    let work = sides::work(case, pod).filter(runs);
    let mut containers = pod
        .containers
        .iter()
        .filter(|container| is_main(container) || !any_main);
    let container = work.or_else(|| containers.find(runs))?;
    Some(Finding::on(Cause::RanTooLong, pod).container(container))
}
