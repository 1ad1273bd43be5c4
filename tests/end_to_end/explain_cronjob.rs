//! `explain cronjob/NAME`: the schedule, the runs, and the runs that did not start.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{ChangeType, Player, Resource, TimelineStep};

use crate::cluster::Cluster;
use crate::explain::assert_contains;
use crate::explain_stalled::{add, records};

/// Adds a CronJob without runs that was created long ago.
fn add_cronjob(cluster: &Cluster, name: &str, spec: Value) {
    let created = Timestamp::now() - SignedDuration::from_hours(2);
    let object = json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec, "status": {},
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "generation": 1,
            "creationTimestamp": Timestamp::from_second(created.as_second()).unwrap().to_string()}});
    let step = TimelineStep {
        at: Duration::ZERO,
        resource: Resource::CronJobs,
        change: ChangeType::Added,
        object,
    };
    Player::new(cluster.simulator.store().clone(), vec![step]).play_all();
}

#[tokio::test]
async fn a_cronjob_shows_its_schedule_its_runs_and_missed_slots() {
    let cluster = Cluster::start("cronjob-missed").await;
    // The last run began about 5 minutes ago; since then the controller is down.
    add(&cluster, "cron-controller-down", SignedDuration::from_mins(11));
    let ran = cluster.run("explain cronjob/c -n cron-controller-down").await;
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    assert_contains(
        &ran.out,
        &[
            "CronJob cron-controller-down/c\n  schedule: * * * * * (UTC): every minute\n  policy:   Allow\n  last run: ",
            "\n  next run: ",
            "\n    scheduled for         run         outcome    cause\n",
            "  Succeeded  -\n",
            "\n  missed:   ControllerLate: ",
            " runs due from ",
            "\n\ncron-controller-down/c-29931140  Succeeded",
            "\nServer Version: v",
        ],
    );
    let ran = cluster.run("explain cronjob/c -n cron-controller-down -o json").await;
    assert_eq!(ran.code, Some(3));
    let all = records(&ran);
    // The runs as before, and the CronJob in the last line.
    let (cronjob, runs) = all.split_last().expect("records");
    assert!(runs.iter().all(|run| run["cronjob"] == "c"), "{runs:#?}");
    assert_eq!(
        (&cronjob["kind"], &cronjob["schedule"], &cronjob["reading"]),
        (&json!("CronJob"), &json!("* * * * *"), &json!("every minute"))
    );
    assert_eq!(cronjob["missed"][0]["reason"], "ControllerLate");
    assert!(cronjob["missed"][0]["count"].as_u64() >= Some(3), "{cronjob:#}");
    let listed = cronjob["runs"].as_array().expect("runs");
    assert!(
        listed.len() > runs.len() && listed.len() <= 10,
        "also runs that only Events name: {listed:#?}"
    );
    assert!(listed.iter().all(|run| run["outcome"] == "Succeeded"), "{listed:#?}");
}

#[tokio::test]
async fn a_run_that_lasts_forbids_the_next_ones() {
    let cluster = Cluster::start("cronjob-forbid").await;
    add(&cluster, "cron-skip-forbid", SignedDuration::from_mins(9));
    let ran = cluster.run("explain cj/c -n cron-skip-forbid").await;
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    assert_contains(
        &ran.out,
        &[
            "  policy:   Forbid\n",
            "  missed:   ConcurrencyForbidden: ",
            "  Running ",
        ],
    );
}

#[tokio::test]
async fn a_cronjob_without_runs_shows_its_schedule() {
    let cluster = Cluster::start("cronjob-no-runs").await;
    let schedule = |more: Value| {
        let mut spec = json!({"schedule": "0 3 * * 1-5", "timeZone": "Europe/Berlin", "suspend": true});
        for (key, value) in more.as_object().expect("an object") {
            spec[key] = value.clone();
        }
        spec
    };
    add_cronjob(&cluster, "held", schedule(json!({"startingDeadlineSeconds": 200})));
    let ran = cluster.run("explain cronjob/held -n shop").await;
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    assert_contains(
        &ran.out,
        &[
            "CronJob shop/held\n  schedule: 0 3 * * 1-5 (Europe/Berlin): Monday to Friday at 03:00\n",
            "  policy:   Allow, startingDeadlineSeconds: 200\n  last run: none yet\n",
            "  next run: none: it is suspended (spec.suspend)\n",
        ],
    );
    assert_contains(&ran.err, &["no run of CronJob \"held\""]);

    add_cronjob(
        &cluster,
        "invalid",
        schedule(json!({"suspend": false, "timeZone": "Mars/Olympus"})),
    );
    let ran = cluster.run("explain cronjob/invalid -n shop").await;
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    assert_contains(
        &ran.out,
        &[
            "\n  invalid:  ",
            "  next run: none: the schedule is invalid\n",
            "  missed:   InvalidSchedule: No run starts",
        ],
    );
    // Every line but the table fits into a terminal.
    let mut command = cluster.command(crate::cluster::BINARY, "explain cronjob/invalid -n shop");
    let output = command.env("COLUMNS", "80").output().await.expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
