//! Why the API server would not create the Job's Pods: the Job's Event `FailedCreate`.
//!
//! Sources: `RealPodControl.createPods` in `pkg/controller/controller_utils.go` writes `Error creating: ERROR`; the
//! texts on quota come from `apiserver/pkg/admission/plugin/resourcequota/controller.go` and
//! `pkg/quota/v1/evaluator/core/pods.go`.

use crate::cause::Cause;
use crate::finding::Finding;
use crate::world::World;

const QUOTA_TEXTS: [&str; 4] = [
    "exceeded quota:",
    "failed quota:",
    "insufficient quota to",
    "status unknown for quota:",
];

/// What the error is about.
pub fn text_cause(message: &str) -> Cause {
    if QUOTA_TEXTS.iter().any(|text| message.contains(text)) {
        Cause::QuotaExceeded
    } else {
        Cause::AdmissionDenied
    }
}

/// Whether the error is not a refusal but a failure of the cluster's own: a webhook or an API server that did not
/// answer (`NewFailedWebhook...` in `apiserver/pkg/util/webhook/error.go`).
pub fn is_passing(message: &str) -> bool {
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

/// Why Pods could not be created; `None` if nothing tells that any could not.
pub fn failed_create<'a>(world: &World<'a>) -> Option<Finding<'a>> {
    let event = world.job_event("FailedCreate")?;
    Some(
        Finding::of(text_cause(&event.message))
            .message(&event.message)
            .at(event.last),
    )
}
