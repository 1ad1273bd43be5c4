//! Watches that end, expire or lose their server.

use crate::case::Case;
use crate::control_plane::collector::{Settings, events};
use crate::tap::Changes;

#[tokio::test]
#[ignore = "needs an API server"]
async fn a_watch_that_ends_in_time_resumes_without_a_list() {
    let case = Case::shared("timeout").await;
    // Longer than a watch that ends at once, which is a failure.
    let changes = Changes {
        watch_timeout: Some(6),
        ..Changes::default()
    };
    let (mut collector, tap) = case.tapped("collector", &Settings::default(), changes).await;
    collector.start_watching().await;
    let opened = tap.until(1, |exchange| exchange.watches("jobs")).await.len();
    let mut jobs = Vec::new();
    for round in 1..=2 {
        // The server ends each watch; Jobs fail before and after.
        jobs.push(case.failed_job(&format!("before-{round}")).await);
        tap.until(opened + round, |exchange| exchange.watches("jobs")).await;
        jobs.push(case.failed_job(&format!("after-{round}")).await);
    }
    case.until_reported(&jobs, &[&collector]).await;
    let watches = tap.matching(|exchange| exchange.watches("jobs") && !exchange.streams("jobs"));
    let versions: Vec<u64> = watches
        .iter()
        .map(|watch| watch.parameter("resourceVersion").unwrap().parse().unwrap())
        .collect();
    assert!(versions.is_sorted(), "{versions:?}");
    assert!(versions.first() < versions.last(), "{versions:?}");
    assert!(watches.iter().all(|watch| watch.status == 200), "{watches:#?}");
    let events = events(&case.intake);
    assert!(jobs.iter().all(|job| events[&job.uid].len() == 1), "{events:#?}");
    assert!(!collector.log().contains("relist"), "{}", collector.log());
    collector.stop().await;
    case.end().await;
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn reports_once_across_a_restart_of_the_api_server() {
    let Some((case, mut plane)) = Case::own("api-restart", &[]).await else {
        return;
    };
    let mut collector = case.collector("collector", &Settings::default());
    collector.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await, case.job("across").await];
    case.until_reported(&jobs[..1], &[&collector]).await;
    plane.kill_api_server();
    plane.start_api_server().await.unwrap();
    jobs[1].fail(&case.admin, "BackoffLimitExceeded").await;
    jobs.push(case.failed_job("after").await);
    case.until_reported(&jobs, &[&collector]).await;
    let events = events(&case.intake);
    assert_eq!(events.len(), jobs.len());
    assert!(events.values().all(|events| events.len() == 1), "{events:#?}");
    collector.stop().await;
    assert_eq!(
        crate::control_plane::collector::failures_in(&case.intake, &case.namespace),
        3
    );
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn relists_when_its_version_is_compacted() {
    let Some((case, mut plane)) = Case::own("compaction", &[]).await else {
        return;
    };
    let (mut collector, tap) = case.tapped("collector", &Settings::default(), Changes::default()).await;
    collector.start_watching().await;
    let known = case.job("known").await;
    let begin = collector.log().len();
    let answered = tap.exchanges().len();
    // While the watch is cut, its version falls out of both histories: that of etcd and that of the cache.
    tap.cut();
    let mut jobs = vec![known];
    jobs[0].fail(&case.admin, "BackoffLimitExceeded").await;
    for number in 0..20 {
        jobs.push(case.failed_job(&format!("missed-{number}")).await);
    }
    plane.compact().await;
    plane.kill_api_server();
    plane.start_api_server().await.unwrap();
    tap.reconnect();
    case.until_reported(&jobs, &[&collector]).await;
    collector.until_logged_after(begin, "410").await;
    let events = events(&case.intake);
    assert_eq!(events.len(), jobs.len());
    assert!(events.values().all(|events| events.len() == 1), "{events:#?}");
    let later = tap.exchanges().split_off(answered);
    let first = later.iter().find(|exchange| exchange.watches("jobs")).unwrap();
    // It asked for the changes since its last version.
    assert!(
        first.parameter("resourceVersion").is_some_and(|version| version != "0"),
        "{first:#?}"
    );
    assert!(!first.streams("jobs"), "{first:#?}");
    collector.stop().await;
    assert_eq!(
        crate::control_plane::collector::failures_in(&case.intake, &case.namespace),
        i64::try_from(jobs.len()).unwrap()
    );
}
