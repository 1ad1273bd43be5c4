//! Why one Pod failed.

use crate::support::*;
use job_event::evidence::*;
use job_judge::AttemptOutcome;
use job_judge::{Cause, Retry};

#[test]
fn exit_codes_and_reasons_have_causes() {
    for (code, reason, cause) in [
        (1, "Error", Cause::NonZeroExit),
        (125, "Error", Cause::NonZeroExit),
        (255, "Error", Cause::NonZeroExit),
        (-1, "Error", Cause::NonZeroExit),
        (200, "Error", Cause::NonZeroExit),
        (126, "Error", Cause::ContainerStart),
        (127, "Error", Cause::ContainerStart),
        (128, "StartError", Cause::ContainerStart),
        (127, "ContainerCannotRun", Cause::ContainerStart),
        (129, "Error", Cause::Killed),
        (130, "Error", Cause::Killed),
        (137, "Error", Cause::Killed),
        (143, "Error", Cause::Killed),
        (134, "Error", Cause::Crashed),
        (139, "Error", Cause::Crashed),
        (159, "Error", Cause::Crashed),
        (137, "seccomp killed", Cause::Crashed),
        (137, "OOMKilled", Cause::OutOfMemory),
        (0, "OOMKilled", Cause::OutOfMemory),
        (1, "OOMKilled", Cause::OutOfMemory),
        (255, "Unknown", Cause::NodeLost),
    ] {
        let failed = pod("Failed", vec![ended("main", end(code, reason, 5))]);
        assert_eq!(backoff(failed, vec![]), cause, "{code} {reason}");
    }
}

#[test]
fn a_lost_container_blames_the_node_only_if_it_ran() {
    let lost = Termination {
        exit_code: 137,
        reason: "ContainerStatusUnknown".into(),
        before_deletion: true,
        ..Default::default()
    };
    let ran = pod("Failed", vec![ended("main", lost.clone())]);
    assert_eq!(backoff(ran, vec![]), Cause::NodeLost);
    let never = Container {
        terminations: vec![lost],
        ..waiting("main", "CreateContainerConfigError", "secret \"x\" not found")
    };
    assert_eq!(backoff(pod("Failed", vec![never]), vec![]), Cause::ContainerConfig);
}

#[test]
fn blames_init_then_main_then_sidecar_and_the_earliest() {
    let sidecar = Container {
        role: ContainerRole::Sidecar,
        ..ended("proxy", end(2, "Error", 3))
    };
    let init = Container {
        role: ContainerRole::Init,
        ..ended("migrate", end(4, "Error", 9))
    };
    let main = ended("main", end(137, "OOMKilled", 5));
    let other = ended("other", end(1, "Error", 4));
    let blamed = |containers| {
        let judgement = with(job("BackoffLimitExceeded", 20), vec![pod("Failed", containers)], vec![]);
        judgement.attempts[0].container.clone().unwrap()
    };
    assert_eq!(blamed(vec![sidecar.clone(), main.clone()]), "main");
    assert_eq!(blamed(vec![sidecar.clone(), init, main.clone()]), "migrate");
    assert_eq!(blamed(vec![main, other]), "other");
    assert_eq!(blamed(vec![sidecar, ended("main", end(0, "Completed", 2))]), "proxy");
}

#[test]
fn a_failed_probe_needs_an_event_just_before_the_end() {
    let killed = |code| {
        pod(
            "Failed",
            vec![ended(
                "main",
                Termination {
                    started: Some(at(1)),
                    ..end(code, "Error", 100)
                },
            )],
        )
    };
    let mut late = job("BackoffLimitExceeded", 101);
    late.job.spec.backoff_limit = Some(0);
    let cause = |pod, events| with(late.clone(), vec![pod], events).cause.unwrap();
    let unhealthy = |message: &str, last| vec![event("pod-a", "Unhealthy", message, last)];
    assert_eq!(
        cause(killed(137), unhealthy("Liveness probe failed: x", 60)),
        Cause::ProbeFailed
    );
    assert_eq!(
        cause(killed(143), unhealthy("Startup probe failed: x", 95)),
        Cause::ProbeFailed
    );
    assert_eq!(
        cause(killed(1), unhealthy("Liveness probe failed: x", 95)),
        Cause::ProbeFailed
    );
    assert_eq!(
        cause(killed(1), unhealthy("Liveness probe failed: x", 50)),
        Cause::NonZeroExit
    );
    assert_eq!(
        cause(killed(137), unhealthy("Liveness probe failed: x", 30)),
        Cause::Killed
    );
    assert_eq!(
        cause(killed(137), unhealthy("Readiness probe failed: x", 95)),
        Cause::Killed
    );
    let mut elsewhere = unhealthy("Liveness probe failed: x", 95);
    elsewhere[0].field_path = "spec.containers{proxy}".into();
    assert_eq!(cause(killed(137), elsewhere), Cause::Killed);
}

#[test]
fn a_system_oom_of_the_node_explains_a_kill_near_it() {
    let killed = || pod("Failed", vec![ended("main", end(137, "Error", 15))]);
    let oom = |node: &str, last| {
        vec![Event {
            kind: "Node".into(),
            name: node.into(),
            ..event(
                "node-uid",
                "SystemOOM",
                "System OOM encountered, victim process: app, pid: 7",
                last,
            )
        }]
    };
    assert_eq!(backoff(killed(), oom("node1", 12)), Cause::OutOfMemory);
    assert_eq!(backoff(killed(), oom("node1", 1)), Cause::Killed);
    assert_eq!(backoff(killed(), oom("node2", 12)), Cause::Killed);
}

#[test]
fn each_disruption_has_its_cause() {
    for (reason, status, cause) in [
        ("PreemptionByScheduler", "", Cause::Preempted),
        ("EvictionByEvictionAPI", "", Cause::NodeDrained),
        ("DeletionByTaintManager", "", Cause::NodeDrained),
        ("DeletionByPodGC", "", Cause::NodeLost),
        ("DeletionByDeviceTaintManager", "", Cause::DeviceUnavailable),
        ("TerminationByKubelet", "Evicted", Cause::NodePressure),
        ("TerminationByKubelet", "Preempting", Cause::Preempted),
        ("TerminationByKubelet", "Terminated", Cause::NodeShutdown),
        ("SomethingNew", "", Cause::PodDeleted),
    ] {
        let victim = Pod {
            disruption: disrupted(reason, 10),
            reason: status.into(),
            deletion: deleted(10, 30),
            ..pod(
                "Failed",
                vec![ended(
                    "main",
                    Termination {
                        before_deletion: false,
                        ..end(143, "Error", 12)
                    },
                )],
            )
        };
        assert_eq!(backoff(victim, vec![]), cause, "{reason} {status}");
    }
}

#[test]
fn a_taint_of_a_node_that_was_not_ready_is_a_lost_node() {
    let victim = Pod {
        disruption: disrupted("DeletionByTaintManager", 10),
        deletion: deleted(10, 30),
        ..pod("Running", vec![running("main", 1)])
    };
    let events = vec![event("pod-a", "NodeNotReady", "Node is not ready", 5)];
    assert_eq!(backoff(victim, events), Cause::NodeLost);
}

#[test]
fn a_failure_before_the_disruption_is_the_cause() {
    let victim = |finished, before_deletion| Pod {
        disruption: disrupted("EvictionByEvictionAPI", 10),
        deletion: deleted(10, 30),
        ..pod(
            "Failed",
            vec![ended(
                "main",
                Termination {
                    before_deletion,
                    ..end(3, "Error", finished)
                },
            )],
        )
    };
    assert_eq!(backoff(victim(8, false), vec![]), Cause::NonZeroExit);
    assert_eq!(backoff(victim(11, false), vec![]), Cause::NodeDrained);
    // An end seen before the deletion happened before it, with any clock of the node.
    assert_eq!(backoff(victim(11, true), vec![]), Cause::NonZeroExit);
}

#[test]
fn evictions_for_limits_of_the_pod_and_of_the_node() {
    let evicted = |message: &str| Pod {
        reason: "Evicted".into(),
        message: message.into(),
        ..pod("Failed", vec![ended("main", end(137, "Error", 5))])
    };
    for (message, cause) in [
        (
            "Usage of EmptyDir volume \"s\" exceeds the limit \"4Mi\". ",
            Cause::EphemeralStorageExceeded,
        ),
        (
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
            Cause::EphemeralStorageExceeded,
        ),
        (
            "Container main exceeded its local ephemeral storage limit \"1Gi\". ",
            Cause::EphemeralStorageExceeded,
        ),
        (
            "Pod was rejected: The node had condition: [MemoryPressure]. ",
            Cause::NodePressure,
        ),
    ] {
        assert_eq!(backoff(evicted(message), vec![]), cause, "{message}");
    }
}

#[test]
fn rejections_by_the_kubelet_have_a_retry_of_their_own() {
    for (reason, message, cause, retry) in [
        (
            "OutOfcpu",
            "Pod was rejected: Node didn't have enough resource",
            Cause::NodeRejected,
            Retry::Yes,
        ),
        ("OutOfexample.com/gpu", "", Cause::NodeRejected, Retry::Yes),
        ("NodeAffinity", "", Cause::NodeRejected, Retry::Maybe),
        ("SysctlForbidden", "", Cause::NodeRejected, Retry::No),
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to requested number of devices unavailable for example.com/gpu. Requested: 1, Available: 0",
            Cause::DeviceUnavailable,
            Retry::Maybe,
        ),
        (
            "UnexpectedAdmissionError",
            "Update plugin resources failed",
            Cause::NodeRejected,
            Retry::Maybe,
        ),
        (
            "VolumeAttachmentLimitExceeded",
            "",
            Cause::VolumeUnavailable,
            Retry::Maybe,
        ),
    ] {
        let rejected = Pod {
            reason: reason.into(),
            message: message.into(),
            ..pod("Failed", vec![container("main")])
        };
        let judgement = with(job("BackoffLimitExceeded", 20), vec![rejected], vec![]);
        assert_eq!(
            (judgement.cause, judgement.retry),
            (Some(cause), Some(retry)),
            "{reason} {message}"
        );
    }
}

#[test]
fn event_and_time_show_who_deleted_a_pod() {
    let victim = |requested| Pod {
        deletion: deleted(requested, 30),
        ..pod("Running", vec![running("main", 1)])
    };
    // A second before the verdict: a user.
    let judgement = with(job("BackoffLimitExceeded", 20), vec![victim(19)], vec![]);
    assert_eq!(judgement.cause, Some(Cause::PodDeleted));
    assert_eq!(judgement.attempts[0].outcome, AttemptOutcome::Failed);
    // In the verdict's second, or named by the controller: the controller.
    for (requested, events) in [
        (20, vec![]),
        (19, vec![event("job-uid", "SuccessfulDelete", "Deleted pod: j-a", 19)]),
    ] {
        let judgement = with(job("BackoffLimitExceeded", 20), vec![victim(requested)], events);
        assert_eq!(judgement.cause, Some(Cause::Unknown));
        assert_eq!(judgement.attempts[0].outcome, AttemptOutcome::Stopped);
    }
    // The event names another Pod whose name begins the same.
    let events = vec![event("job-uid", "SuccessfulDelete", "Deleted pod: j-ab", 19)];
    assert_eq!(backoff(victim(19), events), Cause::PodDeleted);
}

#[test]
fn a_failed_hook_may_precede_the_end_by_the_grace_period() {
    let stopped = |code, finished| {
        let end = Termination {
            started: Some(at(1)),
            ..end(code, "Error", finished)
        };
        pod("Failed", vec![ended("main", end)])
    };
    let hook = |last| vec![event("pod-a", "FailedPostStartHook", "PostStartHook failed", last)];
    let mut late = job("BackoffLimitExceeded", 101);
    late.job.spec.backoff_limit = Some(0);
    let cause = |pod, events| with(late.clone(), vec![pod], events).cause.unwrap();
    assert_eq!(cause(stopped(137, 32), hook(2)), Cause::ContainerStart);
    assert_eq!(cause(stopped(143, 3), hook(2)), Cause::ContainerStart);
    assert_eq!(cause(stopped(137, 100), hook(2)), Cause::Killed);
    assert_eq!(cause(stopped(1, 100), hook(2)), Cause::NonZeroExit);
}

#[test]
fn frequent_probe_failures_count_between_first_and_last() {
    let crashed = pod(
        "Failed",
        vec![ended(
            "main",
            Termination {
                started: Some(at(1)),
                ..end(1, "Error", 500)
            },
        )],
    );
    let cause = |count| {
        let failures = Event {
            first: Some(at(10)),
            count,
            ..event("pod-a", "Unhealthy", "Liveness probe failed: x", 990)
        };
        with(job("BackoffLimitExceeded", 1000), vec![crashed.clone()], vec![failures]).cause
    };
    assert_eq!(cause(2), Some(Cause::NonZeroExit));
    assert_eq!(cause(98), Some(Cause::ProbeFailed));
}
