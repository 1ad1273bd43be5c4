//! Images: which waiting reasons are about them, and whether pulling again can help.
//!
//! Sources: `pkg/kubelet/images/{types,image_manager}.go` and `cri-api/pkg/errors/errors.go` of Kubernetes; the texts
//! inside come from the registry through the container runtime.

use crate::cause::Retry;

/// Whether a `waiting` reason is about the image.
pub fn is_image_reason(reason: &str) -> bool {
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

/// Whether an Event on a container is about its image: the kubelet's `Failed`, `ErrImageNeverPull` and `InspectFailed`
/// (`pkg/kubelet/images/image_manager.go`). Its `BackOff` on images is no warning, so it is not watched.
pub fn is_image_event(reason: &str, message: &str) -> bool {
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

/// Whether pulling again, unchanged, can help.
pub fn retry(reason: &str, message: &str) -> Retry {
    match reason {
        "InvalidImageName" | "ErrImageNeverPull" | "SignatureValidationFailed" => return Retry::No,
        "RegistryUnavailable" => return Retry::Yes,
        _ => {}
    }
    let message = message.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    // First what is temporary: a message on a failed request may also hold a path that reads like "not found".
    if says(&[
        "i/o timeout",
        "deadline exceeded",
        "timed out",
        "tls handshake timeout",
        "connection reset",
        "unexpected eof",
        "too many requests",
        "toomanyrequests",
        "429",
        "500 internal server error",
        "502 bad gateway",
        "503 service unavailable",
        "504 gateway timeout",
        "registry is unavailable",
    ]) {
        return Retry::Yes;
    }
    if says(&["no such host", "connection refused"]) {
        return Retry::Maybe;
    }
    if says(&[
        "not found",
        "manifest unknown",
        "name unknown",
        "repository does not exist",
        "unauthorized",
        "authorization failed",
        "authentication required",
        "access denied",
        "denied",
        "403 forbidden",
        "401",
        "no match for platform",
        "signature validation failed",
    ]) {
        return Retry::No;
    }
    Retry::Maybe
}
