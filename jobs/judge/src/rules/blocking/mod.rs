//! Why a Pod had not finished at the verdict: one rule for each obstacle, in the order of the Pod's life. The first that
//! matches wins, because later obstacles cannot have begun.
//!
//! * `before_start.rs`: scheduling, devices, volumes, sandbox; `container_start.rs`: images and containers;
//!   `work.rs`: crash loops, side containers, long work; `ending.rs`: Pods that are being deleted, nodes that are not ready.
//!
//! The rules look at the time before the verdict: states of versions of the Pod without a `deletionTimestamp`,
//! latched waiting reasons and Events. Deletion rewrites `ImagePullBackOff` to `ContainerCreating` and then to
//! `ContainerStatusUnknown`/137 (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).

mod before_start;
mod container_start;
mod ending;
mod from_events;
mod work;

use job_event::evidence::Pod;

pub(crate) use from_events::last_words;
pub(crate) use work::{has_run_for_long, outlasts};

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::sides;

type BlockingRule = for<'a> fn(&Case<'a>, &'a Pod) -> Option<Finding<'a>>;

/// The rules in order. The first [`ERROR_RULES`] prove an error, the others explain the time that passed.
const RULES: [BlockingRule; 12] = [
    before_start::unscheduled,
    container_start::image_not_pulled,
    container_start::container_not_created,
    work::crash_loop,
    before_start::devices_not_prepared,
    before_start::volume_not_mounted,
    before_start::sandbox_not_created,
    ending::stuck_terminating,
    ending::node_not_ready,
    work::blocked_by_sidecar,
    work::still_running,
    before_start::slow_start,
];

/// How many of [`RULES`] prove an error.
const ERROR_RULES: usize = 7;

/// Why the Pod had not finished, and the place of the rule that matched: lower is more specific.
pub(crate) fn blocking_rule<'a>(case: &Case<'a>, pod: &'a Pod) -> (usize, Finding<'a>) {
    if pod.from_events {
        let found = from_events::blocking_rule(case, pod);
        return found.unwrap_or_else(|| (RULES.len(), last_words(case, pod)));
    }
    RULES
        .iter()
        .enumerate()
        .find_map(|(place, rule)| Some((place, rule(case, pod)?)))
        .unwrap_or((RULES.len(), Finding::on(Cause::Unknown, pod)))
}

/// The error that kept the Pod from starting or finishing, if there was one.
pub(crate) fn blocking_error<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    if pod.from_events {
        return from_events::error(case, pod).map(|(_, finding)| finding);
    }
    RULES.iter().take(ERROR_RULES).find_map(|rule| rule(case, pod))
}

/// The side container that keeps the Pod of an unfinished Job running, on a node that is ready. Evidence: that of
/// [`work::blocked_by_sidecar`], and the running container is a side container, or not the first one of the manifest, which
/// people give to the work.
pub(crate) fn finished_beside<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    if ending::node_not_ready(case, pod).is_some() || pod.deletion.is_some() {
        return None;
    }
    let finding = work::blocked_by_sidecar(case, pod)?;
    let other = finding.container?;
    let is_first = sides::mains(pod).next().is_some_and(|first| first.name == other.name);
    (sides::is_side(pod, other) || !is_first).then_some(finding)
}

/// A Pod of an unfinished Job that does not terminate, or whose node is known not to be ready.
pub(crate) fn ending<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let finding = ending::stuck_terminating(case, pod).or_else(|| ending::node_not_ready(case, pod))?;
    (finding.cause != Cause::NodeLost || pod.node_outage.is_some()).then_some(finding)
}

/// The container of an unfinished Job's Pod that runs, or has not started, where no error was reported.
pub(crate) fn progress<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    work::still_running(case, pod).or_else(|| before_start::slow_start(case, pod))
}
