//! Jobs that wait for a queue, or for the controller that manages them.

use job_event::evidence::Job;

use super::Stall;
use crate::cause::Cause;
use crate::quote::one_line;

/// The most characters of a name.
const MAX_NAME: usize = 253;

const QUEUED: &str =
    "Look at the conditions of the Job's Workload (kubectl describe workloads): they name the quota that it waits for.";
const MANAGED: &str = "Look at the controller that spec.managedBy names: it must be running and watch this namespace.";

/// The stall of a Job that no controller has started. Evidence: the Job is suspended and has the label of a Kueue queue, which
/// resumes it; or `spec.managedBy` names another controller, and the status shows no progress.
pub(super) fn awaiting(job: &Job) -> Option<Stall> {
    let status = &job.status;
    let (why, next_step) = match (&job.spec.queue, &job.spec.managed_by) {
        (Some(queue), _) if job.spec.suspend => {
            let queue = one_line(queue, MAX_NAME);
            (format!("Kueue queue {queue} has not admitted the Job"), QUEUED)
        }
        (_, Some(manager)) if !job.spec.suspend => {
            let counts = [status.active, status.succeeded, status.failed];
            if status.start_time.is_some() || counts != [0; 3] {
                return None;
            }
            let manager = one_line(manager, MAX_NAME);
            (
                format!("controller {manager} has not started the Job (managedBy)"),
                MANAGED,
            )
        }
        _ => return None,
    };
    let suspended = status.conditions.iter().find(|c| c.is_true && &*c.kind == "Suspended");
    let info = Cause::AwaitingAdmission.info();
    Some(Stall {
        cause: info.cause,
        since: suspended.and_then(|condition| condition.since).max(job.created)?,
        attempts: String::new(),
        why,
        retry: info.retry,
        next_step: next_step.to_owned(),
        container: None,
    })
}
