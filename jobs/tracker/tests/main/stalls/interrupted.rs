//! Watches that are interrupted: a Job may have moved unobserved.

use super::cluster::Cluster;

#[test]
fn no_job_is_stalled_while_watches_are_interrupted() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.stick("b");
    cluster.wait(50);
    cluster.tracker.interrupt_stalls(true, cluster.now);
    cluster.wait(100);
    assert_eq!(cluster.take(), [""; 0]);
    assert_eq!(
        cluster.tracker.next_notice_deadline(),
        None,
        "nothing to wait for until the watches resume"
    );
    cluster.tracker.interrupt_stalls(false, cluster.now);
    cluster.wait(2);
    // It moved during the interruption, and that arrives after the watch has resumed.
    cluster.run("b");
    cluster.wait(2);
    assert_eq!(cluster.take(), [""; 0]);
    cluster.wait(10);
    let events = cluster.take();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains(" a "), "{events:?}");
}
