//! The extension against the simulated API server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;
mod shards;

use std::sync::Arc;

use bytes::Bytes;
use collector_config::ComponentId;
use collector_config::Settings;
use collector_runtime::component::{Create, Extension, Kind};
use collector_runtime::health::Health;
use collector_runtime::storage::{Change, Leadership, Offer, Provided, Storage, Store, StoreError};
use simulator::{Fault, Matching, Resource, Simulator, SimulatorOptions, Verb};
use tokio::sync::watch;

fn id(type_name: &str) -> ComponentId {
    ComponentId {
        type_name: type_name.into(),
        name: None,
    }
}

struct Cluster {
    simulator: Simulator,
    kubeconfig: std::path::PathBuf,
}

impl Cluster {
    async fn start(name: &str) -> Cluster {
        let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let kubeconfig =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        simulator.write_kubeconfig(&kubeconfig).unwrap();
        Cluster { simulator, kubeconfig }
    }

    /// A replica's storage; with `leads`, a leader elector decides who claims.
    async fn replica(&self, leads: Option<watch::Receiver<bool>>) -> (Box<dyn Extension>, Arc<dyn Storage>) {
        self.replica_with(leads, "").await
    }

    /// The same with further settings.
    async fn replica_with(
        &self,
        leads: Option<watch::Receiver<bool>>,
        more: &str,
    ) -> (Box<dyn Extension>, Arc<dyn Storage>) {
        let mut provided = Provided::new();
        let mut yaml = format!(
            "kubeconfig: {}\nnamespace: default\n{more}\n",
            self.kubeconfig.display()
        );
        if let Some(leads) = leads {
            let offer = Offer {
                leadership: Some(Leadership(leads)),
                ..Offer::default()
            };
            provided.add(id("k8s_leader_elector"), offer);
            yaml.push_str("k8s_leader_elector: k8s_leader_elector\n");
        }
        let mut extension = (k8s_storage_extension::factory().create)(&Create {
            id: &id("k8s_storage"),
            settings: &Settings::from_yaml(&yaml).unwrap(),
            meter: &opentelemetry::global::meter("test"),
            health: &Health::new(),
            provided: &provided,
        })
        .map_err(|errors| errors.to_string())
        .unwrap();
        let storage = extension.offer().storage.unwrap();
        extension.start().await.unwrap();
        (extension, storage)
    }

    async fn store(&self) -> Arc<dyn Store> {
        let (_extension, storage) = self.replica(None).await;
        storage.open(Kind::Receiver, &id("k8s_job")).await.unwrap()
    }

    fn answer_next(&self, verb: Verb, code: u16, count: usize) {
        let answer = Fault::Status {
            code,
            retry_after: None,
        };
        self.simulator
            .answer_next(count, Matching::new(verb, Resource::ConfigMaps), answer);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

fn set(key: &str, value: &'static str) -> Change {
    Change::Set(key.into(), Bytes::from_static(value.as_bytes()))
}

#[tokio::test]
async fn keeps_values_across_a_restart() {
    let cluster = Cluster::start("restart").await;
    let store = cluster.store().await;
    assert_eq!(store.get("a").await.unwrap(), None, "without a ConfigMap");
    assert!(matches!(
        store.apply(vec![set("a", "1")]).await,
        Err(StoreError::Fenced(_))
    ));
    store.claim().await.unwrap();
    store.apply(vec![set("window/1", "1"), set("b", "2")]).await.unwrap();
    store
        .apply(vec![Change::Delete("b".into()), Change::Delete("c".into())])
        .await
        .unwrap();
    drop(store);
    let store = cluster.store().await;
    assert_eq!(store.keys("").await.unwrap(), ["window/1"]);
    assert_eq!(store.get("window/1").await.unwrap().unwrap(), "1");
    let object = cluster
        .simulator
        .store()
        .get(Resource::ConfigMaps, "default", "kube-job-collector-receiver-k8s-job");
    assert!(object.is_some());
}

#[tokio::test]
async fn the_last_claim_writes_and_fences_the_others() {
    let cluster = Cluster::start("claims").await;
    let (first, second) = (cluster.store().await, cluster.store().await);
    first.claim().await.unwrap();
    first.apply(vec![set("a", "1")]).await.unwrap();
    second.claim().await.unwrap();
    assert_eq!(second.get("a").await.unwrap().unwrap(), "1");
    let fenced = first.apply(vec![set("a", "2")]).await.unwrap_err();
    assert!(matches!(&fenced, StoreError::Fenced(why) if why.contains("default/kube-job-collector-receiver-k8s-job")));
    assert_eq!(
        first.get("a").await.unwrap().unwrap(),
        "1",
        "it reads the values of the other store"
    );
    second.apply(vec![set("a", "3")]).await.unwrap();
    assert_eq!(first.get("a").await.unwrap().unwrap(), "3");
    first.claim().await.unwrap();
    first.apply(vec![set("a", "4")]).await.unwrap();
    assert!(matches!(second.apply(vec![]).await, Err(StoreError::Fenced(_))));
}

#[tokio::test]
async fn only_the_leader_claims() {
    let cluster = Cluster::start("leader").await;
    let (leads, receiver) = watch::channel(false);
    let (_extension, storage) = cluster.replica(Some(receiver)).await;
    assert_eq!(storage.leader_elector(), Some(&id("k8s_leader_elector")));
    let store = storage.open(Kind::Receiver, &id("k8s_job")).await.unwrap();
    let mut claiming = Box::pin(store.claim());
    assert!(futures_util::poll!(&mut claiming).is_pending());
    assert_eq!(store.get("a").await.unwrap(), None, "a standby can read");
    leads.send_replace(true);
    claiming.await.unwrap();
    store.apply(vec![set("a", "1")]).await.unwrap();
}

#[tokio::test]
async fn a_former_leader_reads_what_the_next_one_stores() {
    let cluster = Cluster::start("former").await;
    let mut stores = Vec::new();
    for _ in 0..2 {
        let (leads, receiver) = watch::channel(false);
        let (_extension, storage) = cluster.replica(Some(receiver)).await;
        stores.push((leads, storage.open(Kind::Receiver, &id("k8s_job")).await.unwrap()));
    }
    let [(first_leads, first), (second_leads, second)] = &stores[..] else {
        panic!()
    };
    first_leads.send_replace(true);
    first.claim().await.unwrap();
    first.apply(vec![set("a", "1")]).await.unwrap();
    first_leads.send_replace(false);
    second_leads.send_replace(true);
    second.claim().await.unwrap();
    second.apply(vec![set("a", "2")]).await.unwrap();
    assert_eq!(first.get("a").await.unwrap().unwrap(), "2", "before it writes again");
}

#[tokio::test]
async fn retries_temporary_errors_and_explains_others() {
    let cluster = Cluster::start("refusals").await;
    let store = cluster.store().await;
    cluster.answer_next(Verb::Create, 503, 1);
    store.claim().await.unwrap();
    cluster.answer_next(Verb::Update, 500, 2);
    store.apply(vec![set("a", "1")]).await.unwrap();
    cluster.answer_next(Verb::Update, 429, 4);
    assert!(matches!(
        store.apply(vec![set("a", "2")]).await,
        Err(StoreError::Unavailable(_))
    ));
    store.apply(vec![set("a", "2")]).await.unwrap();
    cluster.simulator.forbid(Verb::Update, Resource::ConfigMaps);
    let Err(StoreError::Unavailable(why)) = store.apply(vec![set("a", "3")]).await else {
        panic!("the update is forbidden")
    };
    assert!(why.contains("needs get, create and update on configmaps"), "{why}");
    assert_eq!(store.get("a").await.unwrap().unwrap(), "2");
}

#[tokio::test]
async fn a_lost_answer_or_a_manual_edit_is_no_other_claim() {
    let cluster = Cluster::start("lost").await;
    let store = cluster.store().await;
    store.claim().await.unwrap();
    store.apply(vec![set("a", "1")]).await.unwrap();
    // The request arrives, its answer does not.
    cluster
        .simulator
        .answer_next(1, Matching::new(Verb::Update, Resource::ConfigMaps), Fault::LostAnswer);
    store.apply(vec![set("a", "2")]).await.unwrap();
    store.apply(vec![set("b", "3")]).await.unwrap();
    // Somebody labels the ConfigMap.
    let objects = cluster.simulator.store();
    let name = "kube-job-collector-receiver-k8s-job";
    let mut object = objects.get(Resource::ConfigMaps, "default", name).unwrap();
    object["metadata"]["labels"]["looked-at"] = "yes".into();
    objects.put(Resource::ConfigMaps, object).unwrap();
    store.apply(vec![set("c", "4")]).await.unwrap();
    let fresh = cluster.store().await;
    assert_eq!(fresh.keys("").await.unwrap(), ["a", "b", "c"]);
    // A deletion by hand loses nothing.
    objects.delete(Resource::ConfigMaps, "default", name).unwrap();
    store.apply(vec![set("d", "5")]).await.unwrap();
    assert_eq!(cluster.store().await.keys("").await.unwrap(), ["a", "b", "c", "d"]);
    // Once another store has claimed it, this one is fenced.
    objects.delete(Resource::ConfigMaps, "default", name).unwrap();
    fresh.claim().await.unwrap();
    assert!(matches!(
        store.apply(vec![set("e", "6")]).await,
        Err(StoreError::Fenced(_))
    ));
}

#[tokio::test]
async fn keeps_a_transaction_whose_answer_was_lost() {
    let cluster = Cluster::start("undone").await;
    let store = cluster.store().await;
    store.claim().await.unwrap();
    let updates = Matching::new(Verb::Update, Resource::ConfigMaps);
    // The API server carries it out, and no attempt of the store gets an answer.
    cluster.simulator.answer_next(1, updates, Fault::LostAnswer);
    cluster.simulator.answer_next(3, updates, Fault::Reset);
    assert!(matches!(
        store.apply(vec![set("a", "1")]).await,
        Err(StoreError::Unavailable(_))
    ));
    store.apply(vec![set("b", "2")]).await.unwrap();
    assert_eq!(cluster.store().await.keys("").await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn refuses_a_transaction_that_is_too_large() {
    let cluster = Cluster::start("large").await;
    let (_extension, storage) = cluster.replica(None).await;
    let store = storage.open(Kind::Connector, &id("job_metrics")).await.unwrap();
    store.claim().await.unwrap();
    let capacity = storage.capacity().unwrap();
    let filled = Change::Set("a".into(), vec![7; capacity].into());
    store.apply(vec![filled]).await.unwrap();
    let more = Change::Set("b".into(), vec![7; 64 * 1024].into());
    assert!(matches!(store.apply(vec![more]).await, Err(StoreError::Permanent(why)) if why.contains("file_storage")));
    assert_eq!(store.keys("").await.unwrap(), ["a"]);
    store.apply(vec![Change::Delete("a".into())]).await.unwrap();
}
