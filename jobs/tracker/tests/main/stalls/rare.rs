//! Jobs that surely make progress are checked rarely until they change.

use job_tracker::{RunningLongSettings, StallSettings};
use serde_json::json;

use super::cluster::{Cluster, seconds};
use super::long::{begin, complete_runs, cronjob, of_cronjob};

/// How long a stall lasts before it is reported, seconds.
const AFTER: i64 = 60;
/// The most time until that report: two checks, at half of [`AFTER`], and a second each for their spread.
const REPORTED: i64 = AFTER + AFTER / 2 + 2;

/// A cluster with a Job `a` that has run long enough to be checked rarely.
fn running() -> Cluster {
    let mut cluster = Cluster::new(AFTER);
    cluster.run("a");
    cluster.wait(2000);
    assert!(cluster.take().is_empty());
    cluster
}

/// How often checks are due in an hour.
fn checks_in_an_hour(cluster: &mut Cluster) -> usize {
    checks_in(cluster, 3600)
}

/// How often checks are due in that many seconds.
fn checks_in(cluster: &mut Cluster, duration: i64) -> usize {
    let end = cluster.now + seconds(duration);
    let mut checks = 0;
    while let Some(check) = cluster.tracker.next_notice_deadline().filter(|check| *check <= end) {
        cluster.now = check;
        cluster.emit();
        checks += 1;
    }
    checks
}

#[test]
fn a_job_that_makes_progress_is_checked_every_quarter_hour() {
    let mut cluster = running();
    let checks = checks_in_an_hour(&mut cluster);
    assert!((3..=4).contains(&checks), "{checks} checks in an hour");
    assert!(cluster.take().is_empty());
}

#[test]
fn a_job_that_changes_often_has_one_rare_check() {
    let mut cluster = running();
    for _ in 0..20 {
        cluster.run("a");
        cluster.wait(120);
    }
    let checks = checks_in_an_hour(&mut cluster);
    assert!((3..=6).contains(&checks), "{checks} checks in an hour");
}

#[test]
fn a_job_that_may_be_stalled_is_checked_often() {
    let mut cluster = running();
    cluster.delete_pod("a");
    cluster.stick("a");
    let checks = checks_in_an_hour(&mut cluster);
    assert!(
        (3600 / 5 - 10..=3600 / 5).contains(&checks),
        "a reported stall every 5 s, not {checks} times"
    );
    assert_eq!(cluster.take(), ["stalled a ImagePull"]);
    // The judge looks at every container that has waited for a reason: the next Pod has none.
    cluster.delete_pod("a");
    cluster.run("a");
    cluster.wait(2000);
    assert_eq!(cluster.take(), ["recovered a ImagePull"]);
    let checks = checks_in_an_hour(&mut cluster);
    assert!((3..=4).contains(&checks), "{checks} checks in an hour");
}

#[test]
fn a_change_of_its_pod_is_checked_in_time() {
    let mut cluster = running();
    let now = cluster.now;
    cluster.edit("pods", "a", |pod| {
        pod["metadata"]["deletionTimestamp"] = json!(now);
        pod["metadata"]["deletionGracePeriodSeconds"] = 0.into();
    });
    cluster.wait(REPORTED);
    assert_eq!(cluster.take(), ["stalled a StuckTerminating"]);
}

#[test]
fn a_job_whose_pod_is_gone_is_checked_soon() {
    for see in [Cluster::delete_pod, Cluster::list_pods_without] {
        let mut cluster = running();
        see(&mut cluster, "a");
        let checks = checks_in(&mut cluster, AFTER);
        assert!((1..=2).contains(&checks), "{checks} checks in a minute");
    }
}

#[test]
fn a_change_of_the_job_is_checked_in_time() {
    let mut cluster = Cluster::new(AFTER);
    cluster.create_with("a", |job| {
        job["spec"]["suspend"] = true.into();
        job["status"] = json!({});
    });
    cluster.wait(2000);
    let checks = checks_in_an_hour(&mut cluster);
    assert!((3..=6).contains(&checks), "{checks} checks in an hour");
    let now = cluster.now;
    cluster.edit("jobs", "a", |job| {
        job["spec"]["suspend"] = false.into();
        job["status"] = json!({"startTime": now, "active": 0});
    });
    cluster.wait(REPORTED);
    assert_eq!(cluster.take(), ["stalled a NoPodsCreated"]);
}

#[test]
fn a_run_whose_owner_gets_its_tenth_run_meanwhile_is_reported_within_a_quarter_hour() {
    let mut cluster = Cluster::new(AFTER);
    cronjob(&mut cluster);
    complete_runs(&mut cluster, 9, of_cronjob);
    begin(&mut cluster, "a", of_cronjob);
    cluster.wait(2000);
    complete_runs(&mut cluster, 1, of_cronjob);
    cluster.wait(930);
    assert_eq!(cluster.take(), ["stalled a RunningLong"]);
}

#[test]
fn a_run_of_an_owner_with_known_runs_is_checked_before_it_is_long() {
    let mut cluster = Cluster::with(StallSettings {
        running_long: Some(RunningLongSettings {
            factor: 1.5,
            floor: seconds(60),
            ..RunningLongSettings::default()
        }),
        ..StallSettings::all_after(seconds(AFTER))
    });
    cronjob(&mut cluster);
    complete_runs(&mut cluster, 10, of_cronjob);
    begin(&mut cluster, "a", of_cronjob);
    // One and a half times five minutes.
    cluster.wait(450 + REPORTED);
    assert_eq!(cluster.take(), ["stalled a RunningLong"]);
}

#[test]
fn a_replica_that_leads_again_knows_the_stall_that_another_one_reported() {
    let mut cluster = Cluster::new(AFTER);
    cronjob(&mut cluster);
    complete_runs(&mut cluster, 9, of_cronjob);
    begin(&mut cluster, "a", of_cronjob);
    // The next rare check is in 13 minutes.
    cluster.wait(1600);
    complete_runs(&mut cluster, 1, of_cronjob);
    cluster.add_standby();
    cluster.take_over();
    cluster.wait(REPORTED);
    assert_eq!(cluster.take(), ["stalled a RunningLong"]);
    cluster.take_over();
    cluster.wait(AFTER);
    let stalled: Vec<i64> = cluster
        .tracker
        .states()
        .flat_map(|owner| owner.stalled.into_values())
        .collect();
    assert_eq!(stalled, [1]);
}
