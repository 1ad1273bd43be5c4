//! Shards: each collector reads the namespaces of its own range.

use crate::case::Case;
use crate::control_plane::collector::{Collector, Settings, events};
use crate::control_plane::jobs::{PlayedJob, create_namespace};
use crate::tap::{Changes, Tap};

/// Enough that each of two shards has some.
const NAMESPACES: usize = 8;

fn shard(number: usize) -> Settings {
    Settings {
        receiver: format!("sharding: {{shards: 2, shard: {number}, by: namespace}}"),
        ..Settings::default()
    }
}

/// Two shards over several namespaces; each Job is reported by one of them. Returns their proxies.
async fn divide(case: &Case) -> [Tap; 2] {
    let (first, first_tap) = case.tapped("shard-0", &shard(0), Changes::default()).await;
    let (second, second_tap) = case.tapped("shard-1", &shard(1), Changes::default()).await;
    let mut shards = [first, second];
    for shard in &mut shards {
        shard.start_watching().await;
    }
    let mut jobs = Vec::new();
    for number in 0..NAMESPACES {
        let namespace = format!("{}-{number}", case.namespace);
        create_namespace(&case.admin, &namespace).await;
        let job = PlayedJob::create(&case.admin, &namespace, "job").await;
        job.start(&case.admin).await;
        job.fail(&case.admin, "BackoffLimitExceeded").await;
        jobs.push(job);
    }
    let all: Vec<&Collector> = shards.iter().collect();
    case.until_reported(&jobs, &all).await;
    for shard in &mut shards {
        shard.stop().await;
    }
    let events = events(&case.intake);
    for job in &jobs {
        assert_eq!(events[&job.uid].len(), 1, "{events:#?}");
        let namespace = format!("/api/v1/namespaces/{}", job.namespace);
        case.admin.delete(&namespace).await.unwrap();
    }
    [first_tap, second_tap]
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn the_server_filters_shards() {
    let flags = ["--feature-gates=ShardedListAndWatch=true"];
    let Some((case, plane)) = Case::own("sharded-server", &flags).await else {
        return;
    };
    let taps = divide(&case).await;
    let selectors = taps.each_ref().map(|tap| {
        let watches = tap.matching(|exchange| exchange.watches("jobs") && exchange.status == 200);
        assert!(!watches.is_empty());
        let selector = |watch: &crate::tap::Exchange| watch.parameter("shardSelector").unwrap_or_default().to_owned();
        let selectors: Vec<String> = watches.iter().map(selector).collect();
        assert!(
            selectors.iter().all(|s| s.contains("shardRange") && s == &selectors[0]),
            "{selectors:?}"
        );
        selectors[0].clone()
    });
    assert_ne!(selectors[0], selectors[1]);
    drop(plane);
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn shards_filter_where_the_server_does_not() {
    let case = Case::shared("sharded-client").await;
    drop(divide(&case).await);
    case.end().await;
}
