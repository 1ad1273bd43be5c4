//! The command of the container, its working directory and its architecture.

use super::SEARCHED_IN;
use crate::category::Retry;
use crate::cause::Cause;
use crate::texts::{Family, KnownText};

/// The next step for a command that cannot be executed.
pub(crate) const NEXT_STEP: &str =
    "Check command, args and workingDir against the content of the image, and that the file is executable there.";
/// The next step for a program of another architecture or operating system.
pub(crate) const PLATFORM: &str = "Use an image for the architecture and operating system of the node, or select nodes that match the image \
                        (nodeSelector kubernetes.io/arch, kubernetes.io/os).";
const TOO_LONG: &str = "Shorten args and env, or set enableServiceLinks: false: the kernel limits their size together.";
const NO_COMMAND: &str = "Set command: neither the Pod nor the image names a program to run.";

const fn row(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::ContainerStart,
        retry: Retry::No,
        next_step,
        source,
    }
}

/// The command of the container.
pub(crate) const COMMAND: Family = Family {
    name: "Start: the command",
    searched_in: SEARCHED_IN,
    texts: &[
        row(
            &[
                "exec format error",
                "operating system does not match the host",
                "image operating system * cannot be used on this platform",
                "no match for platform in manifest",
            ],
            PLATFORM,
            "runc libcontainer/standard_init_linux.go (errno ENOEXEC); hcsshim internal/hcs/errors.go",
        ),
        row(
            &["argument list too long"],
            TOO_LONG,
            "errno E2BIG of execve in runc and crun",
        ),
        row(
            &["no command specified"],
            NO_COMMAND,
            "containerd internal/cri/server/container_create.go; moby daemon/create.go",
        ),
        row(
            &[
                "executable file not found",
                "executable file `*` not found",
                "error finding executable",
                "exec: \"*no such file or directory",
                "exec: \\\"*no such file or directory",
                "exec: \"*permission denied",
                "exec: \\\"*permission denied",
                "exec: \"*operation not permitted",
                "exec: \\\"*operation not permitted",
                "exec: \"*is a directory",
                "exec: \\\"*is a directory",
                "exec: \"*not a directory",
                "exec: \\\"*not a directory",
                "exec /*no such file or directory",
                "exec /*permission denied",
                "exec /*operation not permitted",
                "exec user process caused",
                "exec container process",
                "open executable",
                "failed to load /*no such file",
                "the file * was not found",
                "cannot find `*` in $path",
                "container command not found",
                "container command * not found",
                "container command could not be invoked",
            ],
            NEXT_STEP,
            "Go os/exec (LookPath); runc libcontainer/standard_init_linux.go; crun src/libcrun/linux.c; gVisor pkg/sentry/kernel; \
             moby daemon/errors.go",
        ),
        row(
            &[
                "the working directory '*' is invalid",
                "chdir to cwd",
                "cwd must be an absolute path",
                "cwd is not an absolute path",
                "chdir*no such file",
                "mkdir_cwd",
            ],
            NEXT_STEP,
            "runc libcontainer/init_linux.go (finalizeNamespace) and validate/validator.go; crun src/libcrun/container.c",
        ),
        row(
            &[
                "hcs::system::createprocess*cannot find the file",
                "hcs::system::createprocess*cannot find the path",
                "hcs::system::createprocess*access is denied",
                "hcs::system::createprocess*directory name is invalid",
                "hcs::system::createprocess*not a valid win32 application",
            ],
            NEXT_STEP,
            "hcsshim internal/hcs/system.go (CreateProcess)",
        ),
    ],
};
