//! Very many stalled Jobs.

use std::collections::BTreeMap;

use job_event::Notice;

use super::cluster::Cluster;

#[test]
fn stalls_wait_for_room_in_the_checkpoint() {
    let mut cluster = Cluster::new(10);
    cluster.limit(4);
    for name in ["a", "b", "c"] {
        cluster.stick(name);
    }
    cluster.wait(1000);
    let reported = cluster.take();
    assert_eq!(reported.len(), 2, "half as many as Jobs are listed: {reported:?}");
    let first = reported[0].split(' ').nth(1).unwrap().to_owned();
    cluster.delete(&first);
    cluster.wait(400);
    let events = cluster.take();
    let stalls = events.iter().filter(|event| event.starts_with("stalled"));
    assert_eq!(stalls.count(), 1, "{events:?}");
}

/// More judgements than one second allows.
const JOBS: usize = 10_000;
/// How many stalls may be reported in one second.
const A_SECOND: usize = 1000;

#[test]
fn the_work_of_a_second_is_bounded() {
    let mut cluster = Cluster::new(10);
    for job in 0..JOBS {
        cluster.stick(&format!("j{job}"));
    }
    let mut seconds = BTreeMap::new();
    for second in 0..60 {
        let before = cluster.notices.len();
        cluster.wait(1);
        seconds.insert(second, cluster.notices.len() - before);
    }
    let most = seconds.values().max().copied().unwrap_or(0);
    assert!((A_SECOND / 2..=A_SECOND).contains(&most), "{seconds:?}");
    assert_eq!(cluster.notices.len(), JOBS, "{seconds:?}");
    assert!(
        cluster
            .notices
            .iter()
            .all(|notice| matches!(notice, Notice::Stalled(_)))
    );
}

#[test]
fn a_call_that_finds_nothing_is_not_due_at_once() {
    let mut cluster = Cluster::new(10);
    for job in 0..1000 {
        cluster.stick(&format!("j{job}"));
    }
    let mut calls = 0;
    for _ in 0..60 {
        cluster.now += super::cluster::seconds(1);
        while cluster
            .tracker
            .next_notice_deadline()
            .is_some_and(|deadline| deadline <= cluster.now)
        {
            cluster.emit();
            calls += 1;
        }
    }
    assert!(calls < 200, "{calls} calls");
}
