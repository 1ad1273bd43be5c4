//! Why a Pod did not start before the deadline, or was never created.

use job_event::evidence::*;
use job_judge::{Cause, Retry, judge};

use crate::support::*;

#[test]
fn messages_of_the_scheduler_have_causes() {
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
fn image_errors_have_a_retry_of_their_own() {
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
        (
            "RegistryUnavailable",
            "the registry is unavailable: tls: failed to verify certificate: x509: certificate has expired",
            Retry::No,
        ),
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
fn waiting_reasons_show_why_a_container_did_not_start() {
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
fn events_show_obstacles_before_the_first_container() {
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
fn without_pods_the_events_of_the_job_count() {
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
            Cause::AdmissionDenied,
            Retry::No,
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
    // Pods existed, but were not observed.
    let created = vec![event("job-uid", "SuccessfulCreate", "Created pod: j-a", 1)];
    assert_eq!(judged(created).cause, Some(Cause::Unknown));
    for gap in [
        Gap::PodsForbidden,
        Gap::PodsNotSelected,
        Gap::JoinedLate,
        Gap::WatchInterrupted,
    ] {
        let mut evidence = job("DeadlineExceeded", 60);
        evidence.gaps = vec![gap];
        assert_eq!(judge(&evidence).cause, Some(Cause::Unknown), "{gap:?}");
    }
}

#[test]
fn pods_of_another_manager_may_be_in_another_cluster() {
    let mut evidence = job("DeadlineExceeded", 60);
    evidence.job.spec.managed_by = Some("kueue.x-k8s.io/multikueue".into());
    assert_eq!(judge(&evidence).cause, Some(Cause::Unknown));
}

#[test]
fn init_containers_crash_and_wait_like_others() {
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
fn a_quota_can_stop_later_pods() {
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
