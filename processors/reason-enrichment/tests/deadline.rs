//! Why a Job was not finished at its deadline, on evidence written by hand.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod support;

use job_event::evidence::*;
use job_judge::{Cause, Retry, judge};
use support::*;

#[test]
fn a_deadline_that_was_judged_twice_still_has_no_failed_attempt() {
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
fn what_kept_a_pod_without_a_node() {
    for (reason, message, cause) in [
        (
            "SchedulingGated",
            "Scheduling is blocked due to non-empty scheduling gates",
            Cause::SchedulingGated,
        ),
        (
            "Unschedulable",
            "0/1 nodes are available: 1 Insufficient cpu.",
            Cause::Unschedulable,
        ),
        ("SchedulerError", "binding rejected", Cause::Unschedulable),
        (
            "Unschedulable",
            "0/1 nodes are available: persistentvolumeclaim \"nope\" not found.",
            Cause::VolumeUnavailable,
        ),
        (
            "Unschedulable",
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            Cause::VolumeUnavailable,
        ),
        (
            "Unschedulable",
            "0/2 nodes are available: 2 cannot allocate all claims.",
            Cause::DeviceUnavailable,
        ),
        (
            "Unschedulable",
            "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
            Cause::DeviceUnavailable,
        ),
        (
            "Unschedulable",
            "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 2 Insufficient cpu. no new claims to deallocate",
            Cause::Unschedulable,
        ),
        (
            "Unschedulable",
            "0/1 nodes are available: 1 node(s) had untolerated taint(s)",
            Cause::Unschedulable,
        ),
    ] {
        let pending = Pod {
            node: None,
            start_time: None,
            not_scheduled: not_scheduled(reason, message),
            ..pod("Pending", vec![container("main")])
        };
        assert_eq!(deadline(pending, vec![]).cause, Some(cause), "{message}");
    }
    let silent = Pod {
        node: None,
        start_time: None,
        ..pod("Pending", vec![container("main")])
    };
    let artefact = vec![event(
        "pod-a",
        "FailedScheduling",
        "skip schedule deleting pod: ns/j-a",
        60,
    )];
    let judgement = deadline(silent.clone(), artefact);
    assert_eq!(judgement.cause, Some(Cause::Unschedulable));
    assert!(!judgement.summary.contains("skip schedule"), "{}", judgement.summary);
    let young = Pod {
        created: Some(at(58)),
        ..silent
    };
    assert_eq!(deadline(young, vec![]).cause, Some(Cause::SlowStart));
}

#[test]
fn images_and_whether_a_retry_helps() {
    for (reason, message, retry) in [
        (
            "ErrImagePull",
            "failed to resolve reference: registry.example/app:9: not found",
            Retry::No,
        ),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"x\": ErrImagePull: 401 Unauthorized",
            Retry::No,
        ),
        (
            "ErrImagePull",
            "failed to do request: dial tcp 192.0.2.1:443: i/o timeout",
            Retry::Yes,
        ),
        ("ErrImagePull", "unexpected status: 429 Too Many Requests", Retry::Yes),
        ("ErrImagePull", "unexpected status: 503 Service Unavailable", Retry::Yes),
        ("RegistryUnavailable", "", Retry::Yes),
        ("SignatureValidationFailed", "", Retry::No),
        ("InvalidImageName", "", Retry::No),
        ("ErrImageNeverPull", "", Retry::No),
        ("ImagePullBackOff", "Back-off pulling image \"x\"", Retry::Maybe),
    ] {
        let judgement = deadline(pod("Pending", vec![waiting("main", reason, message)]), vec![]);
        assert_eq!(judgement.cause, Some(Cause::ImagePull), "{reason}");
        assert_eq!(judgement.retry, Some(retry), "{reason} {message}");
        assert!(
            judgement.summary.contains("registry.example/app:9"),
            "{}",
            judgement.summary
        );
    }
}

#[test]
fn containers_that_could_not_be_made() {
    for (reason, cause) in [
        ("CreateContainerConfigError", Cause::ContainerConfig),
        ("CreateContainerError", Cause::ContainerStart),
        ("RunContainerError", Cause::ContainerStart),
        ("PreStartHookError", Cause::ContainerStart),
    ] {
        let stuck = pod("Pending", vec![waiting("main", reason, "m")]);
        assert_eq!(deadline(stuck.clone(), vec![]).cause, Some(cause));
        // A rule of the image before it, a native sidecar that is running beside it: the same.
        let sidecar = Container {
            role: ContainerRole::Sidecar,
            ..running("proxy", 2)
        };
        let beside = Pod {
            containers: vec![sidecar, stuck.containers[0].clone()],
            ..stuck
        };
        assert_eq!(deadline(beside, vec![]).cause, Some(cause));
    }
}

#[test]
fn obstacles_before_the_first_container_are_told_by_events_alone() {
    for (reason, cause) in [
        ("FailedMount", Cause::VolumeUnavailable),
        ("FailedAttachVolume", Cause::VolumeUnavailable),
        ("FailedCreatePodSandBox", Cause::SandboxFailed),
        ("NetworkNotReady", Cause::SandboxFailed),
        ("FailedPrepareDynamicResources", Cause::DeviceUnavailable),
    ] {
        let pending = || pod("Pending", vec![container("main")]);
        let events = vec![event("pod-a", reason, "m", 50)];
        assert_eq!(deadline(pending(), events.clone()).cause, Some(cause));
        assert_eq!(deadline(pending(), vec![]).cause, Some(Cause::SlowStart));
        // Once something runs, it has been overcome.
        let started = pod("Running", vec![running("main", 55)]);
        assert_eq!(deadline(started, events).cause, Some(Cause::RanTooLong));
    }
    // Long silence: overcome as well.
    let victim = Pod {
        deletion: deleted(3600, 30),
        ..pod("Pending", vec![container("main")])
    };
    let events = vec![event("pod-a", "FailedMount", "m", 50)];
    let judgement = with(job("DeadlineExceeded", 3600), vec![victim], events);
    assert_eq!(judgement.cause, Some(Cause::SlowStart));
}

#[test]
fn a_crash_loop_at_the_deadline_and_one_crash_long_ago() {
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
fn a_second_container_that_keeps_the_pod_alive() {
    let done = |code, reason| ended("main", end(code, reason, 5));
    let blocked = pod("Running", vec![done(0, "Completed"), running("proxy", 1)]);
    let judgement = deadline(blocked.clone(), vec![]);
    assert_eq!(judgement.cause, Some(Cause::SidecarBlockedCompletion));
    assert!(judgement.summary.contains("container proxy"), "{}", judgement.summary);
    // The annotation says which container is the work.
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
fn an_init_container_that_runs_too_long() {
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
fn a_pod_that_would_not_go_and_a_node_that_was_not_ready() {
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
fn a_deadline_shortly_after_a_failure_is_that_failures() {
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
fn no_pods_and_why() {
    let failed_create = |message: &str| vec![event("job-uid", "FailedCreate", message, 30)];
    let judged = |events| with(job("DeadlineExceeded", 60), vec![], events);
    for (message, cause, retry) in [
        (
            "Error creating: pods \"j-x\" is forbidden: exceeded quota: q, requested: pods=1",
            Cause::QuotaExceeded,
            Retry::Maybe,
        ),
        (
            "(combined from similar events): Error creating: pods \"j-x\" is forbidden: failed quota: q: must specify limits.cpu",
            Cause::QuotaExceeded,
            Retry::Maybe,
        ),
        (
            "Error creating: pods \"j-x\" is forbidden: violates PodSecurity \"restricted:latest\"",
            Cause::AdmissionDenied,
            Retry::No,
        ),
        (
            "Error creating: admission webhook \"w\" denied the request: no",
            Cause::AdmissionDenied,
            Retry::No,
        ),
        (
            "Error creating: Internal error occurred: failed calling webhook \"w\": connection refused",
            Cause::AdmissionDenied,
            Retry::Yes,
        ),
    ] {
        let judgement = judged(failed_create(message));
        assert_eq!(
            (judgement.cause, judgement.retry),
            (Some(cause), Some(retry)),
            "{message}"
        );
    }
    assert_eq!(judged(vec![]).cause, Some(Cause::NoPodsCreated));
    // Pods there were, but they were not seen.
    let created = vec![event("job-uid", "SuccessfulCreate", "Created pod: j-a", 1)];
    assert_eq!(judged(created).cause, Some(Cause::Unknown));
    for gap in [Gap::PodsForbidden, Gap::JoinedLate, Gap::WatchInterrupted] {
        let mut evidence = job("DeadlineExceeded", 60);
        evidence.gaps = vec![gap];
        assert_eq!(judge(&evidence).cause, Some(Cause::Unknown), "{gap:?}");
    }
}

#[test]
fn all_pods_succeeded_but_the_deadline_was_looked_at_first() {
    let mut evidence = job("DeadlineExceeded", 60);
    evidence.job.status.succeeded = 1;
    let done = pod("Succeeded", vec![ended("main", end(0, "Completed", 59))]);
    assert_eq!(with(evidence, vec![done], vec![]).cause, Some(Cause::RanTooLong));
}

#[test]
fn a_pod_that_completed_before_the_status_counted_it_finished_too_late() {
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
fn a_suspension_before_the_deadline_leaves_only_the_last_start_to_judge() {
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
fn a_replacement_that_waits_for_a_node_or_is_young_after_an_eviction() {
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

#[test]
fn init_containers_that_crash_in_place_and_images_they_wait_for() {
    let mut evidence = job("BackoffLimitExceeded", 40);
    evidence.job.spec.restart_policy = Some("OnFailure".into());
    let mut init = Container {
        role: ContainerRole::Init,
        restarts: 2,
        state: ContainerState::Waiting,
        ..ended("prepare", end(7, "Error", 30))
    };
    init.terminations[0].attempt = 1;
    let looping = Pod {
        deletion: deleted(40, 30),
        ..pod("Pending", vec![init, container("main")])
    };
    let judgement = with(evidence, vec![looping.clone()], vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert_eq!(judgement.attempts[0].role, Some(ContainerRole::Init));
    assert_eq!(judgement.attempts[0].exit_code, Some(7));
    assert_eq!(deadline(looping, vec![]).cause, Some(Cause::NonZeroExit));

    for reason in ["ErrImagePull", "ErrImageNeverPull", "InvalidImageName"] {
        let init = Container {
            role: ContainerRole::Init,
            ..waiting("prepare", reason, "m")
        };
        let judgement = deadline(pod("Pending", vec![init, container("main")]), vec![]);
        assert_eq!(judgement.cause, Some(Cause::ImagePull), "{reason}");
        assert!(
            judgement.summary.contains("init container prepare"),
            "{}",
            judgement.summary
        );
    }
}

#[test]
fn a_quota_that_stops_the_pods_after_the_first_ones() {
    let mut evidence = job("DeadlineExceeded", 60);
    evidence.job.spec.completions = Some(3);
    evidence.job.status.succeeded = 1;
    let done = pod("Succeeded", vec![ended("main", end(0, "Completed", 10))]);
    let refused = event(
        "job-uid",
        "FailedCreate",
        "Error creating: pods \"j-x\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1",
        55,
    );
    let judgement = with(evidence, vec![done], vec![refused]);
    assert_eq!(judgement.cause, Some(Cause::QuotaExceeded));
}
