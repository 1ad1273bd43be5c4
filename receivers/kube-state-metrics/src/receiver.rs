//! The component: connects, watches Jobs and CronJobs, and sends their state.

use std::time::Duration;

use collector_runtime::component::{ComponentError, Running};
use collector_runtime::health::{Status, WatchReading};
use collector_runtime::storage::Leadership;
use collector_runtime::{Outputs, Receiver};
use futures_util::future::BoxFuture;
use job_watch::Kind;
use job_watch::cluster::Cluster;
use job_watch::health::{Health, WatchState};
use job_watch::telemetry::WatchTelemetry;
use job_watch::watches::Watches;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::config::KubeStateConfig;
use crate::feed::Feed;

const KINDS: [Kind; 2] = [Kind::CronJobs, Kind::Jobs];
/// How often the health of the watches is checked.
const CHECK: Duration = Duration::from_secs(5);

/// The receiver `kube_state_metrics`.
pub struct KubeStateReceiver {
    config: KubeStateConfig,
    telemetry: WatchTelemetry,
    leadership: Option<Leadership>,
    cluster: Option<Cluster>,
}

impl KubeStateReceiver {
    /// A receiver that connects on startup. With `leadership`, only the leader sends metrics.
    pub fn new(config: KubeStateConfig, telemetry: WatchTelemetry, leadership: Option<Leadership>) -> Self {
        KubeStateReceiver {
            config,
            telemetry,
            leadership,
            cluster: None,
        }
    }

    async fn connect(&mut self) -> Result<(), ComponentError> {
        let selection = self.config.selection();
        let targets = selection.targets(&KINDS);
        self.cluster = Some(Cluster::open(None, &selection, &targets).await?);
        Ok(())
    }
}

impl Receiver for KubeStateReceiver {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.connect())
    }

    fn run(self: Box<Self>, outputs: Outputs, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let Cluster {
                client,
                server,
                version,
            } = self.cluster.ok_or("run before start")?;
            let config = self.config;
            let mut watches = Watches::new(
                config.selection().targets(&KINDS),
                config.namespaces.exclude.clone(),
                server,
                loss,
                self.telemetry,
            )
            .with_version(version);
            watches.start(&client, &running.shutdown);
            let session = Session {
                watches,
                leads: self.leadership.as_ref().is_none_or(Leadership::is_leader),
                leadership: self.leadership,
                feed: Feed::new(outputs.metrics, config.cluster_name),
            };
            session.run(config.collection_interval.get(), running).await
        })
    }
}

/// The metrics that are missing without objects of a kind.
fn loss(kind: Kind) -> &'static str {
    match kind {
        Kind::CronJobs => "metrics of CronJobs will be missing",
        _ => "metrics of Jobs will be missing",
    }
}

/// The running receiver.
struct Session {
    watches: Watches,
    leadership: Option<Leadership>,
    leads: bool,
    feed: Feed,
}

impl Session {
    async fn run(mut self, every: Duration, running: Running) -> Result<(), ComponentError> {
        let mut collect = interval_at(Instant::now() + every, every);
        collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut messages = Vec::new();
        let states = self.watches.states().reader();
        running
            .health
            .watches(move || Some(states()?.into_iter().map(reading).collect()));
        loop {
            tokio::select! {
                () = running.shutdown.cancelled() => break,
                received = self.watches.recv(&mut messages) => {
                    received?;
                    let now = Instant::now();
                    for message in messages.drain(..) {
                        if let Some((source, observation)) = self.watches.observe(message, now) {
                            self.feed.state.apply(source, &observation);
                        }
                    }
                    running.health.report(status(self.watches.health()));
                }
                _ = check.tick() => {
                    running.health.report(status(self.watches.health()));
                    self.watches.record_state();
                }
                _ = collect.tick() => self.feed.state.refresh(),
                () = changes(self.leadership.as_mut(), self.leads) => {
                    self.leads = !self.leads;
                    self.feed.state.refresh();
                }
                () = self.feed.step(), if self.leads && self.watches.all_listed() => {}
            }
            match self.leads {
                true if self.watches.all_listed() => self.feed.send_due(),
                true => {}
                // The leader sends it.
                false => self.feed.state.clear_pending(),
            }
        }
        self.watches.stop().await;
        Ok(())
    }
}

/// Resolves when the replica becomes the leader or is no longer the leader.
async fn changes(leadership: Option<&mut Leadership>, leads: bool) {
    match leadership {
        Some(leadership) => leadership.until(!leads).await,
        None => std::future::pending().await,
    }
}

fn status(health: Health) -> Status {
    match health {
        Health::Starting => Status::Starting,
        Health::Ok => Status::Ok,
        Health::Failing(why) => Status::RecoverableError(why),
    }
}

fn reading(state: WatchState) -> WatchReading {
    WatchReading {
        resource: state.resource.into(),
        namespace: state.namespace,
        listed: state.listed,
        denied: state.denied,
        problem: state.problem,
        silence: state.last_sign_of_life.elapsed(),
        restarts: state.restarts,
    }
}
