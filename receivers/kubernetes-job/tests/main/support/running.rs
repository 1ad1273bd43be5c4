//! The whole receiver, running, with its outputs given to the test.

use std::sync::Arc;
use std::time::Duration;

use collector_config::ComponentId;
use collector_data::{Batch, Payload};
use collector_runtime::component::{ComponentError, Running};
use collector_runtime::health::{Health, Status};
use collector_runtime::{Outlet, Outputs, Receiver};
use jiff::Timestamp;
use job_event::{Evidence, otlp};
use kube::Client;
use kubernetes_job_receiver::config::JobReceiverConfig;
use kubernetes_job_receiver::receiver::JobReceiver;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::metrics::telemetry;
use collector_testing::OwnMetrics;

/// A running receiver.
pub(crate) struct Run {
    /// The events it emits.
    pub logs: mpsc::Receiver<Batch>,
    /// The gauges it emits.
    pub gauges: mpsc::Receiver<Batch>,
    /// Its own metrics.
    pub metrics: OwnMetrics,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<Result<(), ComponentError>>,
    health: Health,
    id: ComponentId,
}

/// When the clocks of all receivers begin: when the test creates the first one.
pub(crate) const START: &str = "2026-11-23T17:00:00Z";

thread_local! {
    /// When the test began: each runs on its own thread.
    static BEGAN: std::cell::OnceCell<tokio::time::Instant> = const { std::cell::OnceCell::new() };
}

/// A receiver with these settings (JSON) that uses `client` and the clock of the runtime.
pub(crate) fn receiver(client: Client, settings: &str, metrics: &OwnMetrics) -> JobReceiver {
    let config: JobReceiverConfig = serde_json::from_str(settings).unwrap();
    assert_eq!(config.problems(), []);
    let began = BEGAN.with(|began| *began.get_or_init(tokio::time::Instant::now));
    let start: Timestamp = START.parse().unwrap();
    let clock = move || start + began.elapsed();
    JobReceiver::new(config, telemetry(metrics)).with(client, Arc::new(clock))
}

/// Its id.
pub(crate) fn id() -> ComponentId {
    ComponentId {
        type_name: "k8s_job".into(),
        name: None,
    }
}

/// Starts one.
pub(crate) async fn run(client: Client, settings: &str) -> Run {
    run_with(client, settings, |receiver| receiver).await
}

/// Starts one that `with` has changed.
pub(crate) async fn run_with(client: Client, settings: &str, with: impl FnOnce(JobReceiver) -> JobReceiver) -> Run {
    let own = OwnMetrics::new();
    let mut receiver = with(receiver(client, settings, &own));
    receiver.start().await.unwrap();
    let id = id();
    let (logs_in, logs) = mpsc::channel(1);
    let (gauges_in, gauges) = mpsc::channel(8);
    let outputs = Outputs {
        logs: Outlet::new(vec![(id.clone(), logs_in)]),
        metrics: Outlet::new(vec![(id.clone(), gauges_in)]),
        ..Default::default()
    };
    let (health, shutdown) = (Health::new(), CancellationToken::new());
    let running = Running {
        shutdown: shutdown.clone(),
        health: health.reporter(id.clone()),
        succession: Default::default(),
    };
    let task = tokio::spawn(Box::new(receiver).run(outputs, running));
    Run {
        logs,
        gauges,
        metrics: own,
        shutdown,
        task,
        health,
        id,
    }
}

impl Run {
    /// The next event, which is acknowledged. Waits for an hour at most.
    pub(crate) async fn next_event(&mut self) -> Evidence {
        let next = tokio::time::timeout(Duration::from_secs(3600), self.logs.recv()).await;
        let batch = next.expect("an event").unwrap();
        let Payload::Logs(logs) = &*batch.payload else {
            panic!("not logs")
        };
        let evidence = otlp::evidence(&logs[0].scope_logs[0].log_records[0]).unwrap();
        batch.ack.delivered();
        evidence
    }

    /// That no event comes within `time`.
    pub(crate) async fn no_event_for(&mut self, time: Duration) {
        if let Ok(batch) = tokio::time::timeout(time, self.logs.recv()).await {
            panic!("{batch:?}");
        }
    }

    /// The receiver's status.
    pub(crate) fn status(&self) -> Status {
        self.health.watch().borrow()[&self.id.to_string()].clone()
    }

    /// Waits until the receiver's status is as `wanted`.
    pub(crate) async fn until(&self, wanted: impl Fn(&Status) -> bool) {
        let id = self.id.to_string();
        let mut health = self.health.watch();
        health.wait_for(|statuses| wanted(&statuses[&id])).await.unwrap();
    }

    /// The points of its own metrics whose text holds `part`.
    pub(crate) fn points(&self, part: &str) -> Vec<String> {
        let mut points = self.metrics.points();
        points.retain(|point| point.contains(part));
        points
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}
