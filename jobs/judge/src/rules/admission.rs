//! Errors of the API server on creating the Job's Pods: the Job's Event `FailedCreate`.
//!
//! Sources: `RealPodControl.createPods` in `pkg/controller/controller_utils.go` writes `Error creating: ERROR`; the texts of
//! the errors are in [`ADMISSION`].

use jiff::Timestamp;
use job_event::evidence::Event;

use crate::case::{Case, shifted};
use crate::category::Retry;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::texts::ADMISSION;

/// How long before the latest error another one still explains the same wait. The Job controller retries at least every 10
/// minutes (`maxJobPodFailureBackOff` in `pkg/controller/job/job_controller.go`).
const SAME_WAIT_SECONDS: i64 = 600;

/// The reason why Pods could not be created, if there is such an Event: the latest, unless that is a passing error of the
/// cluster and an error that stays preceded it.
pub(crate) fn failed_create<'a>(case: &Case<'a>) -> Option<Finding<'a>> {
    let errors = || {
        let events = case.events(&case.evidence.job.uid);
        events.filter(|event| &*event.reason == "FailedCreate")
    };
    let latest = errors().next()?;
    let found = finding(latest);
    if !passes(&found) {
        return Some(found);
    }
    let recent = |event: &&Event| match (event.last, latest.last) {
        (Some(last), Some(latest)) => last >= shifted(latest, -SAME_WAIT_SECONDS),
        _ => false,
    };
    let stays = errors().filter(recent).map(finding).find(|other| !passes(other));
    Some(stays.unwrap_or(found))
}

/// Since when no Pod can be created: the first of the errors, at or after the creation of the last Pod. `None` without one.
pub(crate) fn refused_since(case: &Case<'_>, created: Option<Timestamp>) -> Option<Timestamp> {
    let events = case.events(&case.evidence.job.uid);
    let errors = events.filter(|event| &*event.reason == "FailedCreate" && event.last >= created);
    let first = errors.filter_map(|event| event.first.or(event.last)).min()?;
    Some(created.map_or(first, |created| first.max(created)))
}

fn finding(event: &Event) -> Finding<'_> {
    let finding = Finding::of(Cause::AdmissionDenied)
        .message(&event.message)
        .at(event.last);
    match ADMISSION.find(&event.message) {
        Some(text) => finding.known(text),
        None => finding,
    }
}

/// True for a failure of the cluster that a retry overcomes.
fn passes(finding: &Finding<'_>) -> bool {
    finding.text.is_some_and(|text| text.retry == Retry::Yes)
}
