//! The rules one by one, on evidence written by hand: what no recording holds, and pairs that differ in one thing.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::*;
use job_event::outcome::Outcome;
use reason_enrichment_processor::attempts::AttemptOutcome;
use reason_enrichment_processor::{Cause, Judgement, Retry, judge};

/// Seconds after the Job's start.
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn job(reason: &str, decided: i64) -> Evidence {
    let mut job = Job {
        namespace: "ns".into(),
        name: "j".into(),
        uid: "job-uid".into(),
        created: Some(at(0)),
        spec: JobSpec {
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            restart_policy: Some("Never".into()),
            active_deadline_seconds: (reason == "DeadlineExceeded").then_some(decided),
            ..Default::default()
        },
        ..Default::default()
    };
    job.status.start_time = Some(at(0));
    job.status.conditions.push(Condition {
        kind: "FailureTarget".into(),
        is_true: true,
        reason: reason.into(),
        message: "m".into(),
        since: Some(at(decided)),
    });
    Evidence {
        job,
        pods: vec![],
        events: vec![],
        gaps: vec![],
    }
}

fn container(name: &str) -> Container {
    Container {
        name: name.into(),
        image: "registry.example/app:9".into(),
        ..Default::default()
    }
}

fn running(name: &str, since: i64) -> Container {
    Container {
        state: ContainerState::Running,
        started: true,
        running_since: Some(at(since)),
        ..container(name)
    }
}

fn end(exit_code: i32, reason: &str, finished: i64) -> Termination {
    Termination {
        exit_code,
        reason: reason.into(),
        started: Some(at(finished - 1)),
        finished: Some(at(finished)),
        ran: true,
        before_deletion: true,
        ..Default::default()
    }
}

fn ended(name: &str, termination: Termination) -> Container {
    Container {
        state: ContainerState::Terminated,
        started: true,
        terminations: vec![termination],
        ..container(name)
    }
}

fn waiting(name: &str, reason: &str, message: &str) -> Container {
    Container {
        state: ContainerState::Waiting,
        waiting: Some(Box::new(Waiting {
            reason: reason.into(),
            message: message.into(),
        })),
        ..container(name)
    }
}

fn pod(phase: &str, containers: Vec<Container>) -> Pod {
    Pod {
        name: "j-a".into(),
        uid: "pod-a".into(),
        node: Some("node1".into()),
        created: Some(at(0)),
        start_time: Some(at(0)),
        phase: phase.into(),
        containers,
        ..Default::default()
    }
}

fn deleted(requested: i64, grace_seconds: i64) -> Option<PodDeletion> {
    Some(PodDeletion {
        requested: at(requested),
        grace_seconds,
    })
}

fn disrupted(reason: &str, since: i64) -> Option<Box<Condition>> {
    Some(Box::new(Condition {
        kind: "DisruptionTarget".into(),
        is_true: true,
        reason: reason.into(),
        message: format!("{reason} message").into(),
        since: Some(at(since)),
    }))
}

fn not_scheduled(reason: &str, message: &str) -> Option<Box<Condition>> {
    Some(Box::new(Condition {
        kind: "PodScheduled".into(),
        is_true: false,
        reason: reason.into(),
        message: message.into(),
        since: Some(at(0)),
    }))
}

fn event(uid: &str, reason: &str, message: &str, last: i64) -> Event {
    Event {
        kind: if uid == "job-uid" { "Job" } else { "Pod" }.into(),
        uid: uid.into(),
        reason: reason.into(),
        message: message.into(),
        count: 1,
        first: Some(at(last)),
        last: Some(at(last)),
        ..Default::default()
    }
}

fn with(mut evidence: Evidence, pods: Vec<Pod>, events: Vec<Event>) -> Judgement {
    evidence.pods = pods;
    evidence.events = events;
    judge(&evidence)
}

/// The cause of a Job that failed for its back-off limit at second 20 with one Pod.
fn backoff(pod: Pod, events: Vec<Event>) -> Cause {
    with(job("BackoffLimitExceeded", 20), vec![pod], events).cause.unwrap()
}

/// The cause of a Job whose deadline passed at second 60 while that Pod was alive, and was then deleted.
fn deadline(pod: Pod, events: Vec<Event>) -> Judgement {
    let pod = Pod {
        deletion: deleted(60, 30),
        ..pod
    };
    with(job("DeadlineExceeded", 60), vec![pod], events)
}

#[test]
fn exit_codes_and_reasons() {
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
fn a_container_that_was_lost_is_the_nodes_fault_only_if_it_ran() {
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
fn what_ended_first_is_to_blame_and_init_before_main_before_sidecar() {
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
fn probes_are_told_only_by_an_event_just_before_the_end() {
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
fn a_system_oom_of_the_node_explains_a_kill_at_that_time() {
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
fn disruptions() {
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
fn a_taint_with_a_node_that_was_not_ready_is_a_lost_node() {
    let victim = Pod {
        disruption: disrupted("DeletionByTaintManager", 10),
        deletion: deleted(10, 30),
        ..pod("Running", vec![running("main", 1)])
    };
    let events = vec![event("pod-a", "NodeNotReady", "Node is not ready", 5)];
    assert_eq!(backoff(victim, events), Cause::NodeLost);
}

#[test]
fn a_program_that_died_before_the_disruption_is_to_blame_itself() {
    let victim = |finished| Pod {
        disruption: disrupted("EvictionByEvictionAPI", 10),
        deletion: deleted(10, 30),
        ..pod("Failed", vec![ended("main", end(3, "Error", finished))])
    };
    assert_eq!(backoff(victim(8), vec![]), Cause::NonZeroExit);
    assert_eq!(backoff(victim(11), vec![]), Cause::NodeDrained);
}

#[test]
fn evictions_for_own_limits_and_for_the_nodes_sake() {
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
fn rejections_by_the_kubelet_and_whether_a_retry_helps() {
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
fn who_deleted_the_pod_is_told_by_the_event_and_the_second_not_by_the_exit_code() {
    let victim = |requested| Pod {
        deletion: deleted(requested, 30),
        ..pod("Running", vec![running("main", 1)])
    };
    // A second before the verdict: somebody.
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
fn a_plain_kill_gives_way_to_an_older_attempt_that_tells_more() {
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
fn failure_policy_names_the_container_and_may_have_matched_a_sidecar() {
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
fn only_indexes_that_failed_for_good_count() {
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
    // Of equals the latest.
    let pods = vec![attempt("1", 3, 20), attempt("5", 139, 40)];
    assert_eq!(with(evidence, pods, vec![]).cause, Some(Cause::Crashed));
}

#[test]
fn restarts_in_place_are_attempts_and_their_ends_after_the_verdict_are_not() {
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
fn pods_of_a_suspension_are_no_failures() {
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
fn a_reason_of_another_manager_is_kept_and_judged_by_the_attempts() {
    let failed = pod("Failed", vec![ended("main", end(2, "Error", 5))]);
    let judgement = with(job("QueueTimeout\u{1b}[0m", 20), vec![failed], vec![]);
    assert_eq!(judgement.reason.as_deref(), Some("QueueTimeout\u{1b}[0m"));
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert!(!judgement.summary.contains('\u{1b}'), "{}", judgement.summary);
}

#[test]
fn nothing_is_judged_about_a_job_that_did_not_fail() {
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
        judgement.summary.contains("“line one line two xxx"),
        "{}",
        judgement.summary
    );
    assert!(judgement.summary.chars().count() < 400);
}

#[test]
fn what_a_kubelet_wrote_proves_a_node_and_a_slow_start_needs_a_pod_that_was_seen_pending() {
    let mut bare = pod("Running", vec![container("main")]);
    bare.node = None;
    assert_eq!(deadline(bare.clone(), vec![]).cause, Some(Cause::Unknown));
    bare.phase = "Pending".into();
    assert_eq!(deadline(bare.clone(), vec![]).cause, Some(Cause::SlowStart));
    bare.start_time = None;
    assert_eq!(deadline(bare, vec![]).cause, Some(Cause::Unschedulable));
}

#[test]
fn a_pod_that_was_seen_too_late_is_explained_by_its_events() {
    let about = |reason: &str, message: &str| {
        let mut event = event("pod-a", reason, message, 9);
        event.field_path = "spec.containers{main}".into();
        vec![event]
    };
    let late = pod(
        "Pending",
        vec![Container {
            state: ContainerState::Waiting,
            ..container("main")
        }],
    );
    for (reason, message, cause) in [
        ("Failed", "Failed to pull image \"x\": not found", Cause::ImagePull),
        ("BackOff", "Back-off pulling image \"x\"", Cause::ImagePull),
        ("Failed", "Error: ErrImagePull", Cause::ImagePull),
        ("Failed", "Error: configmap \"c\" not found", Cause::ContainerConfig),
        (
            "Failed",
            "Error: couldn't find key k in Secret ns/s",
            Cause::ContainerConfig,
        ),
        ("Failed", "Error: something else", Cause::SlowStart),
        ("BackOff", "Back-off restarting failed container main", Cause::SlowStart),
    ] {
        assert_eq!(
            deadline(late.clone(), about(reason, message)).cause,
            Some(cause),
            "{message}"
        );
    }
    // What the container itself said counts more, and one that started has overcome it.
    let said = pod("Pending", vec![waiting("main", "CreateContainerConfigError", "m")]);
    let pull = about("Failed", "Failed to pull image \"x\": not found");
    assert_eq!(deadline(said, pull.clone()).cause, Some(Cause::ContainerConfig));
    assert_eq!(
        deadline(pod("Running", vec![running("main", 1)]), pull).cause,
        Some(Cause::RanTooLong)
    );
    let unknown = pod("Pending", vec![waiting("main", "SomethingNew", "m")]);
    assert_eq!(deadline(unknown, vec![]).cause, Some(Cause::Unknown));
}

#[test]
fn of_a_container_whose_end_was_seen_too_late_the_times_tell_what_it_did() {
    let seen_late = |started: i64, finished: i64| {
        let end = Termination {
            started: Some(at(started)),
            before_deletion: false,
            ..end(1, "Error", finished)
        };
        let mut pod = pod(
            "Failed",
            vec![Container {
                state: ContainerState::Absent,
                ..ended("main", end)
            }],
        );
        // Only the last request is known, which came when all was over.
        pod.deletion = deleted(20, 0);
        with(job("DeadlineExceeded", 10), vec![pod], vec![]).cause
    };
    assert_eq!(seen_late(1, 15), Some(Cause::RanTooLong));
    assert_eq!(seen_late(1, 10), Some(Cause::RanTooLong));
    assert_eq!(seen_late(1, 5), Some(Cause::NonZeroExit));
    assert_eq!(seen_late(12, 15), Some(Cause::Unknown));
}

#[test]
fn a_pod_that_was_ended_as_a_whole_for_a_reason_nobody_knows_was_not_killed_by_nobody() {
    let mut ended_whole = pod("Failed", vec![ended("main", end(137, "Error", 5))]);
    assert_eq!(backoff(ended_whole.clone(), vec![]), Cause::Killed);
    ended_whole.reason = "SomethingNew".into();
    assert_eq!(backoff(ended_whole.clone(), vec![]), Cause::Unknown);
    ended_whole.reason = "Evicted".into();
    ended_whole.message = "for a reason of its own".into();
    assert_eq!(backoff(ended_whole.clone(), vec![]), Cause::Unknown);
    ended_whole.containers = vec![ended("main", end(3, "Error", 5))];
    assert_eq!(backoff(ended_whole, vec![]), Cause::NonZeroExit);
}

#[test]
fn any_exit_code_and_any_name_can_be_told() {
    let odd = pod("Failed", vec![ended("a\u{1b}[2J\nb", end(i32::MIN, "Error", 5))]);
    let judgement = with(job("BackoffLimitExceeded", 20), vec![odd], vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert!(!judgement.summary.contains(char::is_control), "{}", judgement.summary);
}
