//! Known texts of volumes and sandboxes: the cause, the effect of a retry and the next step follow the message.

use job_judge::{Cause, Retry};

use crate::support::*;

/// A message, the effect of a retry and the beginning of the next step.
type Row = (&'static str, Retry, &'static str);

/// Judges a Pod with that Event shortly before its deadline.
fn check(reason: &str, cause: Cause, rows: &[Row]) {
    for (message, retry, next_step) in rows {
        let events = vec![event("pod-a", reason, message, 50)];
        let judgement = deadline(pod("Pending", vec![container("main")]), events);
        assert_eq!(
            (judgement.cause, judgement.retry),
            (Some(cause), Some(*retry)),
            "{message}"
        );
        let found = judgement.next_step.unwrap_or_default();
        assert!(found.starts_with(next_step), "{message}: {found}");
    }
}

#[test]
fn objects_and_drivers_of_volumes() {
    let rows = [
        (
            "MountVolume.SetUp failed for volume \"v\" : configmap \"c\" not found",
            Retry::Maybe,
            "Create the Secret or ConfigMap",
        ),
        (
            "MountVolume.SetUp failed for volume \"v\" : references non-existent secret key: tls.crt",
            Retry::No,
            "Add the key",
        ),
        (
            "MountVolume.SetUp failed for volume \"v\" : object \"ns\"/\"kube-root-ca.crt\" not registered",
            Retry::Yes,
            "Run it again",
        ),
        (
            "MountVolume.MountDevice failed for volume \"v\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: \
             driver name ebs.csi.aws.com not found in the list of registered CSI drivers",
            Retry::Maybe,
            "Check that the CSI driver",
        ),
        (
            "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing dial unix \
             /var/lib/kubelet/plugins/efs.csi.aws.com/csi.sock: connect: connection refused\"",
            Retry::Maybe,
            "Check that the CSI driver",
        ),
        (
            "rpc error: code = Unknown desc = failed to get secretproviderclass ns/vault, error: \
             secretproviderclasses.secrets-store.csi.x-k8s.io \"vault\" not found",
            Retry::Maybe,
            "Create the SecretProviderClass",
        ),
        (
            "Multi-Attach error for volume \"v\" Volume is already exclusively attached to one node and can't be attached to another",
            Retry::Maybe,
            "Look for the Pod or node",
        ),
        (
            "unmounted volumes=[d], unattached volumes=[], failed to process volumes=[d]: error processing PVC ns/d: PVC is being deleted",
            Retry::No,
            "Create the PersistentVolumeClaim again",
        ),
        (
            "MountVolume.SetUp failed for volume \"h\" : hostPath type check failed: /var/log/app is not a directory",
            Retry::No,
            "Create the path",
        ),
        (
            "MountVolume.SetUp failed for volume \"v\" : applyFSGroup failed for vol v: lstat /m: no such file or directory",
            Retry::Maybe,
            "Set securityContext.fsGroup",
        ),
    ];
    check("FailedMount", Cause::VolumeUnavailable, &rows);
}

#[test]
fn storage_behind_volumes() {
    let rows = [
        (
            "AttachVolume.Attach failed for volume \"v\" : rpc error: code = Internal desc = Could not get volume with ID \"vol-1\": \
             InvalidVolume.NotFound: The volume 'vol-1' does not exist. status code: 400",
            Retry::No,
            "Look for the volume in the storage system",
        ),
        (
            "AttachVolume.Attach failed for volume \"v\" : UnauthorizedOperation: You are not authorized to perform this operation. \
             status code: 403",
            Retry::No,
            "Grant the permission",
        ),
        (
            "Retriable: false, HTTPStatusCode: 403, RawError: {\"code\":\"AuthorizationFailed\",\"message\":\"The client 'x' does not have \
             authorization to perform action 'Microsoft.Compute/disks/read'\"}",
            Retry::No,
            "Grant the permission",
        ),
        (
            "error making mount request: failed to login: Error making API request. Code: 403. Errors: * permission denied",
            Retry::No,
            "Correct the credentials",
        ),
        (
            "mount failed: exit status 32 Output: mount.nfs: access denied by server while mounting nas:/exports/a",
            Retry::No,
            "Allow that node",
        ),
        (
            "Output: mount: /var/lib/kubelet/x: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> \
             helper program.",
            Retry::No,
            "Install the mount helper",
        ),
        (
            "Output: mount: wrong fs type, bad option, bad superblock on /dev/xvdba, missing codepage or helper program, or other error.",
            Retry::No,
            "Compare fsType",
        ),
        (
            "dial tcp: lookup vault.example: no such host",
            Retry::Maybe,
            "Check the host name",
        ),
        (
            "Output: mount.nfs: Connection timed out",
            Retry::Maybe,
            "Check that the node reaches",
        ),
        (
            "AttachVolume.Attach failed: AttachmentLimitExceeded: cannot attach",
            Retry::Maybe,
            "Run it on a node with fewer volumes",
        ),
        (
            "rpc error: code = Aborted desc = An operation with the given Volume ID v already exists",
            Retry::Maybe,
            "Look at the driver",
        ),
        (
            "AttachVolume.Attach failed for volume \"v\" : timed out waiting for external-attacher of ebs.csi.aws.com CSI driver",
            Retry::Maybe,
            "Look at the controller",
        ),
        (
            "MountVolume.SetUp failed for volume \"v\" : rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            Retry::Maybe,
            "Look at the volumes",
        ),
        (
            "MountVolume.SetUp failed for volume \"v\" : something else",
            Retry::Maybe,
            "Check that the PersistentVolumeClaim",
        ),
    ];
    check("FailedAttachVolume", Cause::VolumeUnavailable, &rows);
}

#[test]
fn networks_of_sandboxes() {
    let rows = [
        (
            "plugin type=\"calico\" failed (add): failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; No IPs available in pools",
            Retry::Maybe,
            "Check the free IP addresses",
        ),
        (
            "add cmd: failed to assign an IP address to container",
            Retry::Maybe,
            "Check the free IP addresses",
        ),
        (
            "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network \
             plugin returns error: cni plugin not initialized",
            Retry::Yes,
            "Look at the network plugin's Pod",
        ),
        (
            "plugin type=\"flannel\" failed (add): open /run/flannel/subnet.env: no such file or directory",
            Retry::Yes,
            "Look at the network plugin's Pod",
        ),
        (
            "plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized",
            Retry::Yes,
            "Restart the network plugin's Pod",
        ),
        (
            "plugin type=\"multus\" failed (add): cannot find a network-attachment-definition (sriov) in namespace (ns)",
            Retry::Maybe,
            "Create the NetworkAttachmentDefinition",
        ),
        (
            "failed to find plugin \"bridge\" in path [/opt/cni/bin]",
            Retry::Yes,
            "Install the network plugin",
        ),
        (
            "plugin type=\"other\" failed (add): unexpected",
            Retry::Yes,
            "Look at the Pod of the network plugin named",
        ),
    ];
    check("FailedCreatePodSandBox", Cause::SandboxFailed, &rows);
}

#[test]
fn runtimes_of_sandboxes() {
    let sandbox = [
        (
            "failed to get sandbox runtime: no runtime for \"kata\" is configured",
            Retry::No,
            "Configure the handler",
        ),
        (
            "RuntimeHandler \"sysbox-runc\" not supported",
            Retry::No,
            "Configure the handler",
        ),
        (
            "failed to get sandbox image \"registry.example/pause:3.9\": failed to pull image: dial tcp 192.0.2.1:443: i/o timeout",
            Retry::Maybe,
            "Check that the node reaches the registry of the pause image",
        ),
        (
            "failed to reserve sandbox name \"a\": name \"a\" is reserved for \"b\"",
            Retry::Yes,
            "Run it again",
        ),
        (
            "failed to create containerd task: mkdir /sys/fs/cgroup/memory/kubepods/x: no space left on device",
            Retry::Yes,
            "Reboot that node",
        ),
        (
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            Retry::Yes,
            "Look at the load",
        ),
        (
            "cannot load seccomp profile \"/var/lib/kubelet/seccomp/x.json\": no such file",
            Retry::No,
            "Install the seccomp",
        ),
    ];
    check("FailedCreatePodSandBox", Cause::SandboxFailed, &sandbox);
    let runtime = [
        (
            "connection error: desc = \"transport: Error while dialing dial unix /run/containerd/containerd.sock: connect: connection \
             refused\"",
            Retry::Yes,
            "Look at the container runtime",
        ),
        (
            "write /var/lib/containerd/x: no space left on device",
            Retry::Maybe,
            "Free space",
        ),
        (
            "failed to create fsnotify watcher: too many open files",
            Retry::Maybe,
            "Raise fs.inotify",
        ),
    ];
    check("FailedCreatePodSandBox", Cause::RuntimeFailed, &runtime);
    let memory = [(
        "runc create failed: container init was OOM-killed (memory limit too low?)",
        Retry::No,
        "Raise resources.limits.memory",
    )];
    check("FailedCreatePodSandBox", Cause::OutOfMemory, &memory);
}
