//! The first lists.

use crate::case::Case;
use crate::control_plane::collector::{Settings, events};
use crate::control_plane::jobs::PlayedJob;
use crate::tap::Changes;

/// More than a page.
const JOBS: usize = 620;

async fn create(case: &Case, jobs: usize) -> Vec<PlayedJob> {
    let mut created = Vec::with_capacity(jobs);
    for number in 0..jobs {
        created.push(PlayedJob::create(&case.admin, &case.namespace, &format!("job-{number}")).await);
    }
    created
}

/// The collector knows every Job of the first list: each of some that fail afterwards is reported once.
async fn reports_listed_jobs(case: &Case, jobs: &[PlayedJob], collector: &crate::control_plane::collector::Collector) {
    let failed: Vec<PlayedJob> = jobs.iter().step_by(100).cloned().collect();
    for job in &failed {
        job.fail(&case.admin, "BackoffLimitExceeded").await;
    }
    case.until_reported(&failed, &[collector]).await;
    let events = events(&case.intake);
    assert_eq!(events.len(), failed.len());
    assert!(events.values().all(|events| events.len() == 1), "{events:#?}");
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn without_streaming_lists_it_reads_pages() {
    let Some((case, plane)) = Case::own("pages", &["--feature-gates=WatchList=false"]).await else {
        return;
    };
    let jobs = create(&case, JOBS).await;
    let (mut collector, tap) = case.tapped("collector", &Settings::default(), Changes::default()).await;
    collector.start_watching().await;
    let pages = tap.matching(|exchange| exchange.lists("jobs") && exchange.status == 200);
    let tokens: Vec<bool> = pages.iter().map(|page| page.parameter("continue").is_some()).collect();
    // The access review lists no object.
    let full = pages
        .iter()
        .filter(|page| page.parameter("limit") == Some("500"))
        .count();
    assert_eq!(full, 2, "{pages:#?}");
    assert_eq!(tokens.iter().filter(|has| **has).count(), 1, "{pages:#?}");
    assert!(
        collector.log().contains(&format!("jobs={JOBS}")),
        "expected {JOBS} Jobs in the log:\n{}",
        collector.log()
    );
    reports_listed_jobs(&case, &jobs, &collector).await;
    // The fallback is remembered: a new list of the same process begins with a page.
    let streams = tap.matching(|exchange| exchange.streams("jobs"));
    assert!(streams.len() <= 1, "{streams:#?}");
    collector.stop().await;
    drop(plane);
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn streams_the_first_list() {
    let Some((case, plane)) = Case::own("stream", &[]).await else {
        return;
    };
    let jobs = create(&case, JOBS).await;
    let (mut collector, tap) = case.tapped("collector", &Settings::default(), Changes::default()).await;
    collector.start_watching().await;
    for resource in ["jobs", "pods"] {
        let streams = tap.matching(|exchange| exchange.streams(resource) && exchange.status == 200);
        assert!(
            !streams.is_empty(),
            "no streaming list of {resource} among\n{:#?}",
            tap.exchanges()
        );
        assert_eq!(streams[0].parameter("resourceVersionMatch"), Some("NotOlderThan"));
        assert_eq!(streams[0].parameter("allowWatchBookmarks"), Some("true"));
    }
    let pages = tap.matching(|exchange| exchange.lists("jobs") && exchange.parameter("limit") == Some("500"));
    assert!(pages.is_empty(), "{pages:#?}");
    assert!(
        collector.log().contains(&format!("jobs={JOBS}")),
        "expected {JOBS} Jobs in the log:\n{}",
        collector.log()
    );
    reports_listed_jobs(&case, &jobs, &collector).await;
    collector.stop().await;
    drop(plane);
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn reports_a_job_that_fails_while_it_lists() {
    let case = Case::shared("while-listing").await;
    let jobs = create(&case, 200).await;
    let mut collector = case.collector("collector", &Settings::default());
    collector.start();
    for job in &jobs {
        job.fail(&case.admin, "BackoffLimitExceeded").await;
    }
    collector.until_logged("initial lists complete").await;
    // Those that failed before the first list count as reported, so only the last one is certain.
    let last = case.failed_job("last").await;
    case.until_reported(std::slice::from_ref(&last), &[&collector]).await;
    let events = events(&case.intake);
    assert!(events.values().all(|events| events.len() == 1), "{events:#?}");
    collector.stop().await;
    case.end().await;
}
