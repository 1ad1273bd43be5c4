//! When a stall and a recovery are reported.

use job_event::Notice;
use job_tracker::StallSettings;
use job_watch::{Kind, Observation, Source};
use serde_json::json;

use super::cluster::{Cluster, seconds};

#[test]
fn reports_a_stall_once_after_its_time() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(59);
    assert!(cluster.take().is_empty());
    cluster.wait(2);
    assert_eq!(cluster.take(), ["stalled a ImagePull"]);
    let Notice::Stalled(stalled) = &cluster.notices[0] else {
        panic!("a stall")
    };
    assert_eq!(stalled.at.duration_since(stalled.since), seconds(60));
    assert!(stalled.summary.contains("not found"), "{}", stalled.summary);
    cluster.wait(3600);
    cluster.list();
    cluster.wait(3600);
    assert!(cluster.take().is_empty());
}

#[test]
fn a_job_that_runs_is_never_reported() {
    let mut cluster = Cluster::new(30);
    cluster.create("a");
    cluster.wait(2);
    cluster.run("a");
    cluster.wait(100_000);
    cluster.complete("a");
    cluster.wait(10);
    assert_eq!(cluster.take(), ["Succeeded a"]);
}

#[test]
fn a_job_that_moves_in_time_is_never_reported() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(58);
    cluster.run("a");
    cluster.wait(1000);
    assert!(cluster.take().is_empty());
}

#[test]
fn a_recovery_is_reported_once_when_the_job_moves() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(100);
    cluster.run("a");
    cluster.wait(6);
    assert_eq!(cluster.take(), ["stalled a ImagePull", "recovered a ImagePull"]);
    let Notice::Recovered(recovered) = &cluster.notices[1] else {
        panic!("a recovery")
    };
    let length = recovered.at.duration_since(recovered.since).as_secs();
    assert!((100..=106).contains(&length), "{length}");
    cluster.wait(1000);
    cluster.complete("a");
    cluster.wait(10);
    assert_eq!(cluster.take(), ["Succeeded a"]);
}

#[test]
fn a_recovery_has_the_outcome_of_a_job_that_ended() {
    let mut cluster = Cluster::new(60);
    for name in ["a", "b", "c"] {
        cluster.stick(name);
    }
    cluster.wait(100);
    cluster.take();
    cluster.complete("a");
    cluster.fail("b");
    cluster.delete("c");
    cluster.wait(10);
    let mut events = cluster.take();
    events.sort();
    let recovered = [
        "recovered a ImagePull Succeeded",
        "recovered b ImagePull Failed",
        "recovered c ImagePull Deleted",
    ];
    assert_eq!(events[3..], recovered);
    assert_eq!(events[..3], ["Deleted c", "Failed b", "Succeeded a"]);
    cluster.wait(1000);
    assert!(cluster.take().is_empty());
}

#[test]
fn a_recovery_comes_before_the_end_it_follows_from() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(100);
    cluster.complete("a");
    cluster.wait(10);
    assert_eq!(
        cluster.take(),
        ["stalled a ImagePull", "recovered a ImagePull Succeeded", "Succeeded a"]
    );
}

#[test]
fn a_recovery_waits_until_its_stall_is_acknowledged() {
    let mut cluster = Cluster::new(60);
    cluster.acknowledges = false;
    cluster.stick("a");
    cluster.stick("b");
    cluster.wait(100);
    assert_eq!(cluster.take().len(), 2);
    cluster.run("a");
    cluster.delete("b");
    cluster.wait(100);
    assert_eq!(cluster.take(), ["Deleted b"]);
    cluster.acknowledge();
    cluster.wait(6);
    let mut events = cluster.take();
    events.sort();
    assert_eq!(events, ["recovered a ImagePull", "recovered b ImagePull Deleted"]);
}

#[test]
fn another_cause_is_reported_without_a_recovery() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(100);
    cluster.wait_for("a", "CreateContainerConfigError", "configmap \"c\" not found");
    cluster.wait(100);
    assert_eq!(cluster.take(), ["stalled a ImagePull", "stalled a ContainerConfig"]);
    cluster.stick("a");
    cluster.wait(1000);
    assert!(cluster.take().is_empty(), "each cause is reported once");
    cluster.complete("a");
    cluster.wait(10);
    assert_eq!(cluster.take()[0], "recovered a ImagePull+ContainerConfig Succeeded");
}

#[test]
fn a_second_stall_recovers_apart() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(100);
    cluster.run("a");
    cluster.wait(10);
    cluster.delete_pod("a");
    cluster.take();
    cluster.wait_for("a", "CreateContainerConfigError", "configmap \"c\" not found");
    cluster.wait(200);
    cluster.delete("a");
    cluster.wait(10);
    assert_eq!(
        cluster.take(),
        [
            "stalled a ContainerConfig",
            "Deleted a",
            "recovered a ContainerConfig Deleted"
        ]
    );
}

#[test]
fn an_annotation_overrides_the_time() {
    let annotate = |cluster: &mut Cluster, name: &str, value: &str| {
        cluster.edit("jobs", name, |job| {
            job["metadata"]["annotations"] = json!({"k8s-job-collector/stalled-after": value});
        });
    };
    let mut cluster = Cluster::new(60);
    for (name, value) in [("a", "10s"), ("b", "off"), ("c", "1h30m"), ("d", "soon")] {
        cluster.stick(name);
        annotate(&mut cluster, name, value);
    }
    cluster.wait(12);
    assert_eq!(cluster.take(), ["stalled a ImagePull"]);
    cluster.wait(60);
    assert_eq!(cluster.take(), ["stalled d ImagePull"], "an invalid value is ignored");
    let invalid = cluster.tracker.take_invalid_annotation().unwrap();
    assert_eq!((invalid.kind, &*invalid.name, &*invalid.value), ("Job", "d", "soon"));
    assert_eq!(invalid.annotation, "k8s-job-collector/stalled-after");
    annotate(&mut cluster, "d", "soon");
    assert_eq!(cluster.tracker.take_invalid_annotation(), None, "once");
    cluster.wait(5000);
    assert!(cluster.take().is_empty());
    cluster.wait(400);
    assert_eq!(cluster.take(), ["stalled c ImagePull"]);
    annotate(&mut cluster, "b", "5m");
    cluster.wait(60);
    assert_eq!(cluster.take(), ["stalled b ImagePull"]);
}

#[test]
fn the_annotation_of_a_cronjob_applies_to_its_jobs() {
    let mut cluster = Cluster::new(60);
    cluster.put(
        "cronjobs",
        "c",
        json!({"metadata": {"name": "c", "namespace": "n", "uid": "uid-c", "creationTimestamp": cluster.now,
            "annotations": {"k8s-job-collector/stalled-after": "off"}}, "spec": {"schedule": "0 0 1 1 *"}}),
    );
    for name in ["a", "b"] {
        cluster.create_with(name, |job| {
            job["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "c",
                "uid": "uid-c", "controller": true}]);
        });
        cluster.stick(name);
    }
    cluster.edit("jobs", "b", |job| {
        job["metadata"]["annotations"] = json!({"k8s-job-collector/stalled-after": "2m"});
    });
    cluster.wait(1000);
    assert_eq!(
        cluster.take(),
        ["stalled b ImagePull"],
        "the annotation of the Job counts first"
    );
}

#[test]
fn nothing_is_reported_if_stalls_are_off() {
    let mut cluster = Cluster::with(StallSettings {
        enabled: false,
        ..StallSettings::all_after(seconds(60))
    });
    cluster.stick("a");
    cluster.wait(1000);
    cluster.complete("a");
    cluster.wait(10);
    assert_eq!(cluster.take(), ["Succeeded a"]);
}

#[test]
fn no_stall_is_reported_while_a_list_is_incomplete() {
    use job_watch::{Kind, Observation, Source};
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(50);
    let source = Source {
        kind: Kind::Pods,
        scope: 0,
    };
    cluster.tracker.apply(source, Observation::ListBegins, cluster.now);
    cluster.wait(500);
    assert!(cluster.take().is_empty());
    cluster.run("a");
    cluster.list();
    cluster.wait(500);
    assert!(cluster.take().is_empty(), "the Job ran all the time");
}

#[test]
fn gauges_count_reported_stalls_that_last() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    let stalled = |cluster: &mut Cluster| -> Vec<i64> {
        cluster
            .tracker
            .states()
            .flat_map(|owner| owner.stalled.into_values())
            .collect()
    };
    cluster.wait(50);
    assert!(stalled(&mut cluster).is_empty());
    cluster.wait(20);
    assert_eq!(stalled(&mut cluster), [1]);
    cluster.restart();
    cluster.wait(60);
    assert_eq!(stalled(&mut cluster), [1], "after a restart");
    cluster.run("a");
    cluster.wait(10);
    assert_eq!(stalled(&mut cluster), [0]);
}

#[test]
fn a_clock_that_is_set_back_reports_nothing_twice() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    cluster.wait(100);
    cluster.now -= seconds(5000);
    cluster.stick("b");
    cluster.wait(200);
    assert_eq!(cluster.take(), ["stalled a ImagePull", "stalled b ImagePull"]);
    cluster.run("a");
    cluster.wait(70);
    assert_eq!(cluster.take(), ["recovered a ImagePull"]);
}

#[test]
fn no_stall_while_a_watch_replays() {
    let mut cluster = Cluster::new(60);
    cluster.stick("a");
    let pods = Source {
        kind: Kind::Pods,
        scope: 0,
    };
    let begins = Observation::ReplayBegins { version: 1 };
    cluster.tracker.apply(pods, begins, cluster.now);
    cluster.wait(120);
    assert!(cluster.take().is_empty(), "the Pod may be gone");
    cluster
        .tracker
        .apply(pods, Observation::ReplayEnds { complete: true }, cluster.now);
    cluster.wait(30);
    assert_eq!(cluster.take(), ["stalled a ImagePull"]);
}
