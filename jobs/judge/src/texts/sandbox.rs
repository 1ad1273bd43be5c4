//! Errors of a Pod's sandbox: the container runtime, the network plugins and the node below them.

use super::{Family, KnownText};
use crate::category::Retry;
use crate::cause::Cause;

/// Errors of a Pod's sandbox.
pub(crate) const SANDBOX: Family = Family {
    name: "Sandbox and network",
    searched_in: "Events `FailedCreatePodSandBox`, `NetworkNotReady` and `FailedCreatePodContainer`.",
    texts: &[
        KnownText {
            cause: Cause::OutOfMemory,
            ..row(
                &["container init was oom-killed", "oom-killed (memory limit too low?)"],
                Retry::No,
                "Raise resources.limits.memory: it is too low to start even the Pod's sandbox.",
                "libcontainer/process_linux.go of opencontainers/runc",
            )
        },
        row(
            &[
                "no runtime for \"*\" is configured",
                "failed to get sandbox runtime",
                "failed to find runtime handler",
                "runtimehandler \"*\" not supported",
                "runtime handler \"*\" not supported",
                "unknown runtime specified",
            ],
            Retry::No,
            "Configure the handler of the RuntimeClass in the container runtime of that node, or limit the RuntimeClass to nodes that have it.",
            "containerd and CRI-O; NVIDIA/gpu-operator#730, nestybox/sysbox#936",
        ),
        row(
            &[
                "seccomp profile",
                "seccomp spec opts",
                "loading seccomp",
                "apparmor profile",
                "apparmor_parser",
            ],
            Retry::No,
            "Install the seccomp or AppArmor profile named in the message on that node, or correct the Pod's securityContext.",
            "containerd internal/cri/server/podsandbox; opencontainers/runc libcontainer/seccomp",
        ),
        row(
            &[
                "sysctl \"*\" is not in a separate kernel namespace",
                "sysctl \"*\" not allowed",
                "open /proc/sys/*no such file or directory",
                "write sysctl key",
            ],
            Retry::No,
            "Correct securityContext.sysctls of the Pod: the node's kernel does not have the sysctl named in the message, or \
             does not allow it for a single Pod.",
            "opencontainers/runc libcontainer/configs/validate",
        ),
        row(
            &["cannot open hostport", "address already in use"],
            Retry::Maybe,
            "Find out which process of that node uses the hostPort in the message, or remove the hostPort.",
            "pkg/kubelet/dockershim/network/hostport of Kubernetes; CRI-O internal/hostport",
        ),
        row(
            &["network-attachment-definition", "networkattachmentdefinition"],
            Retry::Maybe,
            "Create the NetworkAttachmentDefinition named in the message in that namespace, or correct the Pod's annotation k8s.v1.cni.cncf.io/networks.",
            "k8snetworkplumbingwg/multus-cni pkg/k8sclient",
        ),
        row(
            &[
                "no ip addresses available",
                "failed to assign an ip address",
                "failed to allocate for range",
                "no available ip",
                "no free ip",
                "no more ips",
                "range is full",
                "no ips available",
                "insufficientfreeaddresses",
                "failed to request ip",
                "failed to request 1 ip",
                "could not allocate ip",
                "unable to allocate ip",
                "no available free ip",
                "insufficient ip",
                "no addresses available",
                "ipam*exhausted",
                "failed to allocate ip",
                "no configured calico pools",
            ],
            Retry::Maybe,
            "Check the free IP addresses of that node and its subnet: widen the subnet or the Pod CIDR, or run fewer Pods on each node.",
            "containernetworking/plugins host-local; aws/amazon-vpc-cni-k8s#668; cilium/cilium pkg/ipam; projectcalico/calico",
        ),
        row(
            &["already has an ip address different from"],
            Retry::Yes,
            "Delete the bridge cni0 of that node, or drain the node: its address does not match the node's Pod CIDR.",
            "containernetworking/plugins bridge",
        ),
        row(
            &[
                "failed to get sandbox image",
                "pull sandbox image",
                "unable to pull pause image",
                "failed pulling image",
                "sandbox*initializing source",
            ],
            Retry::Maybe,
            "Check that the node reaches the registry of the pause image in the message, or change the runtime's sandbox_image to one that it reaches.",
            "containerd internal/cri/server/podsandbox/sandbox_run.go; CRI-O pause_image",
        ),
        of_runtime(row(
            &[
                "containerd.sock",
                "crio.sock",
                "cri-dockerd.sock",
                "dockershim.sock",
                "cannot connect to the docker daemon",
                "runtime is down",
                "transport is closing",
                "unknown service runtime.",
            ],
            Retry::Yes,
            "Look at the container runtime of that node: it did not respond; then run it again.",
            "gRPC errors of the kubelet's runtime client; NVIDIA/gpu-operator#549",
        )),
        of_runtime(row(
            &[
                "too many open files",
                "inotify*no space left on device",
                "fsnotify watcher",
            ],
            Retry::Maybe,
            "Raise fs.inotify.max_user_instances and max_user_watches, or the runtime's limit of open files, on that node.",
            "errno EMFILE and ENOSPC of inotify(7); containerd/containerd#10309",
        )),
        row(
            &[
                "cgroup*no space left on device",
                "unable to ensure pod container exists*no space left on device",
                "cgroup*cannot allocate memory",
            ],
            Retry::Yes,
            "Reboot that node: its kernel cannot create more cgroups, although the disk is not full.",
            "kubernetes/kubernetes#70324 and #61937",
        ),
        row(
            &[
                "unable to ensure pod container exists",
                "cgroupspath to be of format",
                "failed to create cgroup",
                "unable to apply cgroup",
                "failed to set cgroup",
            ],
            Retry::Maybe,
            "Look at the cgroups of that node, and check that the kubelet and the container runtime use the same cgroup driver.",
            "pkg/kubelet/cm of Kubernetes; opencontainers/cgroups",
        ),
        of_runtime(row(
            &[
                "cannot allocate memory",
                "resource temporarily unavailable",
                "failed to create new os thread",
            ],
            Retry::Maybe,
            "Look at the free memory and process ids of that node: the container runtime ran out of them.",
            "errno ENOMEM and EAGAIN of fork(2)",
        )),
        of_runtime(row(
            &["no space left on device"],
            Retry::Maybe,
            "Free space on the disk of that node, or enlarge the disk; then run it again.",
            "errno ENOSPC",
        )),
        of_runtime(row(
            &[
                "read-only file system",
                "input/output error",
                "structure needs cleaning",
            ],
            Retry::Maybe,
            "Repair or replace the disk of that node: its file system has errors.",
            "errno EROFS, EIO and EUCLEAN",
        )),
        row(
            &[
                "failed to reserve sandbox name",
                "sandbox with name*already exists",
                "is reserved for",
                "pod sandbox name*in use",
                "is already in use by",
            ],
            Retry::Yes,
            "Run it again; look at the load and the disk of that node, where an earlier attempt to create the sandbox is \
             still running.",
            "containerd internal/registrar; senthilrch/kube-fledged#194",
        ),
        row(
            &[
                "connection is unauthorized",
                "getting clusterinformation*unauthorized",
                "x509: certificate",
            ],
            Retry::Yes,
            "Restart the network plugin's Pod on that node: its token or certificate for the API server is not valid.",
            "projectcalico/calico#5712",
        ),
        row(
            &[
                "failed to find plugin \"*\" in path",
                "failed to load cni",
                "no valid networks found",
            ],
            Retry::Yes,
            "Install the network plugin named in the message on that node; look first at its DaemonSet's Pod there.",
            "containernetworking/cni pkg/invoke",
        ),
        row(
            &[
                "networkpluginnotready",
                "cni config uninitialized",
                "cni plugin not initialized",
                "network is not ready",
                "network plugin is not ready",
                "no networks found in /etc/cni/net.d",
                "/run/flannel/subnet.env",
                "/var/lib/calico/nodename",
                "unable to connect to cilium",
                "cilium.sock",
                "is cilium-agent running",
                "is the agent running",
                "127.0.0.1:50051",
                "multus.sock",
                "daemon-cni.sock",
                "no cni configuration file",
                "check that the calico/node container is running",
                "ovn-cni-server.sock",
                "connect: connection refused",
                "connect: no such file or directory",
            ],
            Retry::Yes,
            "Look at the network plugin's Pod on that node: it was not ready; then run it again.",
            "pkg/kubelet/kubelet.go of Kubernetes; flannel-io/flannel, projectcalico/calico, cilium/cilium, aws/amazon-vpc-cni-k8s",
        ),
        row(
            &["hcsshim", "hns failed", "hnscall failed", "hcs::"],
            Retry::Yes,
            "Restart the Host Networking Service (hns) of that Windows node, then run it again.",
            "microsoft/hcsshim",
        ),
        row(
            &[
                "context deadline exceeded",
                "deadlineexceeded",
                "i/o timeout",
                "timed out",
            ],
            Retry::Yes,
            "Look at the load of that node, its container runtime and its network plugin: they did not respond in time.",
            "gRPC DEADLINE_EXCEEDED of the kubelet's runtime client",
        ),
        row(
            &[
                "failed to setup network for sandbox",
                "failed to set up sandbox container",
                "failed to set up pod",
                "failed (add)",
                "adding pod to cni network",
                "cni network",
            ],
            Retry::Yes,
            "Look at the Pod of the network plugin named in the message on that node, and at its log.",
            "containerd internal/cri/server; CRI-O internal/ocicni",
        ),
    ],
};

const fn row(says: &'static [&'static str], retry: Retry, next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::SandboxFailed,
        retry,
        next_step,
        source,
    }
}

/// The same for an error of the runtime or the node's disk.
const fn of_runtime(known: KnownText) -> KnownText {
    KnownText {
        cause: Cause::RuntimeFailed,
        ..known
    }
}
