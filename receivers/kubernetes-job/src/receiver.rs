//! The component: connects, opens its store, and runs the session.

use std::sync::Arc;

use collector_config::ComponentId;
use collector_runtime::component::{self, ComponentError, Running};
use collector_runtime::storage::{Claimed, Storage};
use collector_runtime::{Outputs, Receiver};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;

use crate::checkpoint_store::CheckpointStore;
use crate::config::JobReceiverConfig;
use crate::session::JobSession;
use crate::succession::{Inherited, Left, Successor};
use crate::telemetry::Telemetry;
use job_watch::cluster::Cluster;
use job_watch::watch::request::Target;
use job_watch::watches::Watches;
use job_watch::{Kind, access};

/// Tells the time.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The receiver `k8s_job`.
pub struct JobReceiver {
    config: JobReceiverConfig,
    telemetry: Telemetry,
    clock: WallClock,
    /// Given by a test.
    client: Option<Client>,
    cluster: Option<Cluster>,
    /// The storage of the checkpoint, and this receiver's id in it.
    storage: Option<(Arc<dyn Storage>, ComponentId)>,
    store: Option<Claimed>,
}

impl JobReceiver {
    /// A receiver that connects when it is started.
    pub fn new(config: JobReceiverConfig, telemetry: Telemetry) -> Self {
        JobReceiver {
            config,
            telemetry,
            clock: Arc::new(Timestamp::now),
            client: None,
            cluster: None,
            storage: None,
            store: None,
        }
    }

    /// Stores the checkpoint in `storage`, as the receiver `id`.
    #[must_use]
    pub fn with_storage(mut self, storage: Arc<dyn Storage>, id: ComponentId) -> Self {
        self.storage = Some((storage, id));
        self
    }

    /// Uses `client` and the time of `clock` instead of its own.
    pub fn with(mut self, client: Client, clock: WallClock) -> Self {
        self.client = Some(client);
        self.clock = clock;
        self
    }

    async fn prepare(&mut self) -> Result<(), ComponentError> {
        let selection = self.config.selection();
        let targets = targets(&self.config);
        self.cluster = Some(Cluster::open(self.client.clone(), &selection, &targets).await?);
        match &self.storage {
            Some((storage, id)) => {
                self.store = Some(Claimed::open(&**storage, component::Kind::Receiver, id).await?);
            }
            None => tracing::warn!(
                "no `storage` configured: Jobs that finish while the collector is down are not reported, and around a \
                 restart a Job may be reported twice or not at all"
            ),
        }
        Ok(())
    }
}

/// The lists and watches, with the labels and annotations to decode.
fn targets(config: &JobReceiverConfig) -> Vec<Target> {
    let extraction = config.extraction();
    let namespaces = extraction.of(Kind::Namespaces).map(|_| Kind::Namespaces);
    let kinds: Vec<Kind> = namespaces.into_iter().chain(Kind::ALL).collect();
    let mut targets = config.selection().targets(&kinds);
    extraction.apply(&mut targets);
    targets
}

/// A session that has observed nothing.
fn session(successor: Successor, cluster: &Cluster, store: Option<Claimed>) -> JobSession {
    let watches = Watches::new(
        targets(&successor.config),
        successor.config.namespaces.exclude.clone(),
        cluster.server.clone(),
        access::loss,
        successor.telemetry.watches.clone(),
    )
    .with_version(cluster.version.clone())
    .coalescing(successor.config.coalesce());
    let store = store.map(|store| store.with_health(&successor.health));
    let store = CheckpointStore::new(store, successor.config.sharding.shard());
    JobSession::new(successor, watches, store)
}

impl Receiver for JobReceiver {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.prepare())
    }

    fn run(self: Box<Self>, outputs: Outputs, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let Self {
                config,
                telemetry,
                clock,
                cluster,
                store,
                ..
            } = *self;
            let cluster = cluster.ok_or("run before start")?;
            let successor = Successor {
                config,
                telemetry,
                clock,
                health: running.health.clone(),
                outputs,
            };
            let inherited = match running.succession.inherit::<Left>() {
                Some(left) => left.pass_to(successor).await?,
                None => Inherited::nothing(successor),
            };
            match inherited {
                Inherited::Session(session) => session.run(running).await,
                Inherited::Start(start) => {
                    let session = session(start.successor, &cluster, store);
                    let (session, checkpoint) = match start.checkpoint {
                        Some((checkpoint, events)) => (session.with_events(events), Some(checkpoint)),
                        None => (session, None),
                    };
                    session.start(cluster.client, checkpoint, running).await
                }
            }
        })
    }
}
