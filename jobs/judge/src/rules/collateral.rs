//! Pods that the verdict itself ended, and which so prove nothing about its cause.
//!
//! Source: `pkg/controller/job/job_controller.go` of Kubernetes: `syncJob` takes the verdict, then deletes every
//! active Pod (`deleteActivePods`), each with an Event `SuccessfulDelete` on the Job
//! (`RealPodControl.DeletePod` in `pkg/controller/controller_utils.go`). A suspension and a smaller `parallelism`
//! delete Pods the same way.

use job_event::Outcome;
use job_event::evidence::{Pod, PodDeletion};

use crate::case::{Case, shifted};

/// True if the Job controller ended this Pod.
///
/// Evidence: the Job's Event `SuccessfulDelete` that names the Pod; else the first request to delete the Pod, which
/// is not before the verdict (the controller takes its time before the deletes), or not before the deadline
/// (the controller can drop a verdict and repeat it later), or within a suspension. Never the exit code.
pub(crate) fn is_collateral(case: &Case<'_>, pod: &Pod) -> bool {
    let Some(deletion) = &pod.deletion else {
        return false;
    };
    deleted_by_controller(case, pod)
        || case.decided.is_some_and(|decided| deletion.requested >= decided)
        || after_deadline(case, deletion)
        || while_suspended(case, deletion)
        || with_the_job(case, pod)
}

fn deleted_by_controller(case: &Case<'_>, pod: &Pod) -> bool {
    case.events(&case.evidence.job.uid)
        .any(|event| &*event.reason == "SuccessfulDelete" && deleted_pod(&event.message) == Some(&*pod.name))
}

/// `Deleted pod: NAME`, possibly after `(combined from similar events): `: the name.
pub(crate) fn deleted_pod(message: &str) -> Option<&str> {
    message.rsplit_once("Deleted pod: ").map(|(_, name)| name.trim())
}

/// True if the deletion was requested after `activeDeadlineSeconds`, in a Job that failed for its deadline.
pub(crate) fn after_deadline(case: &Case<'_>, deletion: &PodDeletion) -> bool {
    let job = case.job();
    let (Some(start), Some(seconds)) = (job.status.start_time, job.spec.active_deadline_seconds) else {
        return false;
    };
    case.reason() == "DeadlineExceeded" && deletion.requested >= shifted(start, seconds)
}

/// True if the deletion was requested while the Job was suspended. On resume `Suspended` becomes false and the Job gets a
/// new start time.
fn while_suspended(case: &Case<'_>, deletion: &PodDeletion) -> bool {
    let status = &case.job().status;
    let Some(condition) = status.conditions.iter().find(|c| &*c.kind == "Suspended") else {
        return false;
    };
    if condition.is_true {
        return condition.since.is_some_and(|since| deletion.requested >= since);
    }
    status.start_time.is_some_and(|start| deletion.requested <= start)
}

/// True for Pods of a Job that was deleted without a verdict: the garbage collector deletes them later, without an Event.
fn with_the_job(case: &Case<'_>, pod: &Pod) -> bool {
    matches!(case.job().outcome(), Outcome::Deleted | Outcome::Replaced) && pod.disruption.is_none()
}
