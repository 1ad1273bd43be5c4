//! How much a message of the cluster says about the cause of a problem.
//!
//! The kubelet alternates between the error and a notice that it waits or retries, so the latest message is often not the one
//! that explains.

/// How much a message says, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageDetail {
    /// Nothing: it is empty, or about the deletion of the Pod.
    Nothing,
    /// A retry, a canceled call or a bare reason: `Back-off pulling image "a"`, `Error: ImagePullBackOff`.
    Retry,
    /// A component did not respond in time: `rpc error: code = DeadlineExceeded desc = context deadline exceeded`.
    Timeout,
    /// A consequence of an earlier error: `name "a" is reserved for "b"`.
    Consequence,
    /// The error itself.
    Error,
}

/// Written before the message of several Events that differ only in details (`client-go/tools/record/events_cache.go`).
pub const COMBINED: &str = "(combined from similar events): ";

/// Ends of messages about a component that did not respond in time.
const TIMEOUTS: [&str; 3] = [
    "timed out waiting for the condition",
    "context deadline exceeded",
    "timeout expired waiting for volumes to attach or mount",
];

/// Parts of messages about an earlier attempt that has not ended: names in the container runtimes, operations of CSI drivers,
/// groups of Pods of batch schedulers.
const CONSEQUENCES: [&str; 6] = [
    " is reserved for ",
    " is already in use by ",
    "n operation with the given ",
    "peration is already in progress",
    "peration is already pending",
    "pod group is not ready",
];

impl MessageDetail {
    /// The detail of an error on creating a Pod (Event `FailedCreate`): a refusal says more than a component that did not respond.
    pub fn of_creation(message: &str) -> MessageDetail {
        let denied = message.contains("denied the request") || message.contains("denied request");
        match !denied && NO_ANSWERS.iter().any(|text| message.contains(text)) {
            true => MessageDetail::Timeout,
            false => MessageDetail::of(message),
        }
    }

    /// The detail of a message: of an Event, a condition or a waiting reason.
    ///
    /// Sources: `pkg/kubelet/images/image_manager.go`, `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (back-off),
    /// `pkg/kubelet/volumemanager/volume_manager.go` (`unmounted volumes=[...]: WHY`) and
    /// `pkg/scheduler/schedule_one.go` of Kubernetes.
    pub fn of(message: &str) -> MessageDetail {
        let message = message.trim();
        let message = message.strip_prefix(COMBINED).unwrap_or(message);
        let message = message.strip_prefix("Error: ").unwrap_or(message).trim_end_matches('.');
        if message.is_empty() || message.starts_with("skip schedule deleting pod") {
            return MessageDetail::Nothing;
        }
        if let Some(why) = after_image(message) {
            return MessageDetail::of(why).max(MessageDetail::Retry);
        }
        if let Some((_, volumes)) = message.split_once("unmounted volumes=[") {
            return match volumes.split_once("]: ") {
                Some((_, why)) if MessageDetail::of(why) > MessageDetail::Timeout => MessageDetail::of(why),
                _ => MessageDetail::Retry,
            };
        }
        let is_reason =
            message.starts_with(char::is_uppercase) && message.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_reason || message.contains("restarting failed container") || message.ends_with("context canceled") {
            return MessageDetail::Retry;
        }
        if CONSEQUENCES.iter().any(|text| message.contains(text)) {
            return MessageDetail::Consequence;
        }
        let is_timeout = |text: &str| message.ends_with(text) || message.starts_with(text);
        match TIMEOUTS.iter().any(|text| is_timeout(text)) {
            true => MessageDetail::Timeout,
            false => MessageDetail::Error,
        }
    }
}

/// Parts of errors on creating a Pod that a retry overcomes: the API server, etcd or a webhook did not respond.
const NO_ANSWERS: [&str; 8] = [
    "etcdserver: ",
    "failed calling webhook",
    "object has been modified",
    "oo many requests",
    "in the time allotted",
    "timed out",
    "deadline exceeded",
    "connection refused",
];

/// The part after the image in `Failed to pull image "a:1": WHY` and in `Back-off pulling image "a:1": ErrImagePull: WHY`,
/// which has no such part before Kubernetes 1.32.
fn after_image(message: &str) -> Option<&str> {
    let starts = ["Failed to pull image \"", "Back-off pulling image \""];
    let image = starts.iter().find_map(|start| message.strip_prefix(start))?;
    let (_, why) = image.split_once('"').unwrap_or(("", ""));
    let why = why.strip_prefix(": ").unwrap_or_default();
    Some(why.strip_prefix("ErrImagePull: ").unwrap_or(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_beat_timeouts_and_retries() {
        let waits = "Unable to attach or mount volumes: unmounted volumes=[key], unattached volumes=[key api]";
        for (message, detail) in [
            ("", MessageDetail::Nothing),
            ("skip schedule deleting pod: ns/a", MessageDetail::Nothing),
            ("Error: ImagePullBackOff", MessageDetail::Retry),
            ("ErrImagePull", MessageDetail::Retry),
            (
                "Back-off pulling image \"a.example/b:1@sha256:0f\"",
                MessageDetail::Retry,
            ),
            (
                "Back-off pulling image \"a:1\": ErrImagePull: not found",
                MessageDetail::Error,
            ),
            (
                "Back-off pulling image \"a:1\": ErrImagePull: rpc error: code = Canceled desc = context canceled",
                MessageDetail::Retry,
            ),
            (
                "Failed to pull image \"a:1\": dial tcp: i/o timeout",
                MessageDetail::Error,
            ),
            ("Failed to pull image \"a:1\"", MessageDetail::Retry),
            (
                "back-off 5m0s restarting failed container=main pod=a_ns(1)",
                MessageDetail::Retry,
            ),
            (
                "Back-off restarting failed container main in pod a_ns(1)",
                MessageDetail::Retry,
            ),
            (
                &format!("{waits}: timed out waiting for the condition"),
                MessageDetail::Retry,
            ),
            (
                &format!("{waits}, failed to process volumes=[key]: error processing PVC ns/key: PVC is being deleted"),
                MessageDetail::Error,
            ),
            ("Error: context deadline exceeded", MessageDetail::Timeout),
            (
                "MountVolume.SetUp failed for volume \"v\" : failed to sync configmap cache: timed out waiting for the condition",
                MessageDetail::Timeout,
            ),
            (
                "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found",
                MessageDetail::Error,
            ),
            ("name \"a_ns_0\" is reserved for \"62d7\"", MessageDetail::Consequence),
            (
                "rpc error: code = Aborted desc = An operation with the given Volume ID v already exists",
                MessageDetail::Consequence,
            ),
            (
                "(combined from similar events): Error: ErrImagePull",
                MessageDetail::Retry,
            ),
            ("0/3 nodes are available: 3 Insufficient cpu.", MessageDetail::Error),
        ] {
            assert_eq!(MessageDetail::of(message), detail, "{message}");
        }
        let busy = "Error creating: etcdserver: request timed out";
        assert_eq!(MessageDetail::of_creation(busy), MessageDetail::Timeout);
        let denied = "Error creating: admission webhook \"w\" denied the request: timed out";
        assert_eq!(MessageDetail::of_creation(denied), MessageDetail::Error);
        assert!(
            MessageDetail::Error > MessageDetail::Consequence && MessageDetail::Consequence > MessageDetail::Timeout
        );
    }
}
