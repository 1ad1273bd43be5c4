//! Devices, their drivers, and the hooks that set them up.

use super::SEARCHED_IN;
use crate::category::Retry;
use crate::cause::Cause;
use crate::texts::{Family, KnownText};

const DRIVER: &str = "Check the device's driver, its container toolkit and its device plugin on that node; after an update of \
                      the driver, reboot the node, or run the Job on another one.";
const OLD_DRIVER: &str =
    "Use an image for an older version of CUDA, or nodes with a newer driver: the image requires a newer one.";
const CDI: &str =
    "Check the CDI specifications and the device plugin on that node: the runtime does not find the device there.";
const HOOK: &str =
    "Look at the OCI hook that the message names: most hooks set up a device or its driver on that node.";

const fn row(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::DeviceUnavailable,
        retry: Retry::Maybe,
        next_step,
        source,
    }
}

/// Devices and the hooks that set them up.
pub(crate) const DEVICES: Family = Family {
    name: "Start: devices and hooks",
    searched_in: SEARCHED_IN,
    texts: &[
        row(
            &["unsatisfied condition: cuda", "unsatisfied condition: driver"],
            OLD_DRIVER,
            "libnvidia-container src/nvc_container.c; NVIDIA/nvidia-docker#1409",
        ),
        row(
            &[
                "unresolvable cdi device",
                "inject cdi device",
                "cdi device injection failed",
                "cdi host device",
            ],
            CDI,
            "container-device-interface pkg/cdi/cache.go; NVIDIA/nvidia-container-toolkit#434",
        ),
        row(
            &[
                "driver/library version mismatch",
                "nvidia-container-cli",
                "nvidia-container-runtime",
                "nvidia-container-toolkit",
                "nvidia-ctk",
                "nvml error",
                "failed to initialize nvml",
                "libnvidia-ml",
                "libcuda.so",
                "invoking the nvidia container runtime",
            ],
            DRIVER,
            "libnvidia-container src/cli; NVIDIA/gpu-operator#898",
        ),
        row(
            &[
                "could not select device driver",
                "/dev/nvidia",
                "/dev/kfd",
                "/dev/dri",
                "/dev/neuron",
                "/dev/vfio",
                "habana",
                "error gathering device information",
                "no such device",
                "unknown device",
                "not a device node",
                "error adding device",
                "error creating device nodes",
                "failed to generate*stat /dev/*no such file",
                "failed to set up device",
            ],
            DRIVER,
            "moby daemon/devices.go and daemon/oci_linux.go; containerd pkg/oci/utils_unix.go (DeviceFromPath); runc \
             libcontainer/rootfs_linux.go",
        ),
        row(
            &[
                "running hook",
                "running * hook #",
                "prestart hook",
                "executing hook",
                "oci hook",
            ],
            HOOK,
            "runc libcontainer/configs/config.go (Hooks.Run); crun src/libcrun/container.c (do_hooks)",
        ),
    ],
};
