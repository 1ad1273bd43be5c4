//! Errors of the API server on creating the Job's Pods: the Job's Event `FailedCreate`.
//!
//! Sources: `RealPodControl.createPods` in `pkg/controller/controller_utils.go` writes `Error creating: ERROR`; the
//! texts on quota come from `apiserver/pkg/admission/plugin/resourcequota/controller.go` and
//! `pkg/quota/v1/evaluator/core/pods.go`.

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::Finding;

const QUOTA_TEXTS: [&str; 4] = [
    "exceeded quota:",
    "failed quota:",
    "insufficient quota to",
    "status unknown for quota:",
];

fn text_cause(message: &str) -> Cause {
    if QUOTA_TEXTS.iter().any(|text| message.contains(text)) {
        Cause::QuotaExceeded
    } else {
        Cause::AdmissionDenied
    }
}

/// True if the error is not a refusal but a failure of the cluster: a webhook or an API server that did not respond
/// (`NewFailedWebhook...` in `apiserver/pkg/util/webhook/error.go`).
pub(crate) fn is_passing(message: &str) -> bool {
    [
        "failed calling webhook",
        "timeout",
        "timed out",
        "connection refused",
        "etcdserver",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// The reason why Pods could not be created, if there is such an Event.
pub(crate) fn failed_create<'a>(case: &Case<'a>) -> Option<Finding<'a>> {
    let event = case.job_event("FailedCreate")?;
    Some(
        Finding::of(text_cause(&event.message))
            .message(&event.message)
            .at(event.last),
    )
}
