//! Replicas elect a leader through the simulated API server, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod contract;

use std::time::Duration;

use collector_config::ComponentId;
use collector_config::Settings;
use collector_runtime::component::{ComponentError, Create, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::storage::{Leadership, Provided};
use collector_testing::{Log, OwnMetrics};
use opentelemetry::metrics::Meter;
use simulator::{Fault, Matching, Resource, Simulator, SimulatorOptions, Verb};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than any correct run.
const PATIENCE: Duration = Duration::from_secs(60);

struct Replica {
    leadership: Leadership,
    health: Health,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ComponentError>>,
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

    /// A replica with short times: a lease of 2 s.
    async fn replica(&self) -> Replica {
        self.replica_with(&opentelemetry::global::meter("test")).await
    }

    async fn replica_with(&self, meter: &Meter) -> Replica {
        let yaml = format!(
            "{{kubeconfig: {}, lease_namespace: default, lease_duration: 2s, renew_deadline: 1s, retry_period: 200ms}}",
            self.kubeconfig.display()
        );
        let id = ComponentId {
            type_name: "k8s_leader_elector".into(),
            name: None,
        };
        let health = Health::new();
        let mut extension = (k8s_leader_elector_extension::factory().create)(&Create {
            id: &id,
            settings: &Settings::from_yaml(&yaml).unwrap(),
            meter,
            health: &health,
            provided: &Provided::new(),
        })
        .map_err(|errors| errors.to_string())
        .unwrap();
        let leadership = extension.offer().leadership.unwrap();
        extension.start().await.unwrap();
        let shutdown = CancellationToken::new();
        let running = Running {
            shutdown: shutdown.clone(),
            health: health.reporter("elector"),
            succession: Default::default(),
        };
        Replica {
            leadership,
            task: tokio::spawn(extension.run(running)),
            health,
            shutdown,
        }
    }

    fn lease(&self) -> serde_json::Value {
        self.simulator
            .store()
            .get(Resource::Leases, "default", "kube-job-collector")
            .unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

impl Replica {
    async fn until(&mut self, leads: bool) {
        tokio::time::timeout(PATIENCE, self.leadership.until(leads))
            .await
            .expect("the lead changes");
    }

    /// Waits until the health endpoint would show this.
    async fn until_shown(&self, details: &[(&str, &str)]) {
        let mut health = self.health.watch();
        let shown = health.wait_for(|statuses| {
            let mut shown = details
                .iter()
                .map(|wanted| statuses.details("elector").any(|detail| detail == *wanted));
            shown.all(|shown| shown)
        });
        tokio::time::timeout(PATIENCE, shown)
            .await
            .expect("it is shown")
            .unwrap();
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_standby_leads_after_the_leader_stops() {
    let cluster = Cluster::start("follows").await;
    let mut first = cluster.replica().await;
    first.until(true).await;
    let mut second = cluster.replica().await;
    let mut health = second.health.watch();
    let looked = health.wait_for(|statuses| statuses["elector"] == Status::Ok);
    tokio::time::timeout(PATIENCE, looked).await.unwrap().unwrap();
    assert!(first.leadership.is_leader() && !second.leadership.is_leader());
    let lease = cluster.lease();
    assert_eq!(
        (
            &lease["spec"]["leaseTransitions"],
            &lease["spec"]["leaseDurationSeconds"]
        ),
        (&0.into(), &2.into())
    );

    first.stop().await;
    assert_eq!(cluster.lease()["spec"]["holderIdentity"], "", "released");
    second.until(true).await;
    assert_eq!(cluster.lease()["spec"]["leaseTransitions"], 1);
    second.stop().await;
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_leading() {
    let cluster = Cluster::start("renew").await;
    let mut first = cluster.replica().await;
    first.until(true).await;
    let holder = cluster.lease()["spec"]["holderIdentity"].clone();
    // Updates are forbidden, then permitted again.
    cluster.simulator.forbid(Verb::Update, Resource::Leases);
    first.until(false).await;
    assert_eq!(
        cluster.lease()["spec"]["holderIdentity"],
        holder,
        "the Lease still names it"
    );
    let status = first.health.watch().borrow()["elector"].clone();
    assert!(
        matches!(&status, Status::RecoverableError(why) if why.contains("needs get, create and update on leases")),
        "{status:?}"
    );
    cluster.simulator.permit(Verb::Update, Resource::Leases);
    first.until(true).await;
    first.stop().await;
}

#[tokio::test]
async fn a_lost_answer_or_an_error_does_not_end_the_lead() {
    let cluster = Cluster::start("lost").await;
    let update = Matching::new(Verb::Update, Resource::Leases);
    let mut first = cluster.replica().await;
    first.until(true).await;
    for answer in [
        Fault::LostAnswer,
        Fault::Status {
            code: 500,
            retry_after: None,
        },
    ] {
        let asked = cluster.simulator.requests().len();
        cluster.simulator.answer_next(1, update, answer);
        // Three more attempts; each reads and writes.
        let more = async {
            while cluster.simulator.requests().len() < asked + 6 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, more).await.unwrap();
        assert!(first.leadership.is_leader(), "{answer:?}");
    }
    first.stop().await;
}

#[tokio::test]
async fn readyz_and_metric_show_the_leader() {
    let cluster = Cluster::start("shown").await;
    let metrics = OwnMetrics::new();
    let mut first = cluster.replica_with(&metrics.meter()).await;
    first.until(true).await;
    let leader = cluster.lease()["spec"]["holderIdentity"].as_str().unwrap().to_owned();
    let lease = ("lease", "default/kube-job-collector");
    first
        .until_shown(&[("role", "leader"), ("leader", &leader), lease])
        .await;
    let point = |value| format!("otelcol_k8s_leader_elector_is_leader[extension=k8s_leader_elector] {value}");
    assert_eq!(metrics.points(), [point(1)]);

    let others = OwnMetrics::new();
    let second = cluster.replica_with(&others.meter()).await;
    second
        .until_shown(&[("role", "standby"), ("leader", &leader), lease])
        .await;
    assert_eq!(others.points(), [point(0)]);
    first.stop().await;
    assert_eq!(metrics.points(), [point(0)]);
    second.until_shown(&[("role", "leader")]).await;
    second.stop().await;
}

#[tokio::test]
async fn warns_when_lease_access_is_denied() {
    let cluster = Cluster::start("forbidden").await;
    let (log, _guard) = Log::capture();
    cluster.simulator.forbid(Verb::Get, Resource::Leases);
    let mut replica = cluster.replica().await;
    let mut health = replica.health.watch();
    let failing = health.wait_for(|statuses| matches!(&statuses["elector"], Status::RecoverableError(_)));
    let statuses = tokio::time::timeout(PATIENCE, failing).await.unwrap().unwrap();
    let reason = statuses["elector"].reason().unwrap().to_owned();
    drop(statuses);
    for words in [
        "cannot acquire Lease default/kube-job-collector: ",
        "needs get, create and update on leases.coordination.k8s.io in namespace default",
    ] {
        assert!(reason.contains(words), "{reason}");
    }
    // More attempts log no more lines.
    let asked = cluster.simulator.requests().len();
    let more = async {
        while cluster.simulator.requests().len() < asked + 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, more).await.unwrap();
    let lines = log.lines("WARN");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("cannot acquire or renew the Lease") && lines[0].contains(&reason),
        "{lines:?}"
    );
    cluster.simulator.permit(Verb::Get, Resource::Leases);
    replica.until(true).await;
    let again = log.lines("INFO");
    let again = again
        .iter()
        .filter(|line| line.contains("access to the Lease recovered"));
    assert_eq!(again.count(), 1);
    replica.stop().await;
}
