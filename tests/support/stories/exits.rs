//! How containers end: codes, signals, probes, hooks, attempts of different kinds.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::kubelet::{ended, running, status};
use super::story::{BACKOFF, Story, on_failure};

/// A container that ends after 8 s.
fn ends(name: &'static str, cause: Cause, code: i32, reason: &str) -> Story {
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(9)
        .ends("a", code, reason)
        .at(10)
        .backoff()
}

/// Attempts one after another, each with its end.
fn attempts(name: &'static str, cause: Cause, ends: &[(i32, &str)]) -> Story {
    let mut story = Story::failed(name, BACKOFF, cause).job(json!({"backoffLimit": ends.len() - 1}));
    let mut now = 1;
    for (number, (code, reason)) in ends.iter().enumerate() {
        let pod = format!("p{number}");
        story = story.at(now).pod(&pod).runs(&pod).at(now + 5).ends(&pod, *code, reason);
        now += 15;
    }
    story.backoff()
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = vec![
        ends("exit-3", Cause::NonZeroExit, 3, "Error")
.asserts(|judgement| assert_eq!(judgement.failure_policy_rule, None)),
        ends("exit-file-missing-crio", Cause::NonZeroExit, -1, "Error"),
        ends("segv", Cause::Crashed, 139, "Error")
.sentence("container main crashed and exited with code 139 (SIGSEGV)."),
        ends("abort", Cause::Crashed, 134, "Error"),
        ends("seccomp-crio", Cause::Crashed, 137, "seccomp killed")
.sentence("container main was killed for a system call that its seccomp profile forbids."),
        ends("oom", Cause::OutOfMemory, 137, "OOMKilled")
.next_step("Raise resources.limits.memory")
.retry(Retry::No),
        ends("oom-of-a-child", Cause::OutOfMemory, 1, "OOMKilled"),
        ends("killed-by-nobody-known", Cause::Killed, 137, "Error"),
        ends("terminated-by-itself", Cause::Killed, 143, "Error"),
        attempts(
            "mixed-attempts",
            Cause::NonZeroExit,
            &[(137, "OOMKilled"), (1, "Error")],
        )
.attempts(&[Cause::OutOfMemory, Cause::NonZeroExit]),
        attempts(
            "mixed-attempts-oom-last",
            Cause::OutOfMemory,
            &[(1, "Error"), (137, "OOMKilled")],
        )
.sentence("Failed after 2 attempts (backoffLimit: 1): container main was killed because it exceeded its memory limit."),
        attempts(
            "mixed-attempts-kill-last",
            Cause::OutOfMemory,
            &[(137, "OOMKilled"), (137, "Error")],
        )
.attempts(&[Cause::OutOfMemory, Cause::Killed]),
    ];
    stories.extend(shell_codes());
    stories.extend(probes_and_hooks());
    stories
}

/// A container that ends some seconds after its start, with a message or the last lines of its log.
fn says(name: &'static str, cause: Cause, run: i64, code: i32, message: &str) -> Story {
    let mut end = ended("main-0", code, "Error", 1, 1 + run);
    end["terminated"]["message"] = message.into();
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(1 + run)
        .states("a", "Failed", &[status("main", &end, None, 0)])
        .at(2 + run)
        .backoff()
}

/// 126 to 128: the shell's codes for a command that it cannot execute, unless the program ran.
fn shell_codes() -> Vec<Story> {
    let clone = "Cloning into '/src'...\nfatal: unable to access 'https://git.example/app.git/': Could not resolve host: \
                 git.example\n";
    let full = "rsync: write failed: No space left on device (28)\nrsync error: error in file IO (code 11)\n";
    vec![
        says("shell-127", Cause::ContainerStart, 0, 127, "")
            .sentence("container main exited with code 127 (command not found).")
            .next_step("Check command, args")
            .retry(Retry::No),
        says(
            "shell-127-log",
            Cause::ContainerStart,
            1,
            127,
            "sh: nosuchcmd: not found\n",
        ),
        says(
            "not-executable",
            Cause::ContainerStart,
            0,
            126,
            "/bin/sh: /app/run: Permission denied",
        )
        .sentence("container main exited with code 126 (command not executable)"),
        says(
            "script-127",
            Cause::NonZeroExit,
            60,
            127,
            "/app/run.sh: line 40: jq: command not found\n",
        )
        .sentence("container main exited with code 127")
        .next_step("Read the container's log")
        .retry(Retry::Maybe),
        says("own-127", Cause::NonZeroExit, 0, 127, "3 of 40 tables failed"),
        says("script-126", Cause::NonZeroExit, 8, 126, ""),
        says("git-128-at-once", Cause::NonZeroExit, 0, 128, clone).retry(Retry::Maybe),
        says(
            "exec-format-in-the-log",
            Cause::NonZeroExit,
            0,
            255,
            "exec /usr/bin/job: exec format error\n",
        )
        .next_step("Use an image for the architecture"),
        // The text of a program is not that of the runtime.
        says("disk-full-of-a-program", Cause::NonZeroExit, 5, 128, full),
        says(
            "oom-killed-in-a-log",
            Cause::NonZeroExit,
            5,
            1,
            "container init was OOM-killed (memory limit too low?)",
        ),
    ]
}

fn probe(name: &'static str, code: i32, text: &str) -> Story {
    Story::one_try(name, Cause::ProbeFailed)
        .at(1)
        .runs("a")
        .at(8)
        .warns("pods/a{main}", "Unhealthy", text)
        .at(9)
        .tell("pods/a{main}", "Normal", "Killing", "Stopping container main")
        .at(12)
        .ends("a", code, "Error")
        .at(13)
        .backoff()
}

fn probes_and_hooks() -> Vec<Story> {
    vec![
        probe(
            "liveness",
            137,
            "Liveness probe failed: cat: can't open '/healthy': No such file or directory",
        ),
        probe(
            "startup-probe",
            143,
            "Startup probe failed: dial tcp 10.0.0.4:80: connect: connection refused",
        ),
        probe(
            "liveness-heeded",
            2,
            "Liveness probe errored and resulted in unknown state: context deadline exceeded",
        ),
        readiness(),
        post_start_hook(),
        liveness_restarts(),
    ]
}

/// A readiness probe kills no container.
fn readiness() -> Story {
    Story::one_try("readiness", Cause::Killed)
        .at(1)
        .runs("a")
        .at(8)
        .warns(
            "pods/a{main}",
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
        )
        .at(12)
        .ends("a", 137, "Error")
        .at(13)
        .backoff()
}

fn post_start_hook() -> Story {
    Story::one_try("post-start-hook", Cause::ContainerStart)
        .at(1)
        .runs("a")
        .at(3)
        .warns("pods/a{main}", "FailedPostStartHook", "PostStartHook failed")
        .at(4)
        .ends("a", 137, "Error")
        .at(5)
        .backoff()
}

/// Restarted in place for a failed probe: the state of the deleted Pod is a consequence, `lastState` is not.
fn liveness_restarts() -> Story {
    Story::failed("liveness-restarts", BACKOFF, Cause::ProbeFailed)
        .job(on_failure(1))
        .pod("a")
        .at(1)
        .runs("a")
        .at(8)
        .warns("pods/a{main}", "Unhealthy", "Liveness probe failed: no answer")
        .at(12)
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &running(12),
                Some(&ended("main-0", 137, "Error", 1, 12)),
                1,
            )],
        )
        .at(13)
        .controller_deletes("a")
        .backoff_limit_exceeded()
        .at(43)
        .states(
            "a",
            "Failed",
            &[status("main", &ended("main-1", 137, "Error", 12, 43), None, 1)],
        )
        .gone("pods/a")
        .at(44)
        .finished()
}
