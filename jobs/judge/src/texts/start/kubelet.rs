//! Messages of the kubelet about the configuration of a container, beside the objects that it refers to.

use super::config;
use crate::category::Retry;
use crate::cause::Cause;
use crate::texts::{Family, row};

const AGAIN: &str =
    "Run it again: the kubelet had not read the object from the API server or mounted the volume in time.";
const KEY: &str =
    "Add the key in the message to the ConfigMap or Secret, correct the reference to it, or set optional: true.";
const NONROOT: &str = "Set securityContext.runAsUser to a numeric id other than 0, or use an image with such a user.";
const FULL: &str = "Free space on the volume, or make it larger.";
const DISK: &str = "Look at the disk of that node, and at its limit of open files: free space (and inodes), raise the limit, or drain the node.";
const PLUGIN: &str = "Look at the device plugin on that node: it could not prepare the device for the container.";

/// Messages of the kubelet on configuring a container.
pub(crate) const KUBELET: Family = Family {
    name: "Start: configuration by the kubelet",
    searched_in: "The message of CreateContainerConfigError.",
    texts: &[
        row(
            &[
                "failed to sync configmap cache",
                "failed to sync secret cache",
                "services have not yet been read",
                "cannot find volume",
                "host ip unknown",
                "connection refused",
                "i/o timeout",
                "context deadline exceeded",
                "etcdserver",
            ],
            Cause::ContainerConfig,
            Retry::Yes,
            AGAIN,
            "pkg/kubelet/util/manager/watch_based_manager.go; pkg/kubelet/kubelet_pods.go (getServiceEnvVarMap)",
        ),
        row(
            &["couldn't find key", "references non-existent"],
            Cause::ContainerConfig,
            Retry::No,
            KEY,
            "pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables)",
        ),
        row(
            &["runasnonroot", "image will run as root"],
            Cause::ContainerConfig,
            Retry::No,
            NONROOT,
            "pkg/kubelet/kuberuntime/security_context.go (verifyRunAsNonRoot)",
        ),
        row(
            &["device plugin"],
            Cause::DeviceUnavailable,
            Retry::Maybe,
            PLUGIN,
            "pkg/kubelet/cm/devicemanager/manager.go (callPreStartContainerIfNeeded)",
        ),
        row(
            &["subpath*no space left on device"],
            Cause::VolumeUnavailable,
            Retry::Maybe,
            FULL,
            "pkg/kubelet/kubelet_pods.go (makeMounts)",
        ),
        row(
            &[
                "no space left on device",
                "read-only file system",
                "input/output error",
                "too many open files",
            ],
            Cause::RuntimeFailed,
            Retry::Maybe,
            DISK,
            "pkg/kubelet/kuberuntime/kuberuntime_container.go (generateContainerConfig: the directory of the container's log)",
        ),
        config::STALE_MOUNT,
        row(
            &["subpath"],
            Cause::ContainerConfig,
            Retry::No,
            config::SUBPATH,
            "pkg/kubelet/kubelet_pods.go (makeMounts)",
        ),
    ],
};
