//! Restarts, crashes, relists and take-overs.

use std::collections::BTreeSet;

use job_tracker::outbox::AckEvent;

use super::cluster::Cluster;

/// The life of a Job that stalls for two causes, recovers, stalls again, and fails.
const LIFE: [fn(&mut Cluster); 14] = [
    |cluster| cluster.stick("a"),
    |cluster| cluster.wait(30),
    |cluster| cluster.wait(40),
    |cluster| cluster.wait(30),
    |cluster| cluster.wait_for("a", "CreateContainerConfigError", "configmap \"c\" not found"),
    |cluster| cluster.wait(70),
    |cluster| cluster.run("a"),
    |cluster| cluster.wait(40),
    |cluster| cluster.delete_pod("a"),
    |cluster| {
        cluster.wait_for(
            "a",
            "CreateContainerError",
            "the runtime failed: no space left on device",
        )
    },
    |cluster| cluster.wait(300),
    |cluster| cluster.wait(30),
    |cluster| cluster.fail("a"),
    |cluster| cluster.wait(40),
];

/// The events of that life without a restart.
fn undisturbed() -> Vec<String> {
    let mut cluster = Cluster::new(60);
    for step in LIFE {
        step(&mut cluster);
    }
    let events = cluster.take();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event.split(' ').next()).collect();
    assert_eq!(
        kinds,
        ["stalled", "stalled", "recovered", "stalled", "recovered", "Failed"],
        "{events:?}"
    );
    events
}

#[test]
fn a_restart_at_any_time_reports_nothing_twice() {
    let expected = undisturbed();
    for restart in 0..LIFE.len() {
        let mut cluster = Cluster::new(60);
        for (at, step) in LIFE.iter().enumerate() {
            step(&mut cluster);
            if at == restart {
                cluster.restart();
            }
        }
        assert_eq!(cluster.take(), expected, "restart after step {restart}");
    }
}

#[test]
fn a_relist_at_any_time_reports_nothing_twice() {
    let expected = undisturbed();
    for relist in 0..LIFE.len() {
        let mut cluster = Cluster::new(60);
        for (at, step) in LIFE.iter().enumerate() {
            step(&mut cluster);
            if at == relist {
                cluster.list();
            }
        }
        assert_eq!(cluster.take(), expected, "relist after step {relist}");
    }
}

#[test]
fn a_crash_repeats_an_event_and_loses_none() {
    let undisturbed = undisturbed();
    let expected = stalls(&undisturbed);
    for crash in 0..LIFE.len() {
        let mut cluster = Cluster::new(60);
        cluster.announce();
        for (at, step) in LIFE.iter().enumerate() {
            step(&mut cluster);
            if at == crash {
                cluster.crash();
            }
        }
        let events = cluster.take();
        assert_eq!(stalls(&events), expected, "crash after step {crash}");
        let recovered = events
            .iter()
            .filter(|event| event.starts_with("recovered"))
            .cloned()
            .collect::<String>();
        for cause in &expected {
            assert!(recovered.contains(cause), "crash after step {crash}: {events:?}");
        }
        assert!(
            events.contains(&"Failed a".to_owned()),
            "crash after step {crash}: {events:?}"
        );
    }
}

/// The causes of the stalls among the events.
fn stalls(events: &[String]) -> BTreeSet<&str> {
    events
        .iter()
        .filter_map(|event| event.strip_prefix("stalled a "))
        .collect()
}

#[test]
fn a_standby_that_takes_over_reports_nothing_twice() {
    let expected = undisturbed();
    for take_over in 0..LIFE.len() {
        let mut cluster = Cluster::new(60);
        cluster.add_standby();
        for (at, step) in LIFE.iter().enumerate() {
            step(&mut cluster);
            if at == take_over {
                cluster.take_over();
            }
        }
        assert_eq!(cluster.take(), expected, "take-over after step {take_over}");
    }
}

#[test]
fn a_job_listed_as_finished_still_recovers() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(100);
    cluster.acknowledges = false;
    cluster.complete("a");
    cluster.wait(10);
    let expected = ["stalled a ImagePull", "recovered a ImagePull Succeeded", "Succeeded a"];
    assert_eq!(cluster.take(), expected);
    let finished = job_event::Uid::new("uid-a");
    cluster.tracker.outbox().apply(&finished, AckEvent::Acknowledged);
    cluster.restart();
    cluster.acknowledges = true;
    cluster.wait(10);
    assert_eq!(cluster.take(), expected[1..2]);
    cluster.restart();
    cluster.wait(1000);
    assert!(cluster.take().is_empty());
}

#[test]
fn the_mark_of_a_job_deleted_unseen_is_dropped() {
    let mut cluster = Cluster::new(60);
    let empty = cluster.store().len();
    cluster.stick("a");
    cluster.wait(100);
    assert_eq!(cluster.take().len(), 1);
    assert!(cluster.store().len() > empty);
    let stored = cluster.store();
    cluster.vanish("a");
    cluster.start(stored);
    cluster.wait(200);
    assert!(cluster.store().len() > empty, "its Events may be listed later");
    cluster.wait(200);
    assert!(cluster.take().is_empty());
    assert_eq!(cluster.store().len(), empty);
}

#[test]
fn the_mark_of_a_job_that_ended_is_dropped() {
    let mut cluster = Cluster::new(60);
    let empty = cluster.store().len();
    let sizes = [false, true].map(|stalls| {
        if stalls {
            cluster.stick("a");
            cluster.wait(100);
            cluster.run("a");
        } else {
            cluster.run("b");
        }
        cluster.wait(40);
        let name = if stalls { "a" } else { "b" };
        cluster.delete(name);
        cluster.wait(10);
        cluster.store().len()
    });
    assert_eq!(sizes[1] - sizes[0], sizes[0] - empty, "as for a Job that never stalled");
}
