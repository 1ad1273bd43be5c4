//! Errors on pulling an image: their waiting reasons and Events, and the known texts in their messages.
//!
//! Sources: `pkg/kubelet/images/{types,image_manager}.go` and `cri-api/pkg/errors/errors.go` of Kubernetes; the texts
//! inside come from the registry through the container runtime ([`IMAGE`]).

use crate::category::Retry;
use crate::texts::{IMAGE, KnownText};

/// True for a waiting reason about the image.
pub(crate) fn is_image_reason(reason: &str) -> bool {
    matches!(
        reason,
        "ErrImagePull"
            | "ImagePullBackOff"
            | "RegistryUnavailable"
            | "SignatureValidationFailed"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
    )
}

/// True for an Event about the image of its container: the kubelet's `Failed`, `ErrImageNeverPull` and `InspectFailed`
/// (`pkg/kubelet/images/image_manager.go`). The kubelet's `BackOff` on images is not a warning, so it is not watched.
pub(crate) fn is_image_event(reason: &str, message: &str) -> bool {
    match reason {
        "Failed" => {
            message.starts_with("Failed to pull image")
                || message
                    .strip_prefix("Error: ")
                    .is_some_and(|reason| is_image_reason(reason.trim()))
        }
        "ErrImageNeverPull" | "InspectFailed" => true,
        _ => false,
    }
}

/// The known text in the message of a failed pull.
pub(crate) fn known(message: &str) -> Option<&'static KnownText> {
    // CRI-O reports each mirror before the registry itself: `(Mirrors also failed: [MIRROR: WHY]): REGISTRY: WHY`
    // (`docker/docker_image_src.go` of containers/image). The registry's own error decides.
    let own = match message.split_once("(Mirrors also failed: [") {
        Some((_, rest)) => rest.rsplit_once("]): ").map_or(rest, |(_, own)| own),
        None => message,
    };
    IMAGE.find(own)
}

/// The effect of pulling again without a change, by the waiting reason alone.
pub(crate) fn retry(reason: &str) -> Option<Retry> {
    match reason {
        "InvalidImageName" | "ErrImageNeverPull" | "SignatureValidationFailed" => Some(Retry::No),
        "RegistryUnavailable" => Some(Retry::Yes),
        _ => None,
    }
}
