//! Configuration of a container that the runtime cannot apply: mounts, users, capabilities, profiles.

use super::SEARCHED_IN;
use crate::category::Retry;
use crate::cause::Cause;
use crate::texts::{Family, KnownText};

const MOUNT: &str = "Compare the volumeMounts with the content of the image: mount a directory onto a directory, and a file \
                     (with subPath) onto a file.";
pub(super) const SUBPATH: &str = "Check the subPath of the volumeMount: it must exist in the volume, or the kubelet must be \
                                  able to create it there.";
const READ_ONLY: &str = "Create the mount point or the workingDir in the image: readOnlyRootFilesystem, or a read-only volume, keeps \
                         the runtime from creating it.";
const PROPAGATION: &str = "Remove mountPropagation from the volumeMount, or make the mount on that node shared.";
const USER: &str = "Set runAsUser and runAsGroup to numeric ids, or add the user and the group to the image.";
const CAPABILITY: &str =
    "Correct the capabilities in securityContext: the runtime does not know the one named in the message.";
const PROFILE: &str = "Install the seccomp or AppArmor profile on every node, or correct its name in securityContext.";
const SELINUX: &str =
    "Check seLinuxOptions in securityContext, and that the runtime can relabel the volumes of the Pod.";
const SYSCTL: &str =
    "Correct the sysctls in securityContext: the kernel or the runtime of that node refuses the one in the message.";
const REMOUNT: &str =
    "Look at the volume's driver on that node: its mount is broken; delete the Pod or restart the driver.";

const HOST_PATH: &str = "Look for the path named in the message on that node: it is missing, or the runtime could not create \
                         it; create it, or set type: DirectoryOrCreate in hostPath.";

const fn row(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::ContainerConfig,
        retry: Retry::No,
        next_step,
        source,
    }
}

/// A mount whose server or process is gone; the kubelet reports it as well, on preparing a subPath.
pub(super) const STALE_MOUNT: KnownText = KnownText {
    says: &[
        "transport endpoint is not connected",
        "stale file handle",
        "stale nfs file handle",
    ],
    cause: Cause::VolumeUnavailable,
    retry: Retry::Maybe,
    next_step: REMOUNT,
    source: "errno ENOTCONN (FUSE) and ESTALE (NFS) in containerd pkg/cri/opts (WithMounts)",
};

/// Configuration of the container.
pub(crate) const CONFIG: Family = Family {
    name: "Start: configuration",
    searched_in: SEARCHED_IN,
    texts: &[
        STALE_MOUNT,
        KnownText {
            says: &["failed to stat \"/", "failed to mkdir \"/"],
            cause: Cause::VolumeUnavailable,
            retry: Retry::Maybe,
            next_step: HOST_PATH,
            source: "containerd internal/cri/opts/spec_opts.go (WithMounts)",
        },
        row(
            &[
                "unable to find user",
                "unable to find group",
                "no matching entries in passwd file",
                "no matching entries in group file",
                "no users found",
                "no groups found",
                "linux spec user",
                "unmapped user",
                "unmapped group",
            ],
            USER,
            "moby/sys/user (GetExecUser); containerd pkg/oci/spec_opts.go (WithUser)",
        ),
        row(
            &[
                "invalid capability",
                "unknown capability",
                "unknown cap to add",
                "unknown cap to drop",
                "invalid capadd",
            ],
            CAPABILITY,
            "runc libcontainer/capabilities; CRI-O internal/factory/container; moby oci/caps/utils.go",
        ),
        row(
            &[
                "seccomp profile",
                "seccomp local profile",
                "load local profile",
                "apparmor profile",
                "apparmor failed to apply",
                "/attr/apparmor/exec",
                "apparmor is not",
            ],
            PROFILE,
            "containerd internal/cri/server/container_create_linux.go; CRI-O internal/config/seccomp, internal/config/apparmor; runc \
             libcontainer/apparmor",
        ),
        row(
            &["keycreate", "relabel", "lsetxattr", "selinux label", "invalid selinux"],
            SELINUX,
            "opencontainers/selinux go-selinux/label",
        ),
        row(
            &["/proc/sys/", "sysctl"],
            SYSCTL,
            "runc libcontainer/standard_init_linux.go (writeSystemProperty) and validate/validator.go",
        ),
        row(
            &[
                "is not a shared mount",
                "is not a shared or slave mount",
                "not a shared or slave",
            ],
            PROPAGATION,
            "containerd pkg/cri/opts/spec_linux_opts.go (ensureShared)",
        ),
        row(
            &[
                "rootfs*read-only file system",
                "container init: mkdir *read-only file system",
            ],
            READ_ONLY,
            "runc libcontainer/rootfs_linux.go (createMountpoint)",
        ),
        row(
            &[
                "prepare subpath",
                "create subpath",
                "subpath*no such file or directory",
                "subpath*not a directory",
                "subpath*permission denied",
            ],
            SUBPATH,
            "the kubelet's paths of subPaths: /var/lib/kubelet/pods/UID/volume-subpaths/",
        ),
        row(
            &[
                "are you trying to mount a directory onto a file",
                "cannot mount volume over existing file",
                "to rootfs*not a directory",
                "to rootfs*is a directory",
                "to rootfs*no such file or directory",
                "to rootfs*permission denied",
                "to rootfs*operation not permitted",
                "mount destination",
                "duplicate mount point",
                "invalid volume specification",
                "invalid mount config",
                "bind source path does not exist",
                "invalid characters for a local volume name",
            ],
            MOUNT,
            "runc libcontainer/rootfs_linux.go (mountToRootfs); moby volume/mounts/parser.go",
        ),
    ],
};
