//! The receiver against the simulated API server, over real sockets.

use std::path::PathBuf;

use collector_config::{ComponentId, Settings};
use collector_data::{Batch, Payload};
use collector_runtime::component::{ComponentError, Create, Receiver, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::storage::{ClusterWide, Leadership, Offer, Provided};
use collector_runtime::{Outlet, Outputs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, metric::Data};
use serde_json::json;
use simulator::{Resource, Simulator, SimulatorOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn id(type_name: &str) -> ComponentId {
    ComponentId {
        type_name: type_name.into(),
        name: None,
    }
}

fn create(yaml: &str, provided: &Provided) -> Result<Box<dyn Receiver>, String> {
    let made = (kube_state_metrics_receiver::factory().create)(&Create {
        id: &id("kube_state_metrics"),
        settings: &Settings::from_yaml(yaml).unwrap(),
        meter: &opentelemetry::global::meter("test"),
        health: &Health::new(),
        provided,
    });
    made.map_err(|errors| errors.to_string())
}

/// A receiver that runs against a simulated cluster.
struct Scene {
    simulator: Simulator,
    kubeconfig: PathBuf,
    metrics: mpsc::Receiver<Batch>,
    health: Health,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ComponentError>>,
}

impl Scene {
    async fn start(name: &str, settings: &str, provided: &Provided) -> Scene {
        let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let file = format!("{name}-{}", std::process::id());
        let kubeconfig = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
        simulator.write_kubeconfig(&kubeconfig).unwrap();
        put(&simulator, "first");
        let yaml = format!("kubeconfig: {}\n{settings}", kubeconfig.display());
        let mut receiver = create(&yaml, provided).unwrap();
        receiver.start().await.unwrap();
        let (sender, metrics) = mpsc::channel(8);
        let outputs = Outputs {
            metrics: Outlet::new(vec![(id("test"), sender)]),
            ..Outputs::default()
        };
        let (health, shutdown) = (Health::new(), CancellationToken::new());
        let running = Running {
            shutdown: shutdown.clone(),
            health: health.reporter(id("kube_state_metrics")),
            succession: Default::default(),
        };
        Scene {
            simulator,
            kubeconfig,
            metrics,
            health,
            shutdown,
            task: tokio::spawn(receiver.run(outputs, running)),
        }
    }

    async fn until_ok(&self) {
        let mut health = self.health.watch();
        let id = id("kube_state_metrics").to_string();
        health.wait_for(|statuses| statuses[&id] == Status::Ok).await.unwrap();
    }

    async fn next(&mut self) -> Vec<ResourceMetrics> {
        let Payload::Metrics(metrics) = &*self.metrics.recv().await.unwrap().payload else {
            panic!("not metrics")
        };
        metrics.clone()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

fn put(simulator: &Simulator, name: &str) {
    let job = json!({"metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")}});
    simulator.store().put(Resource::Jobs, job).unwrap();
}

fn metrics(resource: &ResourceMetrics) -> Vec<&Metric> {
    resource.scope_metrics.iter().flat_map(|scope| &scope.metrics).collect()
}

/// The value of the attribute `k8s.job.name` of each resource.
fn jobs(resources: &[ResourceMetrics]) -> Vec<String> {
    let attributes = resources
        .iter()
        .filter_map(|r| r.resource.as_ref())
        .flat_map(|r| &r.attributes);
    let names = attributes.filter(|pair| pair.key == "k8s.job.name");
    names.map(|pair| format!("{:?}", pair.value)).collect()
}

#[tokio::test]
async fn sends_new_and_deleted_jobs() {
    let mut scene = Scene::start("new-and-deleted", "cluster_name: prod", &Provided::new()).await;
    let first = scene.next().await;
    assert!(jobs(&first)[0].contains("first"), "{first:?}");
    assert!(metrics(&first[0]).iter().any(|metric| metric.name == "kube_job_info"));
    put(&scene.simulator, "second");
    let second = scene.next().await;
    assert!(
        jobs(&second).len() == 1 && jobs(&second)[0].contains("second"),
        "{second:?}"
    );
    scene.simulator.store().delete(Resource::Jobs, "shop", "first").unwrap();
    let deleted = scene.next().await;
    assert!(jobs(&deleted)[0].contains("first"), "{deleted:?}");
    let [metric] = &*metrics(&deleted[0]) else {
        panic!("{deleted:?}")
    };
    let Some(Data::Gauge(gauge)) = &metric.data else {
        panic!("{metric:?}")
    };
    assert_eq!((gauge.data_points[0].flags, &gauge.data_points[0].value), (1, &None));
    scene.stop().await;
}

#[tokio::test]
async fn only_the_leader_sends() {
    let (leads, leadership) = watch::channel(false);
    let mut provided = Provided::new();
    let offer = Offer {
        leadership: Some(Leadership(leadership)),
        ..Offer::default()
    };
    provided.add(id("k8s_leader_elector"), offer);
    let mut scene = Scene::start("leader", "k8s_leader_elector: k8s_leader_elector", &provided).await;
    scene.until_ok().await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(scene.metrics.try_recv().is_err(), "a standby sends nothing");
    leads.send(true).unwrap();
    assert_eq!(jobs(&scene.next().await).len(), 1);
    scene.stop().await;
}

#[test]
fn each_shard_needs_a_lease_of_its_own() {
    let mut provided = Provided::new();
    let offer = Offer {
        leadership: Some(Leadership(watch::channel(false).1)),
        cluster_wide: Some(ClusterWide::default()),
        ..Offer::default()
    };
    provided.add(id("k8s_leader_elector"), offer);
    let elector = "k8s_leader_elector: k8s_leader_elector";
    assert!(create(elector, &provided).is_ok());
    let sharded = create(&format!("{elector}\nsharding: {{shards: 2, shard: 1}}"), &provided);
    let error = sharded.err().unwrap();
    assert!(error.contains("of shard 1 of 2, found that of no shard"), "{error}");
}

#[test]
fn errors_in_settings_are_named() {
    for (yaml, parts) in [
        ("namespace: a", &["namespace", "namespaces"][..]),
        ("collection_interval: 100ms", &["collection_interval", "at least 1s"]),
        ("label_selector: team in (a", &["label_selector", "parentheses"]),
        ("k8s_leader_elector: other", &["k8s_leader_elector", "other"]),
        ("sharding: {shards: 2}", &["sharding::shard", "0 to 1"]),
    ] {
        let text = create(yaml, &Provided::new()).err().unwrap_or_default();
        for part in parts {
            assert!(text.contains(part), "{yaml}: {part:?} is missing in: {text}");
        }
    }
    assert!(create("{}", &Provided::new()).is_ok());
}
