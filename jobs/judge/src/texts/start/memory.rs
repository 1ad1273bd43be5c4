//! Memory limits too low for the runtime to start the container.

use crate::category::Retry;
use crate::cause::Cause;
use crate::texts::{Family, KnownText};

const LIMIT: &str = "Raise resources.limits.memory: the limit is too low for the runtime to start the container, before the program runs.";
const LIKELY: &str = "Raise resources.limits.memory; if the limit is not low, look for an out-of-memory kill of the runtime's own \
                      process in the kernel log of that node.";

const fn row(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::OutOfMemory,
        retry: Retry::No,
        next_step,
        source,
    }
}

/// Memory limits.
pub(crate) const MEMORY: Family = Family {
    name: "Start: memory",
    searched_in: "The runtime's message on a container that could not be created or started, or on the sandbox of a Pod.",
    texts: &[
        row(
            &[
                "container init was oom-killed",
                "possibly oom-killed",
                "memory limit too low",
                "memory limit is too low",
                "memory limit * too low",
                "unable to set memory limit",
                "minimum memory limit allowed",
                "killed by the oom killer",
                "memory.max*device or resource busy",
                "memory.limit_in_bytes*device or resource busy",
            ],
            LIMIT,
            "runc libcontainer/process_linux.go and cgroups/fs/memory.go (opencontainers/runc#2812, #1980); CRI-O \
             internal/config/cgmgr (VerifyMemoryIsEnough); moby daemon/daemon_unix.go (linuxMinMemory)",
        ),
        row(
            &[
                "read init-p: connection reset by peer",
                "write init-p: broken pipe",
                "init-p*eof",
                "child's pid*eof",
                "waiting for init preliminary setup*eof",
            ],
            LIKELY,
            "opencontainers/runc#2736: the runtime's process is killed on a low limit, and runc sees only that the pipe is closed",
        ),
        row(
            &[
                "clone: cannot allocate memory",
                "clone3: cannot allocate memory",
                "the paging file is too small",
                "not enough memory resources are available",
            ],
            LIKELY,
            "crun src/libcrun/linux.c (libcrun_run_linux_container); Windows ERROR_COMMITMENT_LIMIT, ERROR_NOT_ENOUGH_MEMORY",
        ),
        row(
            &["cannot allocate memory", "out of memory"],
            LIKELY,
            "errno ENOMEM in runc, crun and containerd",
        ),
    ],
};
