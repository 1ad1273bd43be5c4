//! Stalls of Jobs that have not finished: pairs that differ in one fact, and their sentences. Whole courses of events are in
//! `tests/support/stories/stalls/`.

mod attempts;
mod no_pods;
mod pods;

use job_event::evidence::*;
use job_judge::{Cause, Stall, stall};

use crate::support::*;

/// A Job that has not finished, with these Pods.
fn unfinished(pods: Vec<Pod>) -> Evidence {
    let mut evidence = job("", 0);
    evidence.job.status.conditions.clear();
    evidence.job.spec.backoff_limit = Some(20);
    evidence.job.status.active = i32::try_from(pods.len()).unwrap();
    evidence.pods = pods;
    evidence
}

/// The cause at that second, and the second at which the stall began.
fn found(evidence: &Evidence, now: i64) -> Option<(Cause, i64)> {
    let second = |stall: Stall| (stall.cause, stall.since.duration_since(at(0)).as_secs());
    stall(evidence, at(now)).map(second)
}

fn sentence(evidence: &Evidence, now: i64) -> String {
    stall(evidence, at(now)).unwrap().summary(at(now))
}

fn no_image() -> Pod {
    pod(
        "Pending",
        vec![waiting("main", "ImagePullBackOff", "no/such:1: not found")],
    )
}

fn later(name: &str, created: i64, containers: Vec<Container>) -> Pod {
    Pod {
        name: name.into(),
        uid: name.into(),
        created: Some(at(created)),
        start_time: Some(at(created)),
        ..pod("Running", containers)
    }
}
