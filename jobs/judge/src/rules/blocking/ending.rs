//! Pods that were being deleted, and nodes that were not ready.

use job_event::evidence::Pod;

use crate::case::{Case, shifted};
use crate::cause::Cause;
use crate::finding::Finding;

/// Evidence: a request to delete the Pod, more than its grace period before the verdict, and the Pod still existed.
pub(super) fn stuck_terminating<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let deletion = case.own_deletion(pod)?;
    if shifted(deletion.requested, deletion.grace_seconds) >= case.decided? {
        return None;
    }
    let lost = [case.decided, Some(deletion.requested)].map(|at| case.node_not_ready(pod, at));
    let cause = match lost.contains(&true) {
        true => Cause::NodeLost,
        false => Cause::StuckTerminating,
    };
    let event = case.pod_event(pod, &["FailedKillPod", "ExceededGracePeriod"]);
    let message = event.map_or("", |event| &*event.message);
    Some(Finding::on(cause, pod).message(message).at(Some(deletion.requested)))
}

/// Evidence: the Pod's node was not ready at the verdict ([`Case::node_not_ready`]).
pub(super) fn node_not_ready<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let decided = case.decided?;
    if !case.node_not_ready(pod, Some(decided)) {
        return None;
    }
    let event = case.pod_event(pod, &["NodeNotReady"]);
    let message = event.map_or("", |event| &*event.message);
    let since = pod.node_outage.map(|outage| outage.since);
    Some(Finding::on(Cause::NodeLost, pod).message(message).at(since))
}
