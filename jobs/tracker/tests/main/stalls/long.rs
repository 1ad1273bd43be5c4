//! Runs that are longer than the earlier runs of their owner.

use job_event::Notice;
use job_tracker::{RunningLongSettings, StallSettings};
use serde_json::{Value, json};

use super::cluster::{Cluster, seconds};

/// Makes a Job a run of the CronJob `c`.
pub(super) fn of_cronjob(job: &mut Value) {
    job["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": "uid-c", "controller": true}]);
}

/// Makes a Job one with a generated name.
fn generated(job: &mut Value) {
    job["metadata"]["generateName"] = "run-".into();
}

fn nothing(_: &mut Value) {}

pub(super) fn cronjob(cluster: &mut Cluster) {
    let cronjob = json!({"metadata": {"name": "c", "namespace": "n", "uid": "uid-c", "creationTimestamp": cluster.now},
        "spec": {"schedule": "0 0 1 1 *"}});
    cluster.put("cronjobs", "c", cronjob);
}

pub(super) fn begin(cluster: &mut Cluster, name: &str, edit: fn(&mut Value)) {
    cluster.create_with(name, edit);
    cluster.run(name);
}

/// This many runs of 5 minutes complete.
pub(super) fn complete_runs(cluster: &mut Cluster, runs: usize, edit: fn(&mut Value)) {
    for _ in 0..runs {
        let name = format!("run-{:05}", cluster.now.as_second() % 100_000);
        begin(cluster, &name, edit);
        cluster.wait(300);
        cluster.complete(&name);
        cluster.wait(2);
        cluster.delete(&name);
    }
    let events = cluster.take();
    assert!(events.iter().all(|event| event.starts_with("Succeeded")), "{events:?}");
    assert_eq!(events.len(), runs);
}

#[test]
fn a_run_longer_than_ten_earlier_ones_is_reported() {
    let mut cluster = Cluster::new(60);
    cronjob(&mut cluster);
    complete_runs(&mut cluster, 10, of_cronjob);
    begin(&mut cluster, "a", of_cronjob);
    cluster.wait(860);
    assert!(cluster.take().is_empty(), "three times the usual time is allowed");
    cluster.wait(100);
    assert_eq!(cluster.take(), ["stalled a RunningLong"]);
    let Notice::Stalled(stalled) = &cluster.notices[0] else {
        panic!("a stall")
    };
    assert!(
        stalled.summary.contains("the last 10 runs took 5 min"),
        "{}",
        stalled.summary
    );
    assert_eq!(stalled.at, stalled.since);
    cluster.restart();
    cluster.wait(5000);
    assert!(cluster.take().is_empty());
    let stalled: Vec<i64> = cluster
        .tracker
        .states()
        .flat_map(|owner| owner.stalled.into_values())
        .collect();
    assert_eq!(stalled, [1]);
    cluster.complete("a");
    cluster.wait(5);
    assert_eq!(cluster.take(), ["recovered a RunningLong Succeeded", "Succeeded a"]);
}

#[test]
fn nine_runs_are_too_few() {
    let mut cluster = Cluster::new(60);
    cronjob(&mut cluster);
    complete_runs(&mut cluster, 9, of_cronjob);
    begin(&mut cluster, "a", of_cronjob);
    cluster.wait(100_000);
    assert!(cluster.take().is_empty());
    cluster.delete("a");
    cluster.wait(5);
    cluster.take();
    complete_runs(&mut cluster, 1, of_cronjob);
    begin(&mut cluster, "b", of_cronjob);
    cluster.wait(1000);
    assert_eq!(
        cluster.take(),
        ["stalled b RunningLong"],
        "a deleted run does not count"
    );
}

#[test]
fn runs_with_a_generated_name_have_one_owner() {
    for (edit, expected) in [(generated as fn(&mut Value), 1), (nothing, 0)] {
        let mut cluster = Cluster::new(60);
        complete_runs(&mut cluster, 10, edit);
        begin(&mut cluster, "run-abcde", edit);
        cluster.wait(1000);
        assert_eq!(cluster.take().len(), expected);
    }
}

#[test]
fn the_runs_of_an_owner_survive_a_restart() {
    let mut cluster = Cluster::new(60);
    cronjob(&mut cluster);
    for _ in 0..5 {
        complete_runs(&mut cluster, 2, of_cronjob);
        cluster.restart();
    }
    begin(&mut cluster, "a", of_cronjob);
    cluster.wait(1000);
    assert_eq!(cluster.take(), ["stalled a RunningLong"]);
}

#[test]
fn the_runs_of_a_deleted_cronjob_are_forgotten() {
    for unseen in [false, true] {
        let mut cluster = Cluster::new(60);
        let empty = cluster.store().len();
        cronjob(&mut cluster);
        complete_runs(&mut cluster, 10, of_cronjob);
        let known = cluster.store().len();
        if unseen {
            cluster.vanish("c");
            cluster.restart();
        } else {
            cluster.delete("c");
        }
        cluster.wait(5);
        assert!(cluster.store().len() + 20 <= known, "{empty} bytes, then {known}");
    }
}

#[test]
fn long_runs_are_not_reported_if_that_is_off() {
    let off = |cause| StallSettings {
        causes: [(cause, None)].into(),
        ..StallSettings::all_after(seconds(60))
    };
    let none = StallSettings {
        running_long: None,
        ..StallSettings::all_after(seconds(60))
    };
    let far = StallSettings {
        running_long: Some(RunningLongSettings {
            floor: seconds(100_000),
            ..RunningLongSettings::default()
        }),
        ..StallSettings::all_after(seconds(60))
    };
    for settings in [none, off(job_judge::Cause::RunningLong), far] {
        let mut cluster = Cluster::with(settings);
        cronjob(&mut cluster);
        complete_runs(&mut cluster, 10, of_cronjob);
        begin(&mut cluster, "a", of_cronjob);
        cluster.wait(50_000);
        assert!(cluster.take().is_empty());
    }
}

#[test]
fn a_long_run_that_stalls_is_reported_for_both() {
    let mut cluster = Cluster::new(60);
    cronjob(&mut cluster);
    complete_runs(&mut cluster, 10, of_cronjob);
    begin(&mut cluster, "a", of_cronjob);
    cluster.wait(1000);
    cluster.delete_pod("a");
    cluster.stick("a");
    cluster.wait(100);
    assert_eq!(cluster.take(), ["stalled a RunningLong", "stalled a ImagePull"]);
    cluster.run("a");
    cluster.wait(1000);
    assert!(cluster.take().is_empty(), "it is still longer than usual");
    cluster.fail("a");
    cluster.wait(5);
    assert_eq!(cluster.take(), ["recovered a RunningLong+ImagePull Failed", "Failed a"]);
}
