//! Errors of volumes that Kubernetes itself, the CSI drivers and the vaults behind them report.

use super::{Family, KnownText};
use crate::category::Retry;
use crate::cause::Cause;

/// Errors of volumes within Kubernetes. Objects that are missing may be created at any time, so the effect of a retry is open.
pub(crate) const VOLUME: Family = Family {
    name: "Volumes",
    searched_in: "Events `FailedMount`, `FailedAttachVolume` and `FailedMapVolume`.",
    texts: &[
        row(
            &[
                "failed to sync configmap cache",
                "failed to sync secret cache",
                "object \"*\" not registered",
                "no relationship found between node",
            ],
            Retry::Yes,
            "Run it again; if it fails again, look at the kubelet of that node and its connection to the API server: it had \
             not read the object in time.",
            "pkg/kubelet/util/manager/watch_based_manager.go of Kubernetes",
        ),
        row(
            &[
                "references non-existent secret key",
                "references non-existent config key",
            ],
            Retry::No,
            "Add the key named in the message to the Secret or ConfigMap, or correct the volume's items.",
            "pkg/volume/secret/secret.go and pkg/volume/configmap/configmap.go of Kubernetes",
        ),
        row(
            &["failed to get secretproviderclass", "secretproviderclass*not found"],
            Retry::Maybe,
            "Create the SecretProviderClass named in the message in the Job's namespace, or correct the volume's secretProviderClass.",
            "kubernetes-sigs/secrets-store-csi-driver#811",
        ),
        row(
            &["provider not found: provider", "error connecting to provider"],
            Retry::Maybe,
            "Check that the provider named in the message runs on that node: the DaemonSet of the Secrets Store CSI provider.",
            "kubernetes-sigs/secrets-store-csi-driver#953",
        ),
        row(
            &[
                "secret \"*\" not found",
                "secrets \"*\" not found",
                "configmap \"*\" not found",
                "configmaps \"*\" not found",
            ],
            Retry::Maybe,
            "Create the Secret or ConfigMap named in the message in the Job's namespace, or correct its name in the volumes of the Pod.",
            "pkg/volume/secret/secret.go and pkg/volume/configmap/configmap.go of Kubernetes; google/knative-gcp#386",
        ),
        row(
            &["failed to fetch token*serviceaccount"],
            Retry::Maybe,
            "Check that the ServiceAccount of the Pod still exists and that the API server issues tokens for the audience in the message.",
            "pkg/volume/projected/projected.go of Kubernetes",
        ),
        row(
            &[
                "pvc is not bound",
                "persistentvolumeclaim \"*\" not found",
                "persistentvolumeclaims \"*\" not found",
                "persistentvolume \"*\" not found",
            ],
            Retry::Maybe,
            "Look at the PersistentVolumeClaim named in the message: it must exist and be bound (kubectl describe pvc).",
            "pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go of Kubernetes",
        ),
        row(
            &["pvc is being deleted", "persistentvolumeclaim is being deleted"],
            Retry::No,
            "Create the PersistentVolumeClaim again: the one that the Pod uses is being deleted.",
            "pkg/kubelet/volumemanager/populator/desired_state_of_world_populator.go of Kubernetes",
        ),
        row(
            &[
                "multi-attach error",
                "already attached to node",
                "is already being used by",
                "resource_in_use_by_another_resource",
                "volumeinuse",
                "is already attached to an instance",
                "attachdiskwhilebeingdetached",
                "is currently being detached",
                "rbd image*is still being used",
                "volume is already exclusively attached",
                "currently in 'in-use'",
            ],
            Retry::Maybe,
            "Look for the Pod or node that still uses the volume: wait until it releases the volume, delete the VolumeAttachment of a node that no longer exists, or use access mode ReadWriteMany.",
            "pkg/controller/volume/attachdetach/reconciler/reconciler.go of Kubernetes; kubernetes/kubernetes#78657",
        ),
        row(
            &[
                "not found in the list of registered csi drivers",
                "csinode*does not contain driver",
                "no volume plugin matched",
                "failed to get plugin from volumespec",
                "csinode*not found",
                "dial unix*.sock",
            ],
            Retry::Maybe,
            "Check that the CSI driver named in the message runs on that node: its DaemonSet, its tolerations and its node selector.",
            "pkg/volume/csi/csi_plugin.go of Kubernetes",
        ),
        row(
            &[
                "secretnotfound",
                "was not found in this key vault",
                "can't find the specified secret",
                "no secret exists",
                "failed to find secret",
                "* no value found at ",
            ],
            Retry::Maybe,
            "Create the secret named in the message in the vault, or correct its name or version in the SecretProviderClass.",
            "Azure/secrets-store-csi-driver-provider-azure troubleshooting; aws/secrets-store-csi-driver-provider-aws; hashicorp/vault-csi-provider",
        ),
        row(
            &["hostpath type check failed"],
            Retry::No,
            "Create the path named in the message on the node with that type, or correct hostPath.path and hostPath.type.",
            "pkg/volume/hostpath/host_path.go of Kubernetes",
        ),
        row(
            &["newmounter initialization failed*does not exist"],
            Retry::Maybe,
            "Create the directory of the local PersistentVolume on that node, or delete the PersistentVolume that names it.",
            "pkg/volume/local/local.go of Kubernetes",
        ),
        row(
            &["nodeaffinity check failed"],
            Retry::Maybe,
            "Compare the node's labels with the nodeAffinity of the PersistentVolume: the volume is not available on that node.",
            "pkg/volume/util/operationexecutor/operation_generator.go of Kubernetes",
        ),
        row(
            &["applyfsgroup failed", "setvolumeownership", "volume ownership"],
            Retry::Maybe,
            "Set securityContext.fsGroupChangePolicy: OnRootMismatch, or remove fsGroup: changing the owner of all files on \
             the volume failed or took too long.",
            "pkg/volume/csi/csi_mounter.go of Kubernetes; openebs/zfs-localpv#547",
        ),
    ],
};

/// A row about a volume; `storage.rs` has those of drivers.
pub(super) const fn row(
    says: &'static [&'static str],
    retry: Retry,
    next_step: &'static str,
    source: &'static str,
) -> KnownText {
    KnownText {
        says,
        cause: Cause::VolumeUnavailable,
        retry,
        next_step,
        source,
    }
}
