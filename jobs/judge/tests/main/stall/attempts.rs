//! Attempts that fail in a row.

use job_event::evidence::*;
use job_judge::Cause;

use super::{found, later, sentence, unfinished};
use crate::support::*;

fn on_failure(pods: Vec<Pod>) -> Evidence {
    let mut evidence = unfinished(pods);
    evidence.job.spec.restart_policy = Some("OnFailure".into());
    evidence
}

/// A Pod `j-a` that failed at that second, after a run of `run` seconds.
fn failed(name: &str, ended_at: i64, run: i64) -> Pod {
    let end = Termination {
        started: Some(at(ended_at - run)),
        ..end(3, "Error", ended_at)
    };
    Pod {
        name: name.into(),
        uid: name.into(),
        created: Some(at(ended_at - run - 1)),
        ..pod("Failed", vec![ended("main", end)])
    }
}

/// A container that failed at these seconds and waits for its restart.
fn crashed(ends: &[i64]) -> Container {
    let ends = (0..).zip(ends).map(|(attempt, second)| Termination {
        attempt,
        ..end(3, "Error", *second)
    });
    let terminations: Vec<Termination> = ends.collect();
    Container {
        restarts: i32::try_from(terminations.len()).unwrap() - 1,
        started: true,
        terminations,
        ..waiting(
            "main",
            "CrashLoopBackOff",
            "back-off 10s restarting failed container=main",
        )
    }
}

#[test]
fn a_resumed_job_begins_again() {
    let mut evidence = unfinished(vec![failed("j-a", 5, 3), failed("j-b", 20, 3)]);
    evidence.job.status.active = 0;
    assert_eq!(found(&evidence, 330), Some((Cause::NonZeroExit, 5)));
    evidence.job.status.start_time = Some(at(300));
    assert_eq!(found(&evidence, 330), None);
}

#[test]
fn the_second_failure_in_place_is_a_stall() {
    let looping = |ends: &[i64]| on_failure(vec![pod("Running", vec![crashed(ends)])]);
    assert_eq!(found(&looping(&[5]), 60), None);
    assert_eq!(found(&looping(&[5, 8]), 60), Some((Cause::NonZeroExit, 5)));
    assert_eq!(
        sentence(&looping(&[5, 8, 20, 45, 90]), 125),
        "Stalled for 2 min after 5 failed attempts in a row (backoffLimit: 20): container main exited with code 3; the next \
         attempt follows within about 50 s."
    );
}

#[test]
fn a_container_that_its_node_lost_did_not_fail() {
    let after = |first: &str| {
        let mut container = crashed(&[5, 8]);
        container.terminations[0] = Termination {
            exit_code: 255,
            ..end(255, first, 5)
        };
        found(&on_failure(vec![pod("Running", vec![container])]), 60)
    };
    assert_eq!(after("Unknown"), None);
    assert_eq!(after("Error"), Some((Cause::NonZeroExit, 5)));
}

#[test]
fn failures_that_are_not_in_the_evidence_count() {
    let late = Container {
        restarts: 8,
        ..crashed(&[500, 800])
    };
    let evidence = on_failure(vec![pod("Running", vec![late])]);
    let text = sentence(&evidence, 860);
    assert!(
        text.starts_with("Stalled for 6 min after 9 failed attempts in a row"),
        "{text}"
    );
}

#[test]
fn a_helper_that_loops_does_not_stall_the_work() {
    let helper = || Container {
        name: "metrics".into(),
        ..crashed(&[5, 8, 20])
    };
    let beside = |work| found(&on_failure(vec![pod("Running", vec![work, helper()])]), 600);
    assert_eq!(beside(running("work", 1)), None);
    let retried = Container {
        restarts: 1,
        terminations: vec![end(3, "Error", 590)],
        ..running("work", 591)
    };
    assert_eq!(beside(retried), Some((Cause::NonZeroExit, 5)));
}

#[test]
fn a_command_that_is_found_at_last_ends_the_stall() {
    let not_found = |attempt: i32, second: i64| Termination {
        attempt,
        ..end(128, "StartError", second)
    };
    let looping = |state: Container| Container {
        restarts: 2,
        terminations: vec![not_found(0, 5), not_found(1, 8)],
        ..state
    };
    let stalled = Some((Cause::ContainerStart, 5));
    let waits = looping(waiting("main", "CrashLoopBackOff", "back-off 10s"));
    let waits = Container { started: true, ..waits };
    assert_eq!(found(&on_failure(vec![pod("Running", vec![waits])]), 60), stalled);
    let runs = looping(running("main", 55));
    assert_eq!(found(&on_failure(vec![pod("Running", vec![runs])]), 60), None);

    let failed = |name, second| Pod {
        containers: vec![ended("main", not_found(0, second))],
        ..failed(name, second, 3)
    };
    let with = |main| {
        found(
            &unfinished(vec![failed("j-a", 5), failed("j-b", 20), later("j-c", 40, vec![main])]),
            60,
        )
    };
    assert_eq!(with(container("main")), stalled);
    assert_eq!(with(running("main", 55)), None);
}

#[test]
fn the_second_failure_of_a_pod_is_a_stall() {
    let after = |pods| {
        let mut evidence = unfinished(pods);
        evidence.job.status.active = 0;
        evidence
    };
    assert_eq!(found(&after(vec![failed("j-a", 5, 3)]), 60), None);
    let twice = after(vec![failed("j-a", 5, 3), failed("j-b", 20, 3)]);
    assert_eq!(found(&twice, 60), Some((Cause::NonZeroExit, 5)));
    assert_eq!(
        sentence(&twice, 25),
        "Stalled for 20 s after 2 failed attempts in a row (backoffLimit: 20): container main exited with code 3; the next \
         attempt follows within about 20 s."
    );
    assert!(sentence(&twice, 60).ends_with("; the next attempt is due."));
}

#[test]
fn pods_that_fail_together_are_one_attempt() {
    let mut evidence = unfinished(vec![failed("j-a", 5, 3), failed("j-b", 5, 3), failed("j-c", 6, 4)]);
    evidence.job.status.active = 0;
    assert_eq!(found(&evidence, 60), None);
}

#[test]
fn a_retry_ends_the_stall_only_if_it_outlasts_the_failures() {
    let retry = |run: i64, longest: i64| {
        let failures = vec![failed("j-a", 300, longest), failed("j-b", 600, longest)];
        let retry = later("j-c", 620, vec![running("main", 621)]);
        found(&unfinished([failures, vec![retry]].concat()), 621 + run)
    };
    let stalled = Some((Cause::NonZeroExit, 300));
    assert_eq!(retry(120, 3), stalled);
    assert_eq!(retry(121, 3), None);
    assert_eq!(retry(299, 200), stalled);
    assert_eq!(retry(301, 200), None);
}

#[test]
fn a_retry_that_gets_further_ends_the_stall() {
    let init = |container: Container| Container {
        role: ContainerRole::Init,
        ..container
    };
    let failed = |name, second| Pod {
        containers: vec![
            init(ended("setup", end(1, "Error", second))),
            waiting("main", "PodInitializing", ""),
        ],
        ..failed(name, second, 3)
    };
    let retry = |main| {
        let containers = vec![init(ended("setup", end(0, "Completed", 44))), main];
        let pods = vec![failed("j-a", 5), failed("j-b", 20), later("j-c", 40, containers)];
        found(&unfinished(pods), 50)
    };
    assert_eq!(retry(container("main")), Some((Cause::NonZeroExit, 5)));
    assert_eq!(retry(running("main", 45)), None);
}

#[test]
fn a_pod_that_is_older_than_the_failures_works() {
    let failures = vec![failed("j-a", 50, 3), failed("j-b", 65, 3)];
    let worker = |created| later("j-w", created, vec![running("main", 70)]);
    let with = |worker| found(&unfinished([failures.clone(), vec![worker]].concat()), 100);
    assert_eq!(with(worker(0)), None);
    assert_eq!(with(worker(69)), Some((Cause::NonZeroExit, 50)));
}

#[test]
fn evictions_are_no_failures_in_a_row() {
    let evicted = |name: &str, second: i64| Pod {
        disruption: disrupted("EvictionByEvictionAPI", second - 1),
        deletion: deleted(second - 1, 30),
        removed: true,
        containers: vec![ended(
            "main",
            Termination {
                before_deletion: false,
                after_deletion: true,
                ..end(143, "Error", second)
            },
        )],
        ..failed(name, second, 3)
    };
    let mut evidence = unfinished(vec![evicted("j-a", 5), evicted("j-b", 20)]);
    evidence.job.status.active = 0;
    assert_eq!(found(&evidence, 60), None);
}

#[test]
fn an_index_loops_by_itself() {
    let indexed = |pods: Vec<(Pod, &str)>| {
        let pods = pods.into_iter().map(|(pod, index)| Pod {
            index: Some(index.into()),
            ..pod
        });
        let mut evidence = unfinished(pods.collect());
        evidence.job.spec.indexed = true;
        evidence.job.spec.backoff_limit_per_index = Some(5);
        evidence.job.status.active = 0;
        evidence
    };
    let apart = indexed(vec![(failed("j-a", 5, 3), "0"), (failed("j-b", 20, 3), "1")]);
    assert_eq!(found(&apart, 60), None);
    let mut same = indexed(vec![(failed("j-a", 5, 3), "4"), (failed("j-b", 20, 3), "4")]);
    assert_eq!(
        sentence(&same, 25),
        "Stalled for 20 s after 2 failed attempts of index 4 in a row (backoffLimitPerIndex: 5): container main exited with \
         code 3; the next attempt follows within about 20 s."
    );
    same.job.status.failed_indexes = Some("4".into());
    assert_eq!(found(&same, 60), None);
}
