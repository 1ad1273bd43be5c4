//! Evidence that is missing, seen too late or unknown.

use crate::support::*;
use job_event::evidence::*;
use job_judge::Cause;

#[test]
fn a_status_of_the_kubelet_proves_a_node() {
    let mut bare = pod("Running", vec![container("main")]);
    bare.node = None;
    assert_eq!(deadline(bare.clone(), vec![]).cause, Some(Cause::Unknown));
    bare.phase = "Pending".into();
    assert_eq!(deadline(bare.clone(), vec![]).cause, Some(Cause::SlowStart));
    bare.start_time = None;
    assert_eq!(deadline(bare, vec![]).cause, Some(Cause::Unschedulable));
}

#[test]
fn events_explain_a_pod_that_was_seen_too_late() {
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
        ("Failed", "Error: ErrImagePull", Cause::ImagePull),
        ("Failed", "Error: configmap \"c\" not found", Cause::ContainerConfig),
        (
            "Failed",
            "Error: couldn't find key k in Secret ns/s",
            Cause::ContainerConfig,
        ),
        (
            "Failed",
            "Error: container has runAsNonRoot and image will run as root",
            Cause::ContainerConfig,
        ),
        (
            "Failed",
            "Error: container create failed: exec: \"/nope\": no such file",
            Cause::ContainerStart,
        ),
        // An unknown error is one on starting, too.
        ("Failed", "Error: something else", Cause::ContainerStart),
        ("Failed", "something else", Cause::Unknown),
        ("BackOff", "Back-off restarting failed container main", Cause::SlowStart),
    ] {
        assert_eq!(
            deadline(late.clone(), about(reason, message)).cause,
            Some(cause),
            "{message}"
        );
    }
    // The waiting reason is better proof, and a started container has overcome the error.
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
fn times_show_the_state_of_a_container_seen_too_late() {
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
fn an_unknown_reason_of_the_pod_hides_a_kill() {
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
fn any_exit_code_and_name_fit_into_the_sentence() {
    let odd = pod("Failed", vec![ended("a\u{1b}[2J\nb", end(i32::MIN, "Error", 5))]);
    let judgement = with(job("BackoffLimitExceeded", 20), vec![odd], vec![]);
    assert_eq!(judgement.cause, Some(Cause::NonZeroExit));
    assert!(!judgement.summary.contains(char::is_control), "{}", judgement.summary);
}
