//! The collector restarts while Jobs finish.

use std::time::Duration;

use crate::case::Case;
use crate::control_plane::collector::{Collector, Settings, Storage, events, failures_in};
use crate::control_plane::jobs::PlayedJob;

/// Longer than the receiver takes to store an acknowledgement.
const CHECKPOINT: Duration = Duration::from_secs(3);

fn stored() -> Settings {
    Settings {
        storage: Storage::File,
        ..Settings::default()
    }
}

/// Each of the Jobs has one event and one count.
async fn reported_once(case: &Case, jobs: &[PlayedJob], collector: &mut Collector) {
    case.until_reported(jobs, &[collector]).await;
    // Everything that is pending is delivered before the process ends.
    collector.stop().await;
    let events = events(&case.intake);
    let wrong: Vec<_> = jobs.iter().filter(|job| events[&job.uid].len() != 1).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{events:#?}");
    assert_eq!(
        failures_in(&case.intake, &case.namespace),
        i64::try_from(jobs.len()).unwrap(),
        "{}",
        collector.log()
    );
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn jobs_that_fail_and_vanish_while_it_is_down() {
    let case = Case::shared("vanish").await;
    let mut collector = case.collector("collector", &stored());
    collector.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await, case.job("running").await];
    case.until_reported(&jobs[..1], &[&collector]).await;
    // The checkpoint of the acknowledged Job is written within a second, with the versions of the watches.
    tokio::time::sleep(CHECKPOINT).await;
    collector.kill().await;
    jobs[1].fail(&case.admin, "BackoffLimitExceeded").await;
    jobs[1].delete(&case.admin).await;
    for number in 0..10 {
        let job = case.failed_job(&format!("unseen-{number}")).await;
        job.delete(&case.admin).await;
        jobs.push(job);
    }
    collector.start_watching().await;
    jobs.push(case.failed_job("after").await);
    reported_once(&case, &jobs, &mut collector).await;
    case.end().await;
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn jobs_that_fail_while_it_is_down() {
    let case = Case::shared("down").await;
    let mut collector = case.collector("collector", &stored());
    collector.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await, case.job("running").await];
    case.until_reported(&jobs[..1], &[&collector]).await;
    collector.stop().await;
    jobs[1].fail(&case.admin, "BackoffLimitExceeded").await;
    jobs.push(case.failed_job("meanwhile").await);
    collector.start_watching().await;
    jobs.push(case.failed_job("after").await);
    reported_once(&case, &jobs, &mut collector).await;
    case.end().await;
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn a_compacted_checkpoint_leads_to_a_list() {
    let Some((case, mut plane)) = Case::own("compacted-checkpoint", &[]).await else {
        return;
    };
    let mut collector = case.collector("collector", &stored());
    collector.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await, case.job("running").await];
    case.until_reported(&jobs[..1], &[&collector]).await;
    collector.stop().await;
    jobs[1].fail(&case.admin, "BackoffLimitExceeded").await;
    jobs.push(case.failed_job("meanwhile").await);
    plane.compact().await;
    plane.kill_api_server();
    plane.start_api_server().await.unwrap();
    let begin = collector.log().len();
    collector.start_watching().await;
    let log = &collector.log()[begin..];
    assert!(log.contains("cannot resume at the stored version"), "{log}");
    jobs.push(case.failed_job("after").await);
    reported_once(&case, &jobs, &mut collector).await;
}
