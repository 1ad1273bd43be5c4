//! Shards: ConfigMaps of their own, and another number of shards.

use std::sync::Arc;

use bytes::Bytes;
use collector_runtime::component::Kind;
use collector_runtime::storage::{COPIED, Store, StoreError};
use simulator::Resource;

use super::{Cluster, id, set};

impl Cluster {
    /// The store of the receiver of shard `index` of `count`; with one shard, as without shards.
    async fn shard(&self, index: u16, count: u16) -> Arc<dyn Store> {
        let settings = format!("sharding: {{shards: {count}, shard: collector-{index}}}");
        let (extension, storage) = self.replica_with(None, &settings).await;
        let expected = (count > 1).then(|| format!("{index} of {count}"));
        assert_eq!(extension.offer().cluster_wide.unwrap().shard, expected);
        storage.open(Kind::Receiver, &id("k8s_job")).await.unwrap()
    }

    fn names(&self) -> Vec<String> {
        let maps = self.simulator.store().list(Resource::ConfigMaps);
        maps.iter()
            .map(|map| {
                map["metadata"]["name"]
                    .as_str()
                    .unwrap()
                    .replace("kube-job-collector-receiver-k8s-job", "x")
            })
            .collect()
    }
}

async fn value(store: &Arc<dyn Store>, key: &str) -> Option<Bytes> {
    store.get(key).await.unwrap()
}

#[tokio::test]
async fn each_shard_has_a_configmap_of_its_own() {
    let cluster = Cluster::start("shards-own").await;
    let (first, second) = (cluster.shard(0, 2).await, cluster.shard(1, 2).await);
    for (store, value) in [(&first, "0"), (&second, "1")] {
        store.claim().await.unwrap();
        store.apply(vec![set("k", value)]).await.unwrap();
    }
    assert_eq!(value(&first, "k").await.unwrap(), "0");
    assert_eq!(value(&second, "k").await.unwrap(), "1");
    assert_eq!(cluster.names(), ["x", "x-0-of-2", "x-1-of-2"]);
}

#[tokio::test]
async fn more_shards_continue_the_state_and_stop_the_old_ones() {
    let cluster = Cluster::start("shards-more").await;
    let whole = cluster.shard(0, 1).await;
    whole.claim().await.unwrap();
    whole.apply(vec![set("k", "whole")]).await.unwrap();
    // One becomes two.
    let halves = [cluster.shard(0, 2).await, cluster.shard(1, 2).await];
    for (index, half) in halves.iter().enumerate() {
        half.claim().await.unwrap();
        assert_eq!(value(half, "k").await.unwrap(), "whole");
        assert_eq!(
            value(half, COPIED).await.is_some(),
            index == 1,
            "one sends what was to be sent"
        );
    }
    assert!(matches!(
        whole.apply(vec![set("k", "late")]).await,
        Err(StoreError::Fenced(_))
    ));
    let Err(StoreError::Permanent(problem)) = whole.claim().await else {
        panic!("the old one claims again")
    };
    assert!(
        problem.contains("the state of 2 shards is stored, expected shards: 2"),
        "{problem}"
    );
    // Two become four; the second shard of two never wrote again, and the first one did.
    halves[0].apply(vec![set("k", "half")]).await.unwrap();
    for (index, expected) in [(3, "whole"), (0, "half"), (2, "whole"), (1, "half")] {
        let quarter = cluster.shard(index, 4).await;
        quarter.claim().await.unwrap();
        assert_eq!(value(&quarter, "k").await.unwrap(), expected, "shard {index} of 4");
        quarter.apply(vec![set("k", "quarter")]).await.unwrap();
        // Its own state counts from now on.
        let again = cluster.shard(index, 4).await;
        again.claim().await.unwrap();
        assert_eq!(value(&again, "k").await.unwrap(), "quarter");
    }
    for half in &halves {
        assert!(matches!(
            half.apply(vec![set("k", "late")]).await,
            Err(StoreError::Fenced(_))
        ));
    }
    let Err(StoreError::Permanent(problem)) = cluster.shard(1, 2).await.claim().await else {
        panic!("two shards again")
    };
    assert!(
        problem.contains("found shards: 2, but the state of 4 shards"),
        "{problem}"
    );
    assert_eq!(cluster.names().len(), 1 + 2 + 4);
}

#[tokio::test]
async fn a_shard_that_never_ran_leaves_the_state_before_it() {
    let cluster = Cluster::start("shards-never").await;
    let whole = cluster.shard(0, 1).await;
    whole.claim().await.unwrap();
    whole.apply(vec![set("k", "whole")]).await.unwrap();
    cluster.shard(0, 2).await.claim().await.unwrap();
    let quarter = cluster.shard(3, 4).await;
    quarter.claim().await.unwrap();
    assert_eq!(value(&quarter, "k").await.unwrap(), "whole");
    assert!(value(&quarter, COPIED).await.is_some());
}

#[tokio::test]
async fn a_claim_that_begins_before_another_number_of_shards_fails() {
    let cluster = Cluster::start("shards-race").await;
    // The old process restarts while the new one starts: whichever order they write in, the old one does not write last.
    let old = cluster.shard(1, 2).await;
    old.claim().await.unwrap();
    let (restarted, new) = (cluster.shard(1, 2).await, cluster.shard(2, 4).await);
    let (restarted_claim, new_claim) = tokio::join!(restarted.claim(), new.claim());
    new_claim.unwrap();
    let is_fenced = match restarted_claim {
        Err(StoreError::Permanent(_)) => true,
        Ok(()) => matches!(
            restarted.apply(vec![set("k", "late")]).await,
            Err(StoreError::Fenced(_))
        ),
        Err(_) => false,
    };
    assert!(is_fenced);
}
