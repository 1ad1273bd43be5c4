//! Why a Job had not finished at its deadline, with Pods that had started or ended.

use crate::support::*;
use job_event::evidence::*;
use job_judge::Cause;

#[test]
fn a_repeated_verdict_adds_no_failed_attempt() {
    let victim = Pod {
        deletion: deleted(60, 30),
        ..pod("Failed", vec![running("main", 1)])
    };
    let mut evidence = job("DeadlineExceeded", 62);
    evidence.job.spec.active_deadline_seconds = Some(60);
    let judgement = with(evidence, vec![victim], vec![]);
    assert_eq!(judgement.cause, Some(Cause::RanTooLong));
    assert!(judgement.attempt_failures.is_empty());
}

#[test]
fn a_crash_loop_counts_and_an_old_crash_does_not() {
    let looping = Container {
        restarts: 3,
        waiting: Some(Box::new(Waiting {
            reason: "CrashLoopBackOff".into(),
            message: "back-off 40s".into(),
        })),
        state: ContainerState::Waiting,
        ..ended("main", end(137, "OOMKilled", 30))
    };
    assert_eq!(
        deadline(pod("Running", vec![looping.clone()]), vec![]).cause,
        Some(Cause::OutOfMemory)
    );
    let restarted = |since| Container {
        restarts: 1,
        state: ContainerState::Running,
        running_since: Some(at(since)),
        ..looping.clone()
    };
    assert_eq!(
        deadline(pod("Running", vec![restarted(50)]), vec![]).cause,
        Some(Cause::OutOfMemory)
    );
    assert_eq!(
        deadline(pod("Running", vec![restarted(10)]), vec![]).cause,
        Some(Cause::RanTooLong)
    );
}

#[test]
fn a_second_container_blocks_completion() {
    let done = |code, reason| ended("main", end(code, reason, 5));
    let blocked = pod("Running", vec![done(0, "Completed"), running("proxy", 1)]);
    let judgement = deadline(blocked.clone(), vec![]);
    assert_eq!(judgement.cause, Some(Cause::SidecarBlockedCompletion));
    assert!(judgement.summary.contains("container proxy"), "{}", judgement.summary);
    // The annotation names the container with the work.
    let annotated = Pod {
        default_container: Some("proxy".into()),
        ..blocked
    };
    assert_eq!(deadline(annotated, vec![]).cause, Some(Cause::RanTooLong));
    // The work failed, and only the other container keeps the Pod from failing.
    let failed = pod("Running", vec![done(1, "Error"), running("proxy", 1)]);
    assert_eq!(deadline(failed, vec![]).cause, Some(Cause::NonZeroExit));
}

#[test]
fn an_init_container_can_run_too_long() {
    let init = Container {
        role: ContainerRole::Init,
        ..running("migrate", 1)
    };
    let judgement = deadline(pod("Pending", vec![init, container("main")]), vec![]);
    assert_eq!(judgement.cause, Some(Cause::RanTooLong));
    assert!(
        judgement.summary.contains("init container migrate was still running"),
        "{}",
        judgement.summary
    );
}

#[test]
fn a_stuck_pod_on_a_node_that_is_not_ready_is_lost() {
    let stuck = |events| {
        let terminating = Pod {
            deletion: deleted(10, 30),
            ..pod("Running", vec![running("main", 1)])
        };
        with(job("DeadlineExceeded", 60), vec![terminating], events).cause
    };
    let not_ready = |last| vec![event("pod-a", "NodeNotReady", "Node is not ready", last)];
    assert_eq!(stuck(vec![]), Some(Cause::StuckTerminating));
    assert_eq!(stuck(not_ready(12)), Some(Cause::NodeLost));
    let alive = || pod("Running", vec![running("main", 1)]);
    assert_eq!(deadline(alive(), not_ready(40)).cause, Some(Cause::NodeLost));
}

#[test]
fn a_failure_shortly_before_the_deadline_is_the_cause() {
    let failed = pod("Failed", vec![ended("main", end(7, "Error", 40))]);
    let retry = |created| Pod {
        name: "j-b".into(),
        uid: "pod-b".into(),
        created: Some(at(created)),
        start_time: Some(at(created)),
        deletion: deleted(60, 30),
        ..pod("Running", vec![running("main", created)])
    };
    let cause = |pods| with(job("DeadlineExceeded", 60), pods, vec![]).cause;
    assert_eq!(cause(vec![failed.clone(), retry(50)]), Some(Cause::NonZeroExit));
    let early = pod("Failed", vec![ended("main", end(7, "Error", 2))]);
    assert_eq!(cause(vec![early, retry(5)]), Some(Cause::RanTooLong));
    // Another index's failure is another matter.
    let other_index = Pod {
        index: Some("0".into()),
        ..failed
    };
    let this_index = Pod {
        index: Some("1".into()),
        ..retry(50)
    };
    assert_eq!(cause(vec![other_index, this_index]), Some(Cause::RanTooLong));
}

#[test]
fn success_checked_after_the_deadline_is_too_late() {
    let mut evidence = job("DeadlineExceeded", 60);
    evidence.job.status.succeeded = 1;
    let done = pod("Succeeded", vec![ended("main", end(0, "Completed", 59))]);
    assert_eq!(with(evidence, vec![done], vec![]).cause, Some(Cause::RanTooLong));
}

#[test]
fn a_completed_pod_counts_before_the_status_counts_it() {
    let mut evidence = job("DeadlineExceeded", 60);
    evidence.job.status.succeeded = 0;
    let failed = pod("Failed", vec![ended("main", end(1, "Error", 5))]);
    let done = Pod {
        uid: "pod-b".into(),
        name: "j-b".into(),
        ..pod("Succeeded", vec![ended("main", end(0, "Completed", 59))])
    };
    let judgement = with(evidence.clone(), vec![failed.clone(), done.clone()], vec![]);
    assert_eq!(judgement.cause, Some(Cause::RanTooLong));
    // One of two is not enough: the other one failed and was to be tried again.
    evidence.job.spec.completions = Some(2);
    assert_eq!(
        with(evidence, vec![failed, done], vec![]).cause,
        Some(Cause::NonZeroExit)
    );
}

#[test]
fn after_a_suspension_only_the_last_start_counts() {
    let mut evidence = job("DeadlineExceeded", 160);
    evidence.job.status.start_time = Some(at(100));
    evidence.job.spec.active_deadline_seconds = Some(60);
    evidence.job.status.conditions.push(Condition {
        kind: "Suspended".into(),
        is_true: false,
        reason: "JobResumed".into(),
        since: Some(at(100)),
        ..Default::default()
    });
    let mut killed = end(137, "Error", 80);
    killed.before_deletion = false;
    let suspended = Pod {
        deletion: deleted(50, 30),
        removed: true,
        ..pod("Failed", vec![ended("main", killed)])
    };
    let resumed = Pod {
        uid: "pod-b".into(),
        name: "j-b".into(),
        created: Some(at(100)),
        start_time: Some(at(100)),
        deletion: deleted(160, 30),
        ..pod("Running", vec![running("main", 101)])
    };
    let judgement = with(evidence, vec![suspended, resumed], vec![]);
    assert_eq!(judgement.cause, Some(Cause::RanTooLong));
    assert!(judgement.attempt_failures.is_empty());
    assert!(
        judgement.summary.starts_with("Timed out after 1 min ("),
        "{}",
        judgement.summary
    );
}

#[test]
fn a_young_replacement_keeps_the_cause_of_the_eviction() {
    let evicted = Pod {
        disruption: disrupted("PreemptionByScheduler", 50),
        deletion: deleted(50, 30),
        removed: true,
        ..pod(
            "Failed",
            vec![ended(
                "main",
                Termination {
                    before_deletion: false,
                    ..end(143, "Error", 51)
                },
            )],
        )
    };
    let replacement = Pod {
        uid: "pod-b".into(),
        name: "j-b".into(),
        node: None,
        created: Some(at(52)),
        start_time: None,
        deletion: deleted(60, 0),
        ..pod("Pending", vec![container("main")])
    };
    let cause = |replacement: Pod| {
        with(job("DeadlineExceeded", 60), vec![evicted.clone(), replacement], vec![])
            .cause
            .unwrap()
    };
    assert_eq!(
        cause(replacement.clone()),
        Cause::Preempted,
        "nobody has looked at the new Pod yet"
    );
    let refused = Pod {
        not_scheduled: not_scheduled("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu."),
        ..replacement.clone()
    };
    assert_eq!(cause(refused), Cause::Unschedulable);
}
