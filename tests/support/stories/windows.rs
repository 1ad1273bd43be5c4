//! Exit codes of Windows, and the reports of node-problem-detector.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::kubelet::{ended, status};
use super::story::Story;

pub(super) fn stories() -> Vec<Story> {
    vec![
        ends("windows-access-violation", Cause::Crashed, -1_073_741_819)
            .sentence("container main crashed and exited with code -1073741819 (0xC0000005, STATUS_ACCESS_VIOLATION)."),
        ends("windows-unsigned-code", Cause::Crashed, 3_221_226_505)
            .sentence("exited with code -1073740791 (0xC0000409, STATUS_STACK_BUFFER_OVERRUN)."),
        ends("windows-dll-missing", Cause::Crashed, -1_073_741_515)
            .next_step("Check that the image has every DLL")
            .retry(Retry::No),
        ends("windows-stopped", Cause::Killed, -1_073_741_510)
            .sentence("container main exited with code -1073741510 (0xC000013A, STATUS_CONTROL_C_EXIT)."),
        ends("windows-commit-limit", Cause::OutOfMemory, -1_073_741_523)
            .sentence("container main ran out of memory and exited with code -1073741523"),
        ends("windows-own-code", Cause::NonZeroExit, -1),
        oom_killing("npd-system-oom", Cause::OutOfMemory, 37, "Out of memory").retry(Retry::Maybe),
        oom_killing("npd-limit-oom", Cause::OutOfMemory, 31, "Memory cgroup out of memory")
            .sentence("container main was killed when the kernel of node node1 killed a process that exceeded its memory limit")
            .retry(Retry::No),
        // The limit of an unknown Pod on that node.
        oom_killing("npd-limit-oom-later", Cause::Killed, 33, "Memory cgroup out of memory"),
    ]
}

/// A container that ends with a code of 32 bits, with or without a sign.
fn ends(name: &'static str, cause: Cause, code: i64) -> Story {
    let mut end = ended("main-0", 1, "Error", 1, 9);
    end["terminated"]["exitCode"] = json!(code);
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(9)
        .states("a", "Failed", &[status("main", &end, None, 0)])
        .at(10)
        .backoff()
}

/// The kernel kills a process of the node at that second; the container has ended at 30.
fn oom_killing(name: &'static str, cause: Cause, second: i64, lead: &str) -> Story {
    let message = format!(
        "{lead}: Killed process 4711 (java) total-vm:753508kB, anon-rss:58776kB, file-rss:29400kB, shmem-rss:0kB"
    );
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(30)
        .ends("a", 137, "Error")
        .at(second)
        .warns("nodes/node1", "OOMKilling", &message)
        .backoff()
}
