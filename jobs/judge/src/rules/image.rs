//! Errors on pulling an image: their waiting reasons and Events, and the effect of a retry.
//!
//! Sources: `pkg/kubelet/images/{types,image_manager}.go` and `cri-api/pkg/errors/errors.go` of Kubernetes; the texts
//! inside come from the registry through the container runtime.

use crate::category::Retry;

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

/// Texts of temporary errors.
const TEMPORARY: [&str; 14] = [
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
];
/// Texts of errors that pass or stay.
const UNCLEAR: [&str; 2] = ["no such host", "connection refused"];
/// Texts of errors that stay until something changes.
const PERMANENT: [&str; 13] = [
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
];

/// The effect of pulling again without a change.
pub(crate) fn retry(reason: &str, message: &str) -> Retry {
    match reason {
        "InvalidImageName" | "ErrImageNeverPull" | "SignatureValidationFailed" => return Retry::No,
        "RegistryUnavailable" => return Retry::Yes,
        _ => {}
    }
    let message = message.to_ascii_lowercase();
    let contains = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    // Temporary errors first: the message of a failed request may also contain a path that reads like "not found".
    if contains(&TEMPORARY) {
        Retry::Yes
    } else if contains(&PERMANENT) && !contains(&UNCLEAR) {
        Retry::No
    } else {
        Retry::Maybe
    }
}
