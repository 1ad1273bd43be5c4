//! Live Pods that make no progress.

use job_event::evidence::*;
use job_judge::{Cause, Retry, stall};

use super::{found, later, no_image, sentence, unfinished};
use crate::support::*;

const NO_CPU: &str = "0/3 nodes are available: 3 Insufficient cpu.";

#[test]
fn a_missing_image_stalls_the_job_with_its_cause() {
    let found = stall(&unfinished(vec![no_image()]), at(120)).unwrap();
    assert_eq!(
        (found.cause, found.since, found.retry),
        (Cause::ImagePull, at(0), Retry::No)
    );
    assert_eq!(found.container, Some(("j-a".into(), "main".into())));
    assert!(
        found.next_step.starts_with("Check the image's name"),
        "{}",
        found.next_step
    );
    assert_eq!(
        found.summary(at(120)),
        "Stalled for 2 min: image registry.example/app:9 could not be pulled: “no/such:1: not found”; container main never \
         started."
    );
}

#[test]
fn a_pod_that_works_beside_a_blocked_one_is_progress() {
    let works = later("j-b", 0, vec![running("main", 1)]);
    assert_eq!(found(&unfinished(vec![no_image(), works.clone()]), 600), None);
    let blocked = Pod {
        phase: "Pending".into(),
        containers: no_image().containers,
        ..works
    };
    assert_eq!(
        found(&unfinished(vec![no_image(), blocked]), 600),
        Some((Cause::ImagePull, 0))
    );
}

#[test]
fn pods_that_are_not_kept_are_progress_if_they_are_ready() {
    let refused = Pod {
        node: None,
        start_time: None,
        not_scheduled: not_scheduled("Unschedulable", NO_CPU),
        ..pod("Pending", vec![])
    };
    let with = |pod: Pod, ready, gaps| {
        let mut evidence = unfinished(vec![pod]);
        (evidence.job.status.ready, evidence.gaps) = (ready, gaps);
        found(&evidence, 600)
    };
    let stalled = Some((Cause::Unschedulable, 0));
    assert_eq!(with(refused.clone(), 1, vec![Gap::PodsOmitted]), None);
    assert_eq!(with(refused.clone(), 0, vec![Gap::PodsOmitted]), stalled);
    assert_eq!(with(refused, 1, vec![]), stalled, "it was ready before");
    // A sidecar runs, while the main container waits.
    let image = waiting("main", "ImagePullBackOff", "no/such:1: not found");
    let half = pod("Pending", vec![image, running("sidecar", 0)]);
    assert_eq!(with(half, 1, vec![Gap::PodsOmitted]), Some((Cause::ImagePull, 0)));
}

#[test]
fn a_young_pod_beside_a_blocked_one_is_no_obstacle() {
    let young = later("j-b", 590, vec![]);
    let young = Pod {
        phase: "Pending".into(),
        node: None,
        start_time: None,
        ..young
    };
    assert_eq!(found(&unfinished(vec![no_image(), young]), 600), None);
}

#[test]
fn a_pod_in_its_grace_period_changes_nothing() {
    let leaving = |deleted_at| Pod {
        deletion: deleted(deleted_at, 600),
        ..later("j-b", 0, vec![running("main", 1)])
    };
    assert_eq!(
        found(&unfinished(vec![no_image(), leaving(300)]), 600),
        Some((Cause::ImagePull, 0))
    );
    assert_eq!(found(&unfinished(vec![leaving(300)]), 600), None);
}

#[test]
fn a_stall_begins_with_the_last_of_the_blocked_pods() {
    let late = |created| Pod {
        created: Some(at(created)),
        start_time: Some(at(created)),
        name: "j-b".into(),
        uid: "b".into(),
        ..no_image()
    };
    for created in [0, 300] {
        assert_eq!(
            found(&unfinished(vec![no_image(), late(created)]), 600),
            Some((Cause::ImagePull, created))
        );
    }
}

#[test]
fn a_success_is_the_last_progress() {
    let done = Pod {
        phase: "Succeeded".into(),
        ..later("j-b", 0, vec![ended("main", end(0, "Completed", 300))])
    };
    assert_eq!(
        found(&unfinished(vec![no_image(), done]), 600),
        Some((Cause::ImagePull, 300))
    );
}

#[test]
fn a_pod_without_a_node_and_without_a_reason_is_young_for_a_minute() {
    let pending = Pod {
        node: None,
        start_time: None,
        ..pod("Pending", vec![])
    };
    assert_eq!(found(&unfinished(vec![pending.clone()]), 60), None);
    assert_eq!(
        found(&unfinished(vec![pending.clone()]), 61),
        Some((Cause::Unschedulable, 0))
    );
    let refused = Pod {
        not_scheduled: not_scheduled("Unschedulable", NO_CPU),
        ..pending
    };
    assert_eq!(found(&unfinished(vec![refused]), 2), Some((Cause::Unschedulable, 0)));
}

#[test]
fn a_helper_that_failed_does_not_stall_the_work() {
    let beside = |names: [&str; 2]| {
        let containers = vec![running(names[0], 1), ended(names[1], end(3, "Error", 20))];
        found(&unfinished(vec![pod("Running", containers)]), 600)
    };
    assert_eq!(beside(["work", "metrics"]), None);
    assert_eq!(beside(["istio-proxy", "work"]), Some((Cause::NonZeroExit, 20)));
}

#[test]
fn a_helper_without_an_image_stalls_only_after_the_work() {
    let beside = |work| {
        let containers = vec![work, waiting("metrics", "ErrImagePull", "not found")];
        found(&unfinished(vec![pod("Running", containers)]), 600)
    };
    assert_eq!(beside(running("work", 1)), None);
    assert_eq!(
        beside(ended("work", end(0, "Completed", 300))),
        Some((Cause::ImagePull, 300))
    );
}

#[test]
fn a_deleted_pod_is_stuck_after_its_grace_period() {
    let stuck = Pod {
        deletion: deleted(10, 30),
        ..pod("Running", vec![running("main", 1)])
    };
    let evidence = unfinished(vec![stuck]);
    assert_eq!(found(&evidence, 40), None);
    assert_eq!(found(&evidence, 160), Some((Cause::StuckTerminating, 40)));
    assert_eq!(
        sentence(&evidence, 160),
        "Stalled for 2 min: Pod j-a is being deleted and does not terminate."
    );
}

#[test]
fn a_silent_node_stalls_its_pods_until_it_is_back() {
    let lost = |over: bool| Pod {
        node_outage: Some(NodeOutage {
            since: at(30),
            until: over.then(|| at(40)),
            over,
        }),
        ..pod("Running", vec![running("main", 1)])
    };
    let evidence = unfinished(vec![lost(false)]);
    assert_eq!(found(&evidence, 150), Some((Cause::NodeLost, 30)));
    assert_eq!(
        sentence(&evidence, 150),
        "Stalled for 2 min: Pod j-a is on node node1, which has not been ready since 2026-11-23T12:00:30Z."
    );
    let next_step = stall(&evidence, at(150)).unwrap().next_step;
    assert_eq!(next_step, "Look at the node's events and at the machine itself.");
    assert_eq!(found(&unfinished(vec![lost(true)]), 150), None);
}
