//! Which Pods were ended by the verdict itself, and so tell nothing about its cause.
//!
//! Source: `pkg/controller/job/job_controller.go` of Kubernetes: `syncJob` takes the verdict, then deletes every
//! active Pod (`deleteActivePods`), each with an Event `SuccessfulDelete` on the Job
//! (`RealPodControl.DeletePod` in `pkg/controller/controller_utils.go`). A suspension and a smaller `parallelism`
//! delete Pods the same way.

use job_event::Outcome;
use job_event::evidence::{Pod, PodDeletion};

use crate::world::{World, shifted};

/// Whether the Job controller, and nobody else, ended this Pod.
///
/// Evidence: the Job's Event `SuccessfulDelete` that names the Pod; else the first request to delete the Pod, which
/// is not before the verdict (the verdict's time is taken before the deletes), or not before the deadline
/// (a verdict can be dropped and taken again later), or within a suspension. Never the exit code.
pub fn is_collateral(world: &World<'_>, pod: &Pod) -> bool {
    let Some(deletion) = &pod.deletion else {
        return false;
    };
    deleted_by_controller(world, pod)
        || world.decided.is_some_and(|decided| deletion.requested >= decided)
        || after_deadline(world, deletion)
        || while_suspended(world, deletion)
        || with_the_job(world, pod)
}

fn deleted_by_controller(world: &World<'_>, pod: &Pod) -> bool {
    world
        .events(&world.evidence.job.uid)
        .any(|event| &*event.reason == "SuccessfulDelete" && deleted_pod(&event.message) == Some(&*pod.name))
}

/// `Deleted pod: NAME`, possibly after `(combined from similar events): `: the name.
pub fn deleted_pod(message: &str) -> Option<&str> {
    message.rsplit_once("Deleted pod: ").map(|(_, name)| name.trim())
}

/// Whether the request came when `activeDeadlineSeconds` had passed, in a Job that failed for that.
pub fn after_deadline(world: &World<'_>, deletion: &PodDeletion) -> bool {
    let job = world.job();
    let (Some(start), Some(seconds)) = (job.status.start_time, job.spec.active_deadline_seconds) else {
        return false;
    };
    world.reason() == "DeadlineExceeded" && deletion.requested >= shifted(start, seconds)
}

/// Whether the request came while the Job was suspended. On resume `Suspended` turns false and the Job starts anew.
fn while_suspended(world: &World<'_>, deletion: &PodDeletion) -> bool {
    let status = &world.job().status;
    let Some(condition) = status.conditions.iter().find(|c| &*c.kind == "Suspended") else {
        return false;
    };
    if condition.is_true {
        return condition.since.is_some_and(|since| deletion.requested >= since);
    }
    status.start_time.is_some_and(|start| deletion.requested <= start)
}

/// Of a Job that was deleted undecided, the garbage collector deletes the Pods, by and by and without a trace of it.
fn with_the_job(world: &World<'_>, pod: &Pod) -> bool {
    matches!(world.job().outcome(), Outcome::Deleted | Outcome::Replaced) && pod.disruption.is_none()
}
