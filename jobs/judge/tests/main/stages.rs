//! Obstacles before the start of a container: those that passed, those that lasted, and the message that counts.

use job_event::evidence::*;
use job_judge::{Cause, Judgement, Retry};

use crate::support::*;

const SECRET: &str = "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found";
const WAITED: &str = "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[v api]: timed out waiting \
                      for the condition";

/// An Event that was repeated.
fn repeated(reason: &str, message: &str, first: i64, last: i64, count: i32) -> Event {
    Event {
        first: Some(at(first)),
        count,
        ..event("pod-a", reason, message, last)
    }
}

/// An Event about container `main`.
fn of_main(reason: &str, message: &str, last: i64) -> Event {
    Event {
        field_path: "spec.containers{main}".into(),
        ..event("pod-a", reason, message, last)
    }
}

fn pending() -> Pod {
    pod("Pending", vec![container("main")])
}

/// The judgement on a Job whose deadline passed at that second, with these Events, oldest first.
fn judged(pod: Pod, decided: i64, events: Vec<Event>) -> Judgement {
    let pod = Pod {
        deletion: deleted(decided, 30),
        ..pod
    };
    with(job("DeadlineExceeded", decided), vec![pod], events)
}

fn cause(pod: Pod, decided: i64, events: Vec<Event>) -> Cause {
    judged(pod, decided, events).cause.unwrap()
}

#[test]
fn an_error_that_lasts_repeats_before_the_pod_is_twice_as_old() {
    for (reason, first, last, count, decided, expected) in [
        ("FailedMount", 2, 2, 1, 16, Cause::VolumeUnavailable),
        ("FailedMount", 2, 2, 1, 17, Cause::SlowStart),
        ("FailedMount", 2, 33, 6, 109, Cause::VolumeUnavailable),
        ("FailedMount", 2, 33, 6, 110, Cause::SlowStart),
        ("FailedMapVolume", 2, 2, 1, 17, Cause::SlowStart),
        // A try that takes two minutes.
        ("FailedMount", 120, 120, 1, 370, Cause::VolumeUnavailable),
        ("FailedCreatePodSandBox", 2, 2, 1, 36, Cause::SandboxFailed),
        ("FailedCreatePodSandBox", 2, 2, 1, 37, Cause::SlowStart),
        ("NetworkNotReady", 0, 30, 16, 120, Cause::SandboxFailed),
        ("FailedPrepareDynamicResources", 2, 2, 1, 37, Cause::SlowStart),
        // After a burst of Events the kubelet may write only some of them.
        ("NetworkNotReady", 0, 30, 25, 600, Cause::SandboxFailed),
        ("NetworkNotReady", 0, 30, 25, 631, Cause::SlowStart),
        ("FailedMount", 400, 1000, 9, 1601, Cause::SlowStart),
    ] {
        let events = vec![repeated(reason, "m", first, last, count)];
        let found = cause(pending(), decided, events);
        assert_eq!(found, expected, "{reason} {first}..{last} until {decided}");
    }
}

#[test]
fn a_kubelet_whose_clock_is_behind_is_not_silent() {
    let events = |last: i64| vec![repeated("FailedMount", SECRET, 2 - 60, last - 60, 6)];
    let behind = |created| Pod {
        start_time: Some(at(-59)),
        created: Some(at(created)),
        ..pending()
    };
    assert_eq!(cause(behind(0), 60, events(33)), Cause::VolumeUnavailable);
    assert_eq!(cause(behind(-60), 60, events(4)), Cause::SlowStart);
}

#[test]
fn a_pod_that_ended_long_before_the_verdict_is_judged_by_its_own_time() {
    let ended = Pod {
        reason: "DeadlineExceeded".into(),
        ..pod("Failed", vec![container("main")])
    };
    let events = vec![repeated("FailedMount", SECRET, 1, 33, 7)];
    let late = with(job("BackoffLimitExceeded", 2000), vec![ended.clone()], events);
    assert_eq!(late.cause, Some(Cause::VolumeUnavailable));
    let once = vec![event("pod-a", "FailedMount", SECRET, 1)];
    let late = with(job("BackoffLimitExceeded", 2000), vec![ended], once);
    assert_eq!(late.cause, Some(Cause::Unknown));
}

#[test]
fn a_ready_sandbox_voids_earlier_errors() {
    for (reason, expected) in [
        ("FailedMount", Cause::VolumeUnavailable),
        ("FailedCreatePodSandBox", Cause::SandboxFailed),
        ("FailedPrepareDynamicResources", Cause::DeviceUnavailable),
    ] {
        let ready = |second| Pod {
            ready_to_start: Some(at(second)),
            ..pending()
        };
        let events = || vec![repeated(reason, "m", 1, 50, 9)];
        assert_eq!(cause(ready(49), 60, events()), expected, "it was lost again");
        assert_eq!(cause(ready(50), 60, events()), Cause::SlowStart, "a tie is broader");
        let passed = judged(ready(51), 60, events());
        assert!(
            passed
                .summary
                .contains("the volumes and the sandbox of Pod j-a were ready")
        );
    }
}

#[test]
fn the_clock_of_a_controller_is_not_compared_with_a_node() {
    let attach = || {
        vec![event(
            "pod-a",
            "FailedAttachVolume",
            "Multi-Attach error for volume \"v\"",
            50,
        )]
    };
    let ready = Pod {
        ready_to_start: Some(at(10)),
        ..pending()
    };
    assert_eq!(cause(ready, 60, attach()), Cause::SlowStart);
    assert_eq!(cause(pending(), 60, attach()), Cause::VolumeUnavailable);
}

#[test]
fn events_about_containers_prove_the_sandbox() {
    let sandbox = || repeated("FailedCreatePodSandBox", "m", 1, 30, 9);
    let pulling = |last| of_main("Pulling", "Pulling image \"registry.example/app:9\"", last);
    let passed = judged(pending(), 60, vec![sandbox(), pulling(31)]);
    assert!(
        passed
            .summary
            .ends_with("image registry.example/app:9 was still being pulled for container main."),
        "{}",
        passed.summary
    );
    assert_eq!(cause(pending(), 60, vec![pulling(29), sandbox()]), Cause::SandboxFailed);

    // Once the image is on the node, it was not still being pulled.
    let pulled = of_main("Pulled", "Successfully pulled image", 40);
    let judgement = judged(pending(), 60, vec![pulling(31), pulled]);
    assert!(!judgement.summary.contains("pulled"), "{}", judgement.summary);
}

#[test]
fn a_sandbox_lost_after_an_init_container_counts() {
    let init = |state| Container {
        role: ContainerRole::Init,
        state,
        ..ended("prepare", end(0, "Completed", 20))
    };
    let pod = |state| pod("Pending", vec![init(state), container("main")]);
    let events = |last| vec![repeated("FailedCreatePodSandBox", "m", last - 8, last, 3)];
    let ended = ContainerState::Terminated;
    assert_eq!(cause(pod(ended), 60, events(50)), Cause::SandboxFailed);
    assert_eq!(cause(pod(ended), 60, events(20)), Cause::SlowStart);
    assert_eq!(cause(pod(ContainerState::Running), 60, events(50)), Cause::RanTooLong);
}

#[test]
fn a_later_event_of_the_image_voids_the_error_of_its_pull() {
    let backoff = || {
        pod(
            "Pending",
            vec![waiting("main", "ImagePullBackOff", "Back-off pulling image \"a\"")],
        )
    };
    let failed = |last| of_main("Failed", "Failed to pull image \"a\": i/o timeout", last);
    let pulled = |last| of_main("Pulled", "Successfully pulled image \"a\"", last);
    assert_eq!(cause(backoff(), 60, vec![pulled(10), failed(20)]), Cause::ImagePull);
    assert_eq!(cause(backoff(), 60, vec![failed(20), pulled(20)]), Cause::SlowStart);
    let other = Event {
        field_path: "spec.containers{other}".into(),
        ..pulled(30)
    };
    assert_eq!(cause(backoff(), 60, vec![failed(20), other]), Cause::ImagePull);
}

#[test]
fn a_pull_that_the_deletion_cut_off_is_no_error() {
    let canceled = "Failed to pull image \"a\": rpc error: code = Canceled desc = failed to pull: context canceled";
    let pulling = of_main("Pulling", "Pulling image \"a\"", 2);
    let mut events = vec![
        pulling,
        of_main("Failed", canceled, 61),
        of_main("Failed", "Error: ErrImagePull", 62),
    ];
    let judgement = judged(pending(), 60, events.clone());
    assert_eq!(judgement.cause, Some(Cause::SlowStart));
    assert!(
        judgement.summary.contains("was still being pulled"),
        "{}",
        judgement.summary
    );
    let alone = vec![events[2].clone()];
    assert_eq!(
        cause(pending(), 60, alone),
        Cause::SlowStart,
        "the other Event was lost"
    );
    events[2].first = Some(at(30));
    assert_eq!(cause(pending(), 60, events), Cause::ImagePull, "an earlier pull failed");
}

#[test]
fn errors_of_mounts_after_the_work_began_prove_nothing() {
    let done = pod("Pending", vec![ended("main", end(0, "Completed", 20))]);
    let unregistered =
        "MountVolume.SetUp failed for volume \"api\" : object \"ns\"/\"kube-root-ca.crt\" not registered";
    let events = vec![event("pod-a", "FailedMount", unregistered, 50)];
    assert_ne!(cause(done, 60, events), Cause::VolumeUnavailable);
    // The kubelet drops the objects of a Pod that is being deleted.
    let unregistered = |second| vec![event("pod-a", "FailedMount", unregistered, second)];
    assert_eq!(cause(pending(), 60, unregistered(61)), Cause::SlowStart);
    assert_eq!(cause(pending(), 60, unregistered(59)), Cause::VolumeUnavailable);
}

#[test]
fn the_message_that_says_most_is_quoted() {
    let backoff = pod(
        "Pending",
        vec![waiting("main", "ImagePullBackOff", "Back-off pulling image \"a\"")],
    );
    let pull = vec![
        of_main("Failed", "Failed to pull image \"a\": dial tcp: i/o timeout", 30),
        of_main("Failed", "Error: ErrImagePull", 31),
        of_main("Failed", "Error: ImagePullBackOff", 50),
    ];
    let mount = vec![
        repeated("FailedMount", SECRET, 1, 33, 7),
        event("pod-a", "FailedMount", WAITED, 55),
    ];
    let attach = vec![
        event("pod-a", "FailedAttachVolume", "Multi-Attach error for volume \"v\"", 2),
        event("pod-a", "FailedMount", WAITED, 55),
    ];
    let sandbox = vec![
        event(
            "pod-a",
            "FailedCreatePodSandBox",
            "name \"a\" is reserved for \"b\"",
            45,
        ),
        event(
            "pod-a",
            "FailedCreatePodSandBox",
            "rpc error: desc = context deadline exceeded",
            46,
        ),
    ];
    for (pod, events, quoted, retry) in [
        (backoff, pull, "i/o timeout", Retry::Yes),
        (pending(), mount, "secret \"s\" not found", Retry::Maybe),
        (pending(), attach, "Multi-Attach error", Retry::Maybe),
        (pending(), sandbox, "is reserved for", Retry::Yes),
    ] {
        let judgement = judged(pod, 60, events);
        assert!(judgement.summary.contains(quoted), "{}", judgement.summary);
        assert_eq!(judgement.retry, Some(retry), "{}", judgement.summary);
    }
}
