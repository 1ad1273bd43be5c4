//! What no recording holds, told in the form of one: outcome, reason and cause, what else is said, and what must not be.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

#[path = "support/stories/mod.rs"]
mod stories;

use std::collections::BTreeSet;

use job_event::Evidence;
use job_event::evidence::ContainerRole;
use job_judge::AttemptOutcome::{Failed, Stopped, Succeeded};
use job_judge::JudgedAttempt;
use job_judge::{Cause, Judgement, Retry, judge};
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;
use stories::story::End;
use stories::{Story, all, named};

/// The story's first Job.
fn told(story: &Story) -> (Evidence, Judgement) {
    let text: String = story.lines.iter().map(|line| format!("{line}\n")).collect();
    let replay = replay(text.as_bytes(), TrackerSettings::default()).unwrap();
    let mut jobs = replay.ended.into_iter().chain(replay.unfinished);
    let evidence = jobs.find(|evidence| &*evidence.job.name == "j").unwrap();
    let judgement = judge(&evidence);
    (evidence, judgement)
}

fn judged(name: &str) -> Judgement {
    told(&named(name)).1
}

/// The attempts of a story that failed.
fn failures(judgement: &Judgement) -> Vec<&JudgedAttempt> {
    let attempts = judgement.attempts.iter();
    attempts.filter(|attempt| attempt.outcome == Failed).collect()
}

#[test]
fn every_story_is_judged_as_it_was_meant() {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for story in all() {
        assert!(names.insert(story.name), "{}: two of that name", story.name);
        let (_, judgement) = told(&story);
        let End { outcome, reason, cause } = story.end;
        let found = (judgement.outcome.as_str(), judgement.reason.as_deref(), judgement.cause);
        if found != (outcome, reason, cause) {
            wrong.push(format!("{}: {found:?} instead of {:?}", story.name, story.end));
        }
        assert!(judgement.summary.ends_with('.'), "{}", judgement.summary);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cause_has_a_story() {
    let told: BTreeSet<Cause> = all().iter().filter_map(|story| story.end.cause).collect();
    let missing: Vec<_> = job_judge::CAUSES
        .iter()
        .map(|info| info.cause)
        .filter(|cause| !told.contains(cause))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn whether_to_run_it_again() {
    for (name, retry) in [
        ("image-not-found", Retry::No),
        ("image-not-found-crio", Retry::No),
        ("image-never", Retry::No),
        ("image-invalid", Retry::No),
        ("image-signature", Retry::No),
        ("image-registry-unavailable", Retry::Yes),
        ("image-inspect", Retry::Maybe),
        ("nonroot", Retry::No),
        ("pod-security", Retry::No),
        ("scc", Retry::No),
        ("webhook-denies", Retry::No),
        ("webhook-down", Retry::Yes),
        ("quota", Retry::Maybe),
        ("out-of-cpu", Retry::Yes),
        ("sysctl", Retry::No),
        ("topology", Retry::Maybe),
        ("evict-api", Retry::Yes),
        ("node-lost", Retry::Yes),
        ("pod-deleted", Retry::Yes),
        ("oom", Retry::No),
        // Another Pod may have taken the memory of the node.
        ("system-oom", Retry::Maybe),
    ] {
        assert_eq!(judged(name).retry, Some(retry), "{name}");
    }
}

#[test]
fn who_is_to_blame() {
    for (name, container, role, exit_code) in [
        ("native-sidecar-kill", "main", ContainerRole::Main, 2),
        ("sidecar-crashloop", "proxy", ContainerRole::Sidecar, 1),
        ("init-fails", "migrate", ContainerRole::Init, 4),
        ("pfp-exit", "main", ContainerRole::Main, 42),
    ] {
        let judgement = judged(name);
        let last = *failures(&judgement).last().unwrap();
        let found = (last.container.as_deref(), last.role, last.exit_code);
        assert_eq!(found, (Some(container), Some(role), Some(exit_code)), "{name}");
    }
    let deadline = judged("deadline-init").summary;
    assert!(
        deadline.contains("init container migrate was still running"),
        "{deadline}"
    );
    // The rule names the sidecar though the main container failed as well.
    let policy = judged("pfp-sidecar");
    assert_eq!(policy.failure_policy_rule, Some(1));
    assert!(
        policy
            .summary
            .contains("rule 1 of its podFailurePolicy: sidecar proxy exited with code 7")
    );
    assert_eq!(judged("exit-3").failure_policy_rule, None);
}

#[test]
fn attempts_are_those_that_failed_by_themselves() {
    let causes = |name: &str| -> Vec<Cause> {
        let judgement = judged(name);
        failures(&judgement)
            .iter()
            .filter_map(|attempt| attempt.cause)
            .collect()
    };
    assert_eq!(causes("mixed-attempts"), [Cause::OutOfMemory, Cause::NonZeroExit]);
    assert_eq!(causes("mixed-attempts-kill-last"), [Cause::OutOfMemory, Cause::Killed]);
    assert_eq!(causes("pfp-ignore"), [Cause::NodeDrained, Cause::NonZeroExit]);
    assert_eq!(causes("parallel-collateral"), [Cause::NonZeroExit]);
    assert_eq!(causes("scaled-down"), [Cause::NonZeroExit]);
    assert_eq!(causes("max-failed-indexes"), [Cause::NonZeroExit]);
    for victims_only in [
        "deadline-running",
        "deadline-exit0",
        "deadline-decided-twice",
        "deadline-after-resume",
    ] {
        assert_eq!(causes(victims_only), [], "{victims_only}");
    }
    for no_failure in ["cron-replace", "cron-deleted", "suspended", "orphaned"] {
        let judgement = judged(no_failure);
        assert!(judgement.attempt_failures.is_empty(), "{no_failure}: {judgement:?}");
        assert!(judgement.attempts.iter().all(|attempt| attempt.outcome == Stopped));
    }
    let success = judged("success-policy");
    let outcomes: Vec<_> = success.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Failed, Succeeded, Stopped]);
    let indexes: Vec<_> = success
        .attempts
        .iter()
        .filter_map(|attempt| attempt.index.as_deref())
        .collect();
    assert_eq!(indexes, ["1", "0", "2"]);
}

/// Pairs that differ in one thing, and what a look at the exit code alone gets wrong.
#[test]
fn what_must_not_be_said() {
    for (names, never) in [
        (
            &[
                "image-not-found",
                "image-never",
                "image-of-init",
                "exec-missing-crio",
                "nonroot",
            ][..],
            &[Cause::Killed, Cause::OutOfMemory, Cause::NodeLost][..],
        ),
        (
            &[
                "deadline-running",
                "deadline-exit0",
                "max-failed-indexes",
                "parallel-collateral",
                "oom-onfailure",
            ],
            &[Cause::Killed],
        ),
        (
            &["deadline-crashloop", "deadline-backoff-gap"],
            &[Cause::RanTooLong, Cause::SlowStart],
        ),
    ] {
        for name in names {
            let judgement = judged(name);
            let said = judgement.attempt_failures.keys().copied().chain(judgement.cause);
            for cause in said {
                assert!(!never.contains(&cause), "{name}: {cause:?}");
            }
        }
    }
    let native = judged("native-sidecar-kill");
    assert!(!native.summary.contains("proxy"), "{}", native.summary);
}

#[test]
fn sentences_for_what_is_rare() {
    for (name, part) in [
        (
            "system-oom",
            "container main was killed because node node1 ran out of memory: “System OOM encountered",
        ),
        (
            "seccomp-crio",
            "container main was killed for a system call that its seccomp profile forbids.",
        ),
        (
            "rebooted",
            "node node1 lost container main of Pod a: “The container could not be located",
        ),
        (
            "node-lost",
            "Pod a was on node node1, which had not been ready since 2026-11-23T12:00:50Z.",
        ),
        (
            "unschedulable-cpu",
            "Pod a could not be scheduled: “0/1 nodes are available: 1 Insufficient cpu”.",
        ),
        ("dra-claims", "“0/1 nodes are available: 1 cannot allocate all claims”."),
        ("pod-deadline", "Pod a ran longer than its own activeDeadlineSeconds."),
        (
            "stuck-terminating",
            "(activeDeadlineSeconds: 200): Pod a was being deleted and did not terminate",
        ),
        (
            "cron-replace",
            "to start the next run of CronJob nightly (concurrencyPolicy: Replace).",
        ),
    ] {
        let summary = judged(name).summary;
        assert!(summary.contains(part), "{name}: {summary}");
    }
    let next_step = |name| judged(name).next_step.unwrap();
    assert!(next_step("system-oom").starts_with("Set requests.memory"));
    assert!(next_step("oom").starts_with("Raise resources.limits.memory"));
    assert!(next_step("webhook-down").starts_with("Look at the webhook"));
}
