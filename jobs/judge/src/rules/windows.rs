//! Exit codes of Windows programs: NTSTATUS values, the exit codes of processes that an exception or the system ended.
//!
//! Sources: `ntstatus.h` of the Windows SDK and [MS-ERREF] section 2.3; `0xE0434352` and `0xE06D7363` are the exception
//! codes of the .NET runtime and of Visual C++. The Windows API has unsigned 32-bit codes, the Kubernetes API signed ones.

use crate::category::Retry;
use crate::cause::Cause;

/// An exit code with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NtStatus {
    pub(crate) code: u32,
    pub(crate) name: &'static str,
    pub(crate) cause: Cause,
    pub(crate) retry: Retry,
    /// `None`: that of the cause.
    pub(crate) next_step: Option<&'static str>,
}

/// `STATUS_CONTROL_C_EXIT`: the exit code of a program that Windows stops, as SIGTERM does on Linux.
pub(crate) const CONTROL_C_EXIT: i32 = 0xC000_013A_u32.cast_signed();

const LIBRARY: &str = "Check that the image has every DLL and runtime that the program needs, in versions that match the \
                       program and the base image.";
const STOPPED: &str =
    "Look for the request to stop the container: the kubelet, a shutdown of the node, or a process in the container.";
const MEMORY: &str = "Raise resources.limits.memory, or make the program use less: Windows does not kill a program at its \
                      limit, but fails its allocations.";
const DOT_NET: &str =
    "Read the container's log around the time it ended: an unhandled .NET exception writes its stack trace there.";

const fn crashed(code: u32, name: &'static str) -> NtStatus {
    NtStatus {
        code,
        name,
        cause: Cause::Crashed,
        retry: Retry::Maybe,
        next_step: None,
    }
}

const fn not_loaded(code: u32, name: &'static str) -> NtStatus {
    NtStatus {
        retry: Retry::No,
        next_step: Some(LIBRARY),
        ..crashed(code, name)
    }
}

const fn stopped(code: u32, name: &'static str) -> NtStatus {
    NtStatus {
        cause: Cause::Killed,
        next_step: Some(STOPPED),
        ..crashed(code, name)
    }
}

const fn out_of_memory(code: u32, name: &'static str) -> NtStatus {
    NtStatus {
        cause: Cause::OutOfMemory,
        next_step: Some(MEMORY),
        ..crashed(code, name)
    }
}

const STATUSES: [NtStatus; 33] = [
    stopped(0x4001_0004, "DBG_TERMINATE_PROCESS"),
    stopped(0x4001_0005, "DBG_CONTROL_C"),
    crashed(0x8000_0002, "STATUS_DATATYPE_MISALIGNMENT"),
    crashed(0x8000_0003, "STATUS_BREAKPOINT"),
    crashed(0xC000_0005, "STATUS_ACCESS_VIOLATION"),
    crashed(0xC000_0006, "STATUS_IN_PAGE_ERROR"),
    crashed(0xC000_0008, "STATUS_INVALID_HANDLE"),
    out_of_memory(0xC000_0017, "STATUS_NO_MEMORY"),
    crashed(0xC000_001D, "STATUS_ILLEGAL_INSTRUCTION"),
    crashed(0xC000_0025, "STATUS_NONCONTINUABLE_EXCEPTION"),
    not_loaded(0xC000_007B, "STATUS_INVALID_IMAGE_FORMAT"),
    crashed(0xC000_008C, "STATUS_ARRAY_BOUNDS_EXCEEDED"),
    crashed(0xC000_008E, "STATUS_FLOAT_DIVIDE_BY_ZERO"),
    crashed(0xC000_0090, "STATUS_FLOAT_INVALID_OPERATION"),
    crashed(0xC000_0091, "STATUS_FLOAT_OVERFLOW"),
    crashed(0xC000_0094, "STATUS_INTEGER_DIVIDE_BY_ZERO"),
    crashed(0xC000_0095, "STATUS_INTEGER_OVERFLOW"),
    crashed(0xC000_0096, "STATUS_PRIVILEGED_INSTRUCTION"),
    out_of_memory(0xC000_009A, "STATUS_INSUFFICIENT_RESOURCES"),
    crashed(0xC000_00FD, "STATUS_STACK_OVERFLOW"),
    out_of_memory(0xC000_012D, "STATUS_COMMITMENT_LIMIT"),
    not_loaded(0xC000_0135, "STATUS_DLL_NOT_FOUND"),
    not_loaded(0xC000_0138, "STATUS_ORDINAL_NOT_FOUND"),
    not_loaded(0xC000_0139, "STATUS_ENTRYPOINT_NOT_FOUND"),
    stopped(CONTROL_C_EXIT.cast_unsigned(), "STATUS_CONTROL_C_EXIT"),
    not_loaded(0xC000_0142, "STATUS_DLL_INIT_FAILED"),
    crashed(0xC000_0144, "STATUS_UNHANDLED_EXCEPTION"),
    not_loaded(0xC000_0221, "STATUS_IMAGE_CHECKSUM_MISMATCH"),
    crashed(0xC000_0374, "STATUS_HEAP_CORRUPTION"),
    crashed(0xC000_0409, "STATUS_STACK_BUFFER_OVERRUN"),
    crashed(0xC000_0420, "STATUS_ASSERTION_FAILURE"),
    NtStatus {
        next_step: Some(DOT_NET),
        ..crashed(0xE043_4352, "exception of .NET")
    },
    crashed(0xE06D_7363, "exception of C++"),
];

/// The status with that exit code.
pub(crate) fn status(exit_code: i32) -> Option<&'static NtStatus> {
    let code = exit_code.cast_unsigned();
    STATUSES.iter().find(|status| status.code == code)
}

/// An exit code as the Kubernetes API stores it; some programs print it without a sign.
pub(crate) fn exit_code(number: i64) -> Option<i32> {
    i32::try_from(number)
        .or_else(|_| u32::try_from(number).map(u32::cast_signed))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_with_and_without_a_sign() {
        for number in [-1_073_741_819, 3_221_225_477] {
            let status = exit_code(number).and_then(status).unwrap();
            assert_eq!((status.name, status.cause), ("STATUS_ACCESS_VIOLATION", Cause::Crashed));
        }
        assert_eq!(status(CONTROL_C_EXIT).unwrap().cause, Cause::Killed);
        for own in [-1, 0, 1, 137, 255, i32::MIN, i32::MAX] {
            assert_eq!(status(own), None, "{own}");
        }
        assert_eq!(exit_code(i64::from(u32::MAX) + 1), None);
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(STATUSES.is_sorted_by(|a, b| a.code < b.code));
    }
}
