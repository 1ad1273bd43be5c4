//! From the attempts to the verdict, by its reason.

use crate::support::*;
use job_event::evidence::*;
use job_event::outcome::Outcome;
use job_judge::AttemptOutcome;
use job_judge::{Cause, judge};

#[test]
fn an_older_attempt_explains_more_than_a_plain_kill() {
    let attempt = |name: &str, code, reason: &str, finished| Pod {
        name: name.into(),
        uid: name.into(),
        ..pod("Failed", vec![ended("main", end(code, reason, finished))])
    };
    let cause = |pods| with(job("BackoffLimitExceeded", 20), pods, vec![]).cause;
    let oom = || attempt("a", 137, "OOMKilled", 5);
    assert_eq!(
        cause(vec![oom(), attempt("b", 137, "Error", 15)]),
        Some(Cause::OutOfMemory)
    );
    assert_eq!(
        cause(vec![oom(), attempt("b", 1, "Error", 15)]),
        Some(Cause::NonZeroExit)
    );
    assert_eq!(
        cause(vec![attempt("b", 1, "Error", 15), oom()]),
        Some(Cause::NonZeroExit),
        "order of ends, not of the list"
    );
}

#[test]
fn a_failure_policy_can_match_a_sidecar() {
    let mut evidence = job("PodFailurePolicy", 20);
    let message = "Container proxy for pod ns/j-a failed with exit code 42 matching FailJob rule at index 0";
    evidence.job.status.conditions[0].message = message.into();
    let proxy = Container {
        role: ContainerRole::Sidecar,
        ..ended("proxy", end(42, "Error", 9))
    };
    let pods = vec![pod("Failed", vec![proxy, ended("main", end(137, "OOMKilled", 8))])];
    let judgement = with(evidence.clone(), pods, vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert!(
        judgement.summary.contains("sidecar proxy exited with code 42"),
        "{}",
        judgement.summary
    );
    // The Pod was never seen: the code alone.
    assert_eq!(with(evidence.clone(), vec![], vec![]).cause, Some(Cause::NonZeroExit));

    let message = "Pod ns/j-a has condition DisruptionTarget matching FailJob rule at index 1";
    evidence.job.status.conditions[0].message = message.into();
    let drained = Pod {
        disruption: disrupted("EvictionByEvictionAPI", 10),
        deletion: deleted(10, 30),
        ..pod("Failed", vec![])
    };
    assert_eq!(
        with(evidence.clone(), vec![drained], vec![]).cause,
        Some(Cause::NodeDrained)
    );
    assert_eq!(with(evidence, vec![], vec![]).cause, Some(Cause::Unknown));
}

#[test]
fn only_failed_indexes_count() {
    let mut evidence = job("FailedIndexes", 60);
    evidence.job.status.failed_indexes = Some("1-2,5".into());
    let attempt = |index: &str, code, finished| Pod {
        name: format!("j-{index}-{finished}").into(),
        uid: format!("{index}-{finished}").into(),
        index: Some(index.into()),
        ..pod("Failed", vec![ended("main", end(code, "Error", finished))])
    };
    let pods = vec![
        attempt("0", 127, 50),
        attempt("1", 127, 10),
        attempt("1", 3, 20),
        attempt("2", 3, 21),
        attempt("5", 139, 40),
    ];
    assert_eq!(with(evidence.clone(), pods, vec![]).cause, Some(Cause::NonZeroExit));
    // On a tie the latest cause.
    let pods = vec![attempt("1", 3, 20), attempt("5", 139, 40)];
    assert_eq!(with(evidence, pods, vec![]).cause, Some(Cause::Crashed));
}

#[test]
fn restarts_in_place_before_the_verdict_are_attempts() {
    let mut evidence = job("BackoffLimitExceeded", 20);
    evidence.job.spec.restart_policy = Some("OnFailure".into());
    let mut main = running("main", 19);
    main.restarts = 2;
    main.terminations = vec![
        Termination {
            attempt: 0,
            ..end(3, "Error", 5)
        },
        Termination {
            attempt: 1,
            ..end(4, "Error", 10)
        },
        Termination {
            attempt: 2,
            before_deletion: false,
            ..end(137, "Error", 50)
        },
    ];
    let victim = Pod {
        deletion: deleted(20, 30),
        ..pod("Failed", vec![main])
    };
    let judgement = with(evidence.clone(), vec![victim], vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    let codes: Vec<_> = judgement.attempts.iter().map(|a| (a.exit_code, a.outcome)).collect();
    use AttemptOutcome::{Failed, Stopped};
    assert_eq!(codes, [(Some(3), Failed), (Some(4), Failed), (Some(137), Stopped)]);

    // A native sidecar's restarts count towards the limit.
    let mut sidecar = running("proxy", 19);
    sidecar.role = ContainerRole::Sidecar;
    sidecar.restarts = 1;
    sidecar.terminations = vec![end(1, "Error", 10)];
    let victim = Pod {
        deletion: deleted(20, 30),
        ..pod("Running", vec![sidecar, running("main", 1)])
    };
    let judgement = with(evidence, vec![victim], vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert_eq!(judgement.attempts[0].role, Some(ContainerRole::Sidecar));
}

#[test]
fn a_restart_of_all_containers_is_no_failure() {
    let mut evidence = job("BackoffLimitExceeded", 20);
    evidence.job.spec.restart_policy = Some("OnFailure".into());
    let mut main = running("main", 6);
    main.terminations = vec![end(137, "RestartingAllContainers", 5)];
    let victim = Pod {
        deletion: deleted(20, 30),
        ..pod("Running", vec![main])
    };
    assert_eq!(with(evidence, vec![victim], vec![]).cause, Some(Cause::Unknown));
}

#[test]
fn pods_ended_by_a_suspension_are_no_failures() {
    let mut evidence = job("BackoffLimitExceeded", 120);
    evidence.job.status.start_time = Some(at(60));
    evidence.job.status.conditions.push(Condition {
        kind: "Suspended".into(),
        is_true: false,
        reason: "JobResumed".into(),
        since: Some(at(60)),
        ..Default::default()
    });
    let suspended = Pod {
        deletion: deleted(30, 30),
        ..pod(
            "Failed",
            vec![ended(
                "main",
                Termination {
                    before_deletion: false,
                    ..end(137, "Error", 50)
                },
            )],
        )
    };
    let failed = Pod {
        name: "j-b".into(),
        uid: "pod-b".into(),
        created: Some(at(61)),
        ..pod("Failed", vec![ended("main", end(9, "Error", 110))])
    };
    let judgement = with(evidence, vec![suspended, failed], vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert_eq!(judgement.attempt_failures, [(Cause::NonZeroExit, 1)].into());
}

#[test]
fn attempts_explain_the_reason_of_another_manager() {
    let failed = pod("Failed", vec![ended("main", end(2, "Error", 5))]);
    let judgement = with(job("QueueTimeout\u{1b}[0m", 20), vec![failed], vec![]);
    assert_eq!(judgement.reason.as_deref(), Some("QueueTimeout\u{1b}[0m"));
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert!(!judgement.summary.contains('\u{1b}'), "{}", judgement.summary);
}

#[test]
fn a_job_that_did_not_fail_has_no_cause() {
    let mut evidence = job("x", 20);
    evidence.job.status.conditions.clear();
    assert_eq!(judge(&evidence).outcome, Outcome::Running);
    evidence.job.removed = Some(Removal {
        at: at(30),
        replaced: true,
    });
    evidence.pods = vec![Pod {
        deletion: deleted(29, 30),
        ..pod("Failed", vec![running("main", 1)])
    }];
    let judgement = judge(&evidence);
    assert_eq!(
        (judgement.outcome, judgement.cause, judgement.retry),
        (Outcome::Replaced, None, None)
    );
    assert!(judgement.attempt_failures.is_empty());
}

#[test]
fn messages_are_quoted_short_and_on_one_line() {
    let long = Termination {
        message: format!("line one\nline\ttwo {}\u{7}", "x".repeat(4000)).into(),
        ..end(1, "Error", 5)
    };
    let judgement = with(
        job("BackoffLimitExceeded", 20),
        vec![pod("Failed", vec![ended("main", long)])],
        vec![],
    );
    assert!(
        judgement.summary.contains("“… line two xxx") && judgement.summary.ends_with("xxx\\u{7}”."),
        "{}",
        judgement.summary
    );
    assert!(judgement.summary.chars().count() < 400);
}

#[test]
fn the_writer_of_a_message_decides_what_is_quoted() {
    let message = "failed to create containerd task: cannot stat\npanic: bad";
    let summary = |code, reason: &str| {
        let termination = Termination {
            message: message.into(),
            ..end(code, reason, 5)
        };
        let pods = vec![pod("Failed", vec![ended("main", termination)])];
        with(job("BackoffLimitExceeded", 20), pods, vec![]).summary
    };
    assert!(summary(1, "Error").ends_with("exited with code 1: “panic: bad”."));
    assert!(summary(128, "StartError").ends_with("“cannot stat panic: bad”."));
}

#[test]
fn secrets_in_messages_are_not_quoted() {
    let termination = Termination {
        message: "cannot open postgres://app:hunter2@db:5432/x with password=hunter2".into(),
        ..end(1, "Error", 5)
    };
    let pods = vec![pod("Failed", vec![ended("main", termination)])];
    let summary = with(job("BackoffLimitExceeded", 20), pods, vec![]).summary;
    assert!(
        !summary.contains("hunter2") && summary.contains("@db:5432/x"),
        "{summary}"
    );
}

#[test]
fn under_on_failure_a_disruption_must_end_the_pod() {
    let mut evidence = job("DeadlineExceeded", 60);
    evidence.job.spec.restart_policy = Some("OnFailure".into());
    // Marked for eviction, which was cancelled: it ran until the deadline.
    let spared = Pod {
        disruption: disrupted("EvictionByEvictionAPI", 10),
        ..pod("Running", vec![running("main", 1)])
    };
    let judgement = with(evidence.clone(), vec![spared], vec![]);
    assert_eq!(judgement.cause, Some(Cause::RanTooLong));
    assert!(judgement.attempt_failures.is_empty());

    // A node that shut down let it complete, and still wrote its own reason.
    evidence.job.status.conditions[0].kind = "SuccessCriteriaMet".into();
    let done = Pod {
        reason: "Terminated".into(),
        disruption: disrupted("TerminationByKubelet", 50),
        ..pod("Succeeded", vec![ended("main", end(0, "Completed", 50))])
    };
    let judgement = with(evidence, vec![done], vec![]);
    assert_eq!(judgement.outcome, Outcome::Succeeded);
    assert!(judgement.attempt_failures.is_empty());
    assert_eq!(judgement.attempts[0].outcome, AttemptOutcome::Succeeded);
}

#[test]
fn a_failure_policy_on_a_disruption_names_the_disruption() {
    let mut evidence = job("PodFailurePolicy", 20);
    evidence.job.status.conditions[0].message =
        "Pod ns/j-a has condition DisruptionTarget matching FailJob rule at index 0".into();
    let mut killed = end(143, "Error", 15);
    killed.before_deletion = false;
    let cause = |reason: &str, status_reason: &str, events| {
        let victim = Pod {
            disruption: disrupted(reason, 10),
            reason: status_reason.into(),
            deletion: if status_reason.is_empty() {
                deleted(10, 30)
            } else {
                None
            },
            ..pod("Failed", vec![ended("main", killed.clone())])
        };
        with(evidence.clone(), vec![victim], events).cause.unwrap()
    };
    assert_eq!(cause("EvictionByEvictionAPI", "", vec![]), Cause::NodeDrained);
    assert_eq!(cause("PreemptionByScheduler", "", vec![]), Cause::Preempted);
    assert_eq!(cause("DeletionByPodGC", "", vec![]), Cause::NodeLost);
    assert_eq!(cause("TerminationByKubelet", "Terminated", vec![]), Cause::NodeShutdown);
    assert_eq!(cause("TerminationByKubelet", "Evicted", vec![]), Cause::NodePressure);
    let lost = vec![event("pod-a", "NodeNotReady", "Node is not ready", 9)];
    assert_eq!(cause("DeletionByTaintManager", "", lost), Cause::NodeLost);
}
