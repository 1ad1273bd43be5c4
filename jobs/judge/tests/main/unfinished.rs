//! The obstacle of a Job that has not finished.

use job_event::evidence::*;
use job_judge::{Judgement, judge_at};

use crate::support::*;

/// The judgement, at second `now`, of a Job that has not finished.
fn unfinished(pods: Vec<Pod>, now: i64) -> Judgement {
    let mut evidence = job("", 0);
    evidence.job.status.conditions.clear();
    evidence.job.status.active = i32::try_from(pods.len()).unwrap();
    evidence.pods = pods;
    judge_at(&evidence, at(now))
}

fn sentence(containers: Vec<Container>, now: i64) -> String {
    unfinished(vec![pod("Running", containers)], now).summary
}

/// The sentence about a container that has run since second 1, without an obstacle.
fn runs(container: &str) -> String {
    format!("Not finished yet: container {container} has been running since 2026-11-23T12:00:01Z.")
}

#[test]
fn a_proxy_that_runs_on_is_an_obstacle_after_a_moment() {
    for proxy in ["istio-proxy", "helper"] {
        let containers = || vec![ended("work", end(0, "Completed", 20)), running(proxy, 1)];
        assert_eq!(sentence(containers(), 21), runs(proxy));
        assert_eq!(
            sentence(containers(), 22),
            format!("Not finished yet: container work finished, but container {proxy} keeps the Pod running.")
        );
    }
    let found = unfinished(
        vec![pod(
            "Running",
            vec![running("istio-proxy", 1), ended("work", end(0, "Completed", 20))],
        )],
        22,
    );
    assert!(
        found.summary.contains("container istio-proxy keeps"),
        "{}",
        found.summary
    );
    assert!(found.next_step.unwrap().starts_with("Run Istio's proxy"));
}

#[test]
fn a_first_container_that_runs_may_be_the_work() {
    let containers = vec![running("work", 1), ended("setup", end(0, "Completed", 20))];
    assert_eq!(sentence(containers, 600), runs("work"));
    let containers = vec![running("vault-agent", 1), running("work", 1)];
    assert_eq!(sentence(containers, 600), runs("work"));
}

#[test]
fn failed_work_beside_a_proxy_is_an_obstacle() {
    for names in [["istio-proxy", "work"], ["helper", "work"]] {
        let containers = vec![running(names[0], 1), ended("work", end(3, "Error", 20))];
        assert_eq!(
            sentence(containers, 22),
            format!(
                "Not finished yet: container work exited with code 3; container {} keeps the Pod running.",
                names[0]
            )
        );
    }
}

#[test]
fn a_lost_node_is_the_obstacle_not_the_containers_on_it() {
    let containers = || vec![ended("work", end(0, "Completed", 20)), running("istio-proxy", 1)];
    let lost = |over: bool| Pod {
        node_outage: Some(NodeOutage {
            since: at(30),
            until: over.then(|| at(40)),
            over,
        }),
        ..pod("Running", containers())
    };
    let found = unfinished(vec![lost(false)], 50).summary;
    assert_eq!(
        found,
        "Not finished yet: Pod j-a is on node node1, which has not been ready since 2026-11-23T12:00:30Z."
    );
    assert!(unfinished(vec![lost(true)], 50).summary.contains("istio-proxy"));
}

#[test]
fn a_pod_that_does_not_terminate_is_an_obstacle_without_another() {
    let stuck = Pod {
        deletion: deleted(10, 30),
        ..pod("Running", vec![running("work", 1)])
    };
    assert_eq!(unfinished(vec![stuck.clone()], 40).summary, "Not finished yet.");
    assert_eq!(
        unfinished(vec![stuck.clone()], 41).summary,
        "Not finished yet: Pod j-a is being deleted and does not terminate."
    );
    let next = Pod {
        uid: "pod-b".into(),
        ..pod("Running", vec![running("work", 1)])
    };
    assert_eq!(unfinished(vec![stuck, next], 41).summary, runs("work"));
}

#[test]
fn a_job_without_an_obstacle_names_the_container_it_waits_for() {
    let init = Container {
        role: ContainerRole::Init,
        ..running("wait-for-db", 1)
    };
    let creating = Container {
        state: ContainerState::Waiting,
        ..container("work")
    };
    let of = |pods| unfinished(pods, 30);
    let pending = |containers| pod("Pending", containers);
    assert_eq!(
        of(vec![pending(vec![init, creating.clone()])]).summary,
        "Not finished yet: init container wait-for-db has been running since 2026-11-23T12:00:01Z."
    );
    let found = of(vec![pending(vec![creating])]);
    assert_eq!(
        found.summary,
        "Not finished yet: container work has not started, and no error was reported."
    );
    assert_eq!(found.next_step, None);
    assert_eq!(
        of(vec![pending(vec![waiting("work", "NewReason", "why")])]).summary,
        "Not finished yet: container work waits: “why”."
    );
    assert_eq!(
        of(vec![pod("Running", vec![running("work", 1)]), pending(vec![])]).summary,
        "Not finished yet: 1 of 2 Pods are running."
    );
    assert_eq!(of(vec![]).summary, "Not finished yet.");
}

#[test]
fn suspended_and_unmanaged_jobs_have_no_obstacle() {
    let pods = || {
        vec![pod(
            "Running",
            vec![ended("work", end(0, "Completed", 20)), running("istio-proxy", 1)],
        )]
    };
    let judged = |change: fn(&mut Job)| {
        let mut evidence = job("", 0);
        evidence.job.status.conditions.clear();
        evidence.pods = pods();
        change(&mut evidence.job);
        judge_at(&evidence, at(600)).summary
    };
    let suspended = judged(|job| {
        job.spec.suspend = true;
        job.status.conditions.push(Condition {
            kind: "Suspended".into(),
            is_true: true,
            ..Condition::default()
        });
    });
    assert_eq!(suspended, "Suspended.");
    let unmanaged = judged(|job| job.spec.managed_by = Some("example.com/queue".into()));
    assert!(unmanaged.starts_with("Managed by another controller"), "{unmanaged}");
}
