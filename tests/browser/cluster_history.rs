//! A day in a cluster: the Jobs that the pages show in tests and in the pictures of the documentation.

use jiff::{SignedDuration, Timestamp};
use simulator::{Ending, Ids, JobGenerator, Obstacle, Player, Scenario};

use crate::cluster::Cluster;

/// Shipped scenarios, and how many minutes ago each began.
const SCENARIOS: [(&str, i64); 11] = [
    ("deadline-exceeded", 4),
    ("image-pull", 9),
    ("retries-exhausted", 13),
    ("out-of-memory", 47),
    ("cron-failing", 2),
    ("ttl-zero", 190),
    ("unschedulable", 75),
    ("crash-loop", 320),
    ("missing-configmap", 26),
    ("evicted", 610),
    ("success-after-retry", 6),
];

/// Plays a shipped scenario that began that many minutes ago.
pub(crate) fn play(cluster: &Cluster, name: &str, minutes: i64) {
    cluster.scenario(name, SignedDuration::from_mins(minutes)).play_all();
}

/// Plays a shipped scenario with other texts, under UIDs of its own.
pub(crate) fn play_changed(cluster: &Cluster, name: &str, seed: u64, changes: &[(&str, &str)]) {
    let path = format!("{}/simulator/scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).expect("a scenario");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has {from}");
        text = text.replace(from, to);
    }
    let scenario = Scenario::parse(&text).expect("a scenario");
    let start = Timestamp::now() - SignedDuration::from_mins(1);
    let steps = scenario.timeline(start, &mut Ids::new(seed));
    Player::new(cluster.simulator.store().clone(), steps).play_all();
}

/// Plays the whole day; returns the number of Jobs that end in it.
pub(crate) fn play_day(cluster: &Cluster) -> usize {
    let hours = hourly(cluster);
    for (name, minutes) in SCENARIOS {
        play(cluster, name, minutes);
    }
    stalled_and_missed(cluster);
    SCENARIOS.len() + hours
}

/// A CronJob with a run in each hour; some fail.
fn hourly(cluster: &Cluster) -> usize {
    let now = Timestamp::now();
    let hour = |ago: i64| Timestamp::from_second((now.as_second() / 3600 - ago) * 3600).expect("a time");
    let mut jobs = JobGenerator::new("billing", 1, hour(24), Ids::new(77));
    let mut cronjob = jobs.cron_job_with("sync-ledger", "0 * * * *", "Forbid", hour(24));
    let mut steps = vec![cronjob.created()];
    for ago in (1..24).rev() {
        let ending = match ago {
            3 | 14 => Ending::RetriesExhausted,
            9 => Ending::DeadlineExceeded,
            6 | 17 => Ending::SucceededAfterRetry,
            _ => Ending::Succeeded,
        };
        let run = jobs.run_for(&cronjob, hour(ago), ending, hour(ago));
        steps.push(cronjob.scheduled(hour(ago), &run));
        steps.extend(run.steps);
    }
    Player::new(cluster.simulator.store().clone(), steps).play_all();
    23
}

/// A Job that waits for its ConfigMap, and a CronJob whose latest run did not start.
fn stalled_and_missed(cluster: &Cluster) {
    let start = Timestamp::now() - SignedDuration::from_mins(7);
    let mut jobs = JobGenerator::new("billing", 1, start, Ids::new(99));
    let job = jobs.job("archive-invoices", Ending::Succeeded, None, start);
    let stuck = jobs.stuck(job, Obstacle::MissingConfigMap, start);
    let mut steps = stuck.job.steps;
    let slot = |minutes: i64| {
        let minute = Timestamp::now().as_second() / 60 - minutes;
        Timestamp::from_second(minute * 60).expect("a time")
    };
    let mut cronjob = jobs.cron_job_with("rebuild-index", "*/5 * * * *", "Forbid", slot(60));
    let minute = slot(0).as_second() / 60 % 5 + 5;
    let run = jobs.run_for(&cronjob, slot(minute + 5), Ending::Succeeded, slot(minute + 5));
    let running = jobs.stuck(run, Obstacle::RunsLong, slot(minute + 5));
    steps.push(cronjob.created());
    steps.push(cronjob.scheduled(slot(minute + 5), &running.job));
    steps.extend(running.job.steps);
    steps.push(jobs.skipped(&mut cronjob, slot(minute)));
    Player::new(cluster.simulator.store().clone(), steps).play_all();
}
