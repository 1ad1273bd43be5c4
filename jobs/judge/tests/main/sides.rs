//! The work of a Pod and its side containers.

use job_event::evidence::*;
use job_judge::{Cause, Judgement};

use crate::support::*;

const SQL: &str = "cloud-sql-proxy";

/// A container that ended with that code at that second.
fn exited(name: &str, code: i32, second: i64) -> Container {
    let reason = if code == 0 { "Completed" } else { "Error" };
    ended(name, end(code, reason, second))
}

fn image(container: Container, image: &str) -> Container {
    Container {
        image: image.into(),
        ..container
    }
}

/// The cause of a Job that failed with a Pod of these containers.
fn cause(containers: Vec<Container>) -> Cause {
    backoff(pod("Failed", containers), vec![])
}

/// The judgement of a Job whose deadline passed at second 60 while these containers were in these states.
fn at_deadline(containers: Vec<Container>) -> Judgement {
    deadline(pod("Running", containers), vec![])
}

#[test]
fn the_place_in_the_manifest_does_not_matter() {
    let (proxy, work) = (running(SQL, 1), exited("work", 0, 8));
    for containers in [vec![proxy.clone(), work.clone()], vec![work, proxy]] {
        let found = at_deadline(containers);
        assert_eq!(found.cause, Some(Cause::SidecarBlockedCompletion));
        let sentence = "container work finished, but container cloud-sql-proxy kept the Pod running.";
        assert!(found.summary.ends_with(sentence), "{}", found.summary);
    }
}

#[test]
fn an_image_is_no_side_container_by_resemblance() {
    let setup = || exited("setup", 0, 8);
    let with = |name: &str| {
        let second = image(running("second", 1), name);
        at_deadline(vec![second, setup()]).next_step.unwrap()
    };
    assert!(with("mirror.example/istio/proxyv2:1.20").starts_with("Run Istio's proxy as a native sidecar"));
    assert!(with("mycorp/proxyv2-migrate:1").starts_with("Make the other container a native sidecar"));
}

#[test]
fn a_side_container_that_ended_is_not_the_work() {
    let proxied = |name: &str| at_deadline(vec![exited(name, 0, 8), running("work", 1)]).cause.unwrap();
    assert_eq!(proxied("vault-agent"), Cause::RanTooLong);
    assert_eq!(proxied("setup"), Cause::SidecarBlockedCompletion);
}

#[test]
fn a_well_known_container_is_the_work_where_all_are() {
    let found = at_deadline(vec![running("istio-proxy", 1), exited("telegraf", 0, 8)]);
    assert_eq!(found.cause, Some(Cause::SidecarBlockedCompletion));
    assert!(
        found.summary.contains("container telegraf finished"),
        "{}",
        found.summary
    );
    assert_eq!(cause(vec![exited("telegraf", 1, 8)]), Cause::NonZeroExit);
}

#[test]
fn the_annotation_names_the_work() {
    let with = |named: Option<&str>, containers: Vec<Container>| Pod {
        default_container: named.map(Into::into),
        ..pod("Failed", containers)
    };
    let containers = || vec![exited("tunnel", 1, 15), exited("work", 0, 8)];
    assert_eq!(backoff(with(None, containers()), vec![]), Cause::NonZeroExit);
    assert_eq!(backoff(with(Some("work"), containers()), vec![]), Cause::SidecarFailed);
    assert_eq!(backoff(with(Some("tunnel"), containers()), vec![]), Cause::NonZeroExit);
    // The injector of a mesh writes it too.
    let meshed = [containers(), vec![exited("istio-proxy", 0, 16)]].concat();
    assert_eq!(backoff(with(Some("work"), meshed), vec![]), Cause::NonZeroExit);
    // A name that no container has counts as none.
    assert_eq!(backoff(with(Some("other"), containers()), vec![]), Cause::NonZeroExit);
}

#[test]
fn any_end_of_a_side_container_after_success_is_its_own() {
    let after = |end: Termination| cause(vec![exited("work", 0, 8), ended(SQL, end)]);
    for end in [
        end(143, "Error", 8),
        end(137, "Error", 19),
        end(137, "OOMKilled", 9),
        end(1, "Error", 5),
        end(139, "Error", 9),
    ] {
        assert_eq!(after(end), Cause::SidecarFailed);
    }
    let lost = Termination {
        ran: false,
        ..Termination::default()
    };
    assert_eq!(
        after(Termination {
            exit_code: 137,
            reason: "ContainerStatusUnknown".into(),
            ..lost
        }),
        Cause::NodeLost
    );
    assert_eq!(after(end(128, "StartError", 9)), Cause::ContainerStart);
}

#[test]
fn a_side_container_fails_alone_only_if_all_work_ended_with_0() {
    let proxy = || exited(SQL, 143, 8);
    assert_eq!(cause(vec![exited("work", 0, 8), proxy()]), Cause::SidecarFailed);
    assert_eq!(cause(vec![exited("work", 4, 8), proxy()]), Cause::NonZeroExit);
    assert_eq!(
        cause(vec![exited("work", 0, 8), container("more"), proxy()]),
        Cause::Killed
    );
    assert_eq!(cause(vec![running("work", 1), proxy()]), Cause::Killed);
}

#[test]
fn a_container_that_may_be_work_was_stopped_only_around_the_end() {
    let second = |code, second| cause(vec![exited("work", 0, 8), exited("second", code, second)]);
    assert_eq!(second(143, 18), Cause::SidecarFailed);
    assert_eq!(second(143, 19), Cause::Killed);
    assert_eq!(second(137, 9), Cause::Killed);
    assert_eq!(second(1, 9), Cause::NonZeroExit);
}

#[test]
fn a_sentence_about_the_second_container_names_the_first() {
    let found = with(
        job("BackoffLimitExceeded", 20),
        vec![pod("Failed", vec![exited("work", 0, 8), exited("second", 137, 15)])],
        vec![],
    );
    assert!(
        found.summary.ends_with("; container work finished with code 0."),
        "{}",
        found.summary
    );
    assert!(!found.next_step.unwrap().contains("kernel log"));
}

#[test]
fn a_stopped_proxy_does_not_hide_the_failure_of_the_work() {
    let proxy = |end: Termination| cause(vec![exited("work", 4, 8), ended(SQL, end)]);
    assert_eq!(proxy(end(143, "Error", 7)), Cause::NonZeroExit);
    assert_eq!(proxy(end(137, "OOMKilled", 7)), Cause::OutOfMemory);
    assert_eq!(proxy(end(137, "OOMKilled", 9)), Cause::NonZeroExit);
}

#[test]
fn a_failure_beside_a_running_container_is_its_own() {
    for proxy in [SQL, "helper"] {
        let found = at_deadline(vec![running(proxy, 1), exited("work", 4, 8)]);
        assert_eq!(found.cause, Some(Cause::NonZeroExit));
        let sentence = format!("container work exited with code 4; container {proxy} kept the Pod running.");
        assert!(found.summary.ends_with(&sentence), "{}", found.summary);
    }
    let found = at_deadline(vec![running("work", 1), exited(SQL, 4, 8)]);
    assert_eq!(found.cause, Some(Cause::RanTooLong));
}

#[test]
fn work_that_never_started_did_not_run_too_long() {
    let beside = |work: Container| at_deadline(vec![running("istio-proxy", 1), work]).cause.unwrap();
    assert_eq!(beside(waiting("work", "ContainerCreating", "")), Cause::Unknown);
    let creating = Container {
        waiting: None,
        ..waiting("work", "", "")
    };
    assert_eq!(beside(creating), Cause::SlowStart);
    assert_eq!(beside(container("work")), Cause::Unknown);
    assert_eq!(
        beside(waiting("work", "ImagePullBackOff", "not found")),
        Cause::ImagePull
    );
}

#[test]
fn a_native_sidecar_is_never_the_work() {
    let sidecar = |name: &str| Container {
        role: ContainerRole::Sidecar,
        ..running(name, 1)
    };
    let found = at_deadline(vec![sidecar("shipper"), running("work", 1)]);
    assert!(
        found.summary.ends_with("container work was still running."),
        "{}",
        found.summary
    );
    let found = at_deadline(vec![sidecar("shipper"), exited("work", 0, 8)]);
    assert_eq!(found.cause, Some(Cause::Unknown));
}

#[test]
fn a_restarted_proxy_failed_by_itself_before_the_end_of_the_work() {
    let mut evidence = job("BackoffLimitExceeded", 60);
    evidence.job.spec.restart_policy = Some("OnFailure".into());
    let run = |attempt, second| Termination {
        attempt,
        ..end(1, "Error", second)
    };
    let proxy = Container {
        restarts: 2,
        state: ContainerState::Waiting,
        terminations: vec![run(0, 5), run(1, 40)],
        ..running(SQL, 1)
    };
    let found = with(
        evidence,
        vec![pod("Running", vec![exited("work", 0, 30), proxy])],
        vec![],
    );
    let causes: Vec<Cause> = found.attempts.iter().filter_map(|attempt| attempt.cause).collect();
    assert_eq!(causes, [Cause::NonZeroExit, Cause::SidecarFailed]);
}

#[test]
fn the_deadline_of_the_pod_itself_is_not_the_failure_of_the_work() {
    let stopped = |work: Container| {
        let pod = Pod {
            reason: "DeadlineExceeded".into(),
            message: "Pod was active on the node longer than the specified deadline".into(),
            ..pod("Failed", vec![exited(SQL, 137, 90), work])
        };
        with(job("BackoffLimitExceeded", 95), vec![pod], vec![])
    };
    let found = stopped(exited("work", 0, 54));
    assert_eq!(found.cause, Some(Cause::SidecarBlockedCompletion));
    let found = stopped(exited("work", 4, 54));
    assert_eq!(found.cause, Some(Cause::NonZeroExit));
    let sentence = "container work exited with code 4; container cloud-sql-proxy kept the Pod running.";
    assert!(found.summary.ends_with(sentence), "{}", found.summary);
    // Within the grace period the signal may have ended the work.
    for code in [0, 4] {
        assert_eq!(stopped(exited("work", code, 55)).cause, Some(Cause::RanTooLong));
    }
}

#[test]
fn a_helper_stopped_by_the_failing_work_is_not_the_cause() {
    let helper = |code, second| cause(vec![exited("work", 4, 20), exited("helper", code, second)]);
    assert_eq!(helper(143, 10), Cause::NonZeroExit);
    assert_eq!(helper(143, 9), Cause::Killed);
    assert_eq!(helper(137, 19), Cause::Killed);
}
