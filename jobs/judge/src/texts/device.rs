//! Devices that could not be allocated to a Pod or prepared for it: device plugins and dynamic resource allocation.

use super::{Family, KnownText};
use crate::category::Retry;
use crate::cause::Cause;

const fn row(says: &'static [&'static str], retry: Retry, next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::DeviceUnavailable,
        retry,
        next_step,
        source,
    }
}

/// Each of these texts comes from the device manager or a driver, so it proves the cause.
pub(crate) const DEVICE: Family = Family {
    name: "Devices",
    searched_in: "`status.message` of a Pod that the kubelet rejected, and messages of the Events `FailedPrepareDynamicResources` and \
                  `FailedResourceClaimCreation`.",
    texts: &[
        row(
            &["too large: maximum request size", "more than one*mig device"],
            Retry::No,
            "Request only one such device per container: the device plugin shares its devices (time-slicing or MIG) and \
             rejects requests for more.",
            "NVIDIA/k8s-device-plugin: internal/rm, README (failRequestsGreaterThanOne)",
        ),
        row(
            &[
                "gpu is lost",
                "nvml:",
                "nvml.",
                "xid error",
                "driver/library version mismatch",
                "driver not loaded",
            ],
            Retry::Maybe,
            "Look at the GPU and its driver on that node (nvidia-smi, kernel log): reboot or replace the node, then run it again.",
            "NVIDIA/k8s-device-plugin#231; NVIDIA/k8s-device-plugin#1397; kubernetes/kubernetes#97131",
        ),
        row(
            &[
                "no healthy devices present",
                "cannot allocate unhealthy devices",
                "no longer healthy",
            ],
            Retry::Maybe,
            "Look at the device and its driver on that node: the device plugin reports it as unhealthy.",
            "Kubernetes: pkg/kubelet/cm/devicemanager/manager.go; openshift/instaslice-operator#140",
        ),
        row(
            &["unregistered device"],
            Retry::Maybe,
            "Look at the device plugin on that node: it had not registered its devices; then run it again.",
            "Kubernetes: pkg/kubelet/cm/devicemanager/manager.go",
        ),
        row(
            &["requested number of devices unavailable", "devices unavailable for"],
            Retry::Maybe,
            "Run it again; if devices are missing although no other Pod uses them, look at the device plugin on that node.",
            "Kubernetes: pkg/kubelet/cm/devicemanager/manager.go; kubernetes/kubernetes#130145",
        ),
        row(
            &[
                "device plugin",
                "allocate failed due to rpc error",
                "allocation request with unknown ids",
                "device number not matched",
            ],
            Retry::Maybe,
            "Look at the log of the device plugin on that node: it returned this error to the kubelet; then run it again.",
            "Kubernetes: pkg/kubelet/cm/devicemanager/{manager,endpoint}.go; Project-HAMi/HAMi#71; \
             NVIDIA/k8s-device-plugin#1223",
        ),
        row(
            &[
                "dra driver*is not registered",
                "driver*is not registered",
                "plugin name*not found in the list of registered",
            ],
            Retry::Maybe,
            "Look at the DRA driver on that node: it had not registered with the kubelet; then run it again.",
            "Kubernetes: pkg/kubelet/cm/dra/manager.go; kubernetes-sigs/dra-driver-nvidia-gpu#814",
        ),
        row(
            &[
                "resourceclaim*not found",
                "resourceclaimtemplate*not found",
                "resource claim*not found",
            ],
            Retry::No,
            "Create the ResourceClaim or its template, or correct the reference in the Pod.",
            "Kubernetes: pkg/kubelet/cm/dra/manager.go, pkg/controller/resourceclaim/controller.go",
        ),
        row(
            &[
                "not allowed to use resourceclaim",
                "not allowed to use resource claim",
                "is not allocated",
                "claim*not allocated",
            ],
            Retry::Maybe,
            "Look at the ResourceClaim: it is not allocated or not reserved for this Pod.",
            "Kubernetes: pkg/kubelet/cm/dra/manager.go; google/dranet#30",
        ),
        row(
            &[
                "nodeprepareresources",
                "prepare dynamic resources",
                "failed to prepare",
                "error preparing devices",
            ],
            Retry::Maybe,
            "Look at the log of the DRA driver on that node: it could not prepare the device; then run it again.",
            "Kubernetes: pkg/kubelet/cm/dra/manager.go",
        ),
    ],
};
