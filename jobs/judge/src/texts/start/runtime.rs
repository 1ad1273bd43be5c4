//! The container runtime itself, its image store, and the disk of the node.

use super::SEARCHED_IN;
use crate::category::Retry;
use crate::cause::Cause;
use crate::texts::{Family, KnownText};

const PROGRAM: &str = "Check the installation and configuration of the container runtime on that node: one of its programs is \
                       missing, unknown or exits early.";
const FULL: &str =
    "Free space (and inodes) on the disk of that node that stores images and containers, or drain the node.";
const DISK: &str = "Look at the disk of that node and its kernel log, and drain the node.";
const STORE: &str = "Remove the image from that node, so that it is pulled again (crictl rmi), or drain the node: its image store is \
                     incomplete.";
const BUSY: &str =
    "Run it again; if it fails again, look at the load of that node's disk and at the log of its container runtime.";
const DOWN: &str = "Run it again; if it fails again, look at the container runtime of that node and its log.";
const CGROUP: &str = "Look at systemd and the cgroups of that node; if other Pods fail there as well, drain the node.";
const LIMIT: &str =
    "Raise the limit named in the message on that node (open files, processes, keys, BPF memory), or drain the node.";
const NODE_MEMORY: &str = "Look at the free memory and the kernel log of that node: the container runtime, not the container, \
                           could not allocate memory.";
const KERNEL: &str = "Look at the container runtime and the kernel of that node: the kernel refused a mount or a namespace \
                      that the runtime needs.";

const fn row(says: &'static [&'static str], retry: Retry, next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::RuntimeFailed,
        retry,
        next_step,
        source,
    }
}

/// The programs and mounts of the runtime: an error about them reads like one about the command, or a volume, so they
/// come first.
pub(crate) const RUNTIME_OWN: Family = Family {
    name: "Start: programs and mounts of the runtime",
    searched_in: SEARCHED_IN,
    texts: &[
        row(
            &[
                "fork/exec /*cannot allocate memory",
                "/sys/fs/cgroup/*cannot allocate memory",
                "guest memory*cannot allocate",
            ],
            Retry::Maybe,
            NODE_MEMORY,
            "Go os/exec in the shim; opencontainers/runc#1725 (kernel memory of cgroups); QEMU under Kata Containers",
        ),
        row(
            &[
                "fork/exec /*resource temporarily unavailable",
                "fork/exec /*too many open files",
            ],
            Retry::Maybe,
            LIMIT,
            "errno EAGAIN and EMFILE on executing a program of the runtime",
        ),
        row(
            &[
                "start shim",
                "connect to shim",
                "shim exited",
                "shim disconnected",
                "read shim",
                "timeout waiting for shim",
            ],
            Retry::Maybe,
            DOWN,
            "containerd core/runtime/v2/shim.go, binary.go",
        ),
        row(
            &["ttrpc: closed", "ttrpc: server closed", "ttrpc: client shutting down"],
            Retry::Yes,
            DOWN,
            "containerd/ttrpc errors.go",
        ),
        row(
            &[
                "exec: \"runc\"",
                "exec: \"crun\"",
                "exec: \"conmon\"",
                "exec: \"containerd-shim",
                "exec: \"docker-runc\"",
                "exec: \"apparmor_parser\"",
                "fork/exec /",
                "conmon failed",
                "conmon bytes",
                "unknown runtime specified",
                "invalid runtime name",
                "did not terminate successfully",
                "unable to retrieve oci runtime error",
                "runtime/cgo: pthread_create failed",
            ],
            Retry::Maybe,
            PROGRAM,
            "containerd/go-runc runc.go, core/runtime/v2/runc; CRI-O internal/oci/runtime_oci.go",
        ),
        row(
            &[
                "mounting \"proc\" to rootfs",
                "mounting \"sysfs\" to rootfs",
                "mounting \"cgroup\" to rootfs",
                "mounting \"mqueue\" to rootfs",
                "mounting \"devpts\" to rootfs",
                "pivot_root",
                "unshare",
                "newuidmap",
                "mapping tool",
                "overlay*no such device",
            ],
            Retry::Maybe,
            KERNEL,
            "runc libcontainer/rootfs_linux.go, nsexec.c",
        ),
    ],
};

/// The runtime, its image store and the disk of the node.
pub(crate) const RUNTIME: Family = Family {
    name: "Start: runtime, image store and disk",
    searched_in: SEARCHED_IN,
    texts: &[
        row(
            &[
                "too many open files",
                "resource temporarily unavailable",
                "create new os thread",
                "disk quota exceeded",
                "loading seccomp filter",
                "inotify",
                "setting rlimit",
                "oom_score_adj",
            ],
            Retry::Maybe,
            LIMIT,
            "errno EMFILE, EAGAIN, EDQUOT (session keyring) and ENOTSUPP 524 (BPF JIT memory) in runc; opencontainers/runc#2856",
        ),
        row(
            &[
                "unable to apply cgroup configuration",
                "failed to create cgroup",
                "cgroup deleted",
                "cgroup*no such file or directory",
                "cgroup*no space left on device",
                "cgroup*invalid argument",
                "cgroup*file exists",
                "cgroup*device or resource busy",
                "enter cgroup",
                "cgroup.procs",
                "cgroupspath",
                "hugetlb",
                "org.freedesktop.systemd1",
                "dbus: connection closed",
                "/run/systemd/private",
                "/var/run/dbus",
                "/run/dbus",
                "unable to start unit",
                ".scope already exists",
                ".scope was already loaded",
                "timeout waiting for systemd",
                "timed out while waiting for systemd",
                "message bus",
                "/sys/fs/cgroup/",
            ],
            Retry::Maybe,
            CGROUP,
            "runc libcontainer/cgroups (fs2, systemd); coreos/go-systemd; opencontainers/runc#2996",
        ),
        row(
            &[
                "no space left on device",
                "not enough space on the disk",
                "free data blocks",
            ],
            Retry::Maybe,
            FULL,
            "errno ENOSPC in containerd, CRI-O and docker; moby devicemapper",
        ),
        row(
            &[
                "input/output error",
                "structure needs cleaning",
                "bad message",
                "devmapper",
                "/var/lib/containerd/*read-only file system",
                "/var/lib/docker/*read-only file system",
                "/var/lib/containers/*read-only file system",
                "/var/lib/kubelet/*read-only file system",
                "/var/log/*read-only file system",
                "/run/containerd/*.json: read-only file system",
            ],
            Retry::Maybe,
            DISK,
            "errno EIO, EUCLEAN, EBADMSG and EROFS in containerd, CRI-O and docker",
        ),
        row(
            &[
                "failed to get image from containerd",
                "content digest*not found",
                "unpacking image",
                "failed to extract layer",
                "failed to resolve rootfs",
                "parent snapshot*does not exist",
                "snapshot*does not exist",
                "missing parent",
                "image not known",
                "layer not known",
                "layer does not exist",
                "locating item named",
                "reading image \"",
                "no such image",
                "failed to find image",
                "bootstrap is not ready",
                "overlay mount",
                "read-write layer",
                "failed to mount container",
                "readlink /var/lib/docker/",
                "stat /var/lib/docker/",
                "open /var/lib/docker/",
                "failed to mount rootfs",
                "/tmpmounts/",
                "failed to stat parent",
            ],
            Retry::Maybe,
            STORE,
            "containerd internal/cri/server/container_create.go, client/image.go, plugins/content/local; containers/storage; \
             kubernetes-sigs/kind#3400",
        ),
        row(
            &[
                "reserve container name",
                "is reserved for",
                "name is reserved",
                "the container name * is already in use",
                "object with key * already exists",
                "given id already exists",
                "snapshot * already exists",
                "context deadline exceeded",
                "deadlineexceeded",
                "context canceled",
                "operation timeout",
                "i/o timeout",
                "timed out",
            ],
            Retry::Yes,
            BUSY,
            "containerd internal/registrar; CRI-O internal/storage; moby container name index; gRPC deadline of the kubelet \
             (runtimeRequestTimeout)",
        ),
        row(
            &[
                "transport is closing",
                "error while dialing",
                "error reading from server",
                "code = unavailable",
                "connection refused",
                "connection reset by peer",
                "server is not initialized yet",
                "containerd.sock",
                "crio.sock",
                "cri-dockerd.sock",
                "connect to the docker daemon",
                "container runtime is down",
                "sandbox*not found",
                "task * not found",
                "unexpected eof",
                "no such container",
                "cannot join network",
                "cannot start a stopped process",
                "cannot start a container that has stopped",
                "cannot start an already running container",
            ],
            Retry::Yes,
            DOWN,
            "gRPC status Unavailable between the kubelet and the runtime; containerd internal/cri/server/service.go",
        ),
        row(
            &["hcs::createcomputesystem", "hcsshim::", "hcs::system::start"],
            Retry::Maybe,
            DOWN,
            "hcsshim internal/hcs/system.go",
        ),
    ],
};
