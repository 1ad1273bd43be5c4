//! The component: connects, opens its store, starts the watches.

use std::sync::Arc;

use collector_config::ComponentId;
use collector_runtime::component::{ComponentError, Running};
use collector_runtime::storage::{Storage, Store};
use collector_runtime::{Outputs, Receiver};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;

use crate::config::Config;
use crate::keeper::Keeper;
use crate::session::Session;
use crate::telemetry::Telemetry;
use job_watch::cluster::Cluster;
use job_watch::watches::Watches;
use job_watch::{Kind, access};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The receiver `k8s_job`.
pub struct JobReceiver {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    /// Given by a test.
    client: Option<Client>,
    cluster: Option<Cluster>,
    /// Where the checkpoint is kept, and by which id this receiver is known there.
    storage: Option<(Arc<dyn Storage>, ComponentId)>,
    store: Option<Arc<dyn Store>>,
}

impl JobReceiver {
    /// A receiver that connects when it is started.
    pub fn new(config: Config, telemetry: Telemetry) -> Self {
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

    /// Keeps in `storage`, as the receiver `id`, which Jobs were told of.
    #[must_use]
    pub fn with_storage(mut self, storage: Arc<dyn Storage>, id: ComponentId) -> Self {
        self.storage = Some((storage, id));
        self
    }

    /// Talks through `client` and reads the time from `clock`, instead of making its own.
    pub fn with(mut self, client: Client, clock: Clock) -> Self {
        self.client = Some(client);
        self.clock = clock;
        self
    }

    async fn prepare(&mut self) -> Result<(), ComponentError> {
        let selection = self.config.selection();
        let targets = selection.targets(&Kind::ALL);
        self.cluster = Some(Cluster::open(self.client.clone(), &selection, &targets).await?);
        match &self.storage {
            Some((storage, id)) => {
                self.store = Some(storage.open(collector_runtime::component::Kind::Receiver, id).await?)
            }
            None => tracing::warn!(
                "no storage is set: Jobs that end while no collector runs are not told of, and one that ends shortly before \
                 a restart may be told of twice or not at all"
            ),
        }
        Ok(())
    }
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
                storage,
                store,
                ..
            } = *self;
            let Cluster { client, server } = cluster.ok_or("run before start")?;
            let watches = Watches::new(
                config.selection().targets(&Kind::ALL),
                config.namespaces.exclude.clone(),
                server,
                access::loss,
                telemetry.watches.clone(),
            );
            let keeper = Keeper::new(
                store,
                storage
                    .as_ref()
                    .is_some_and(|(storage, _)| storage.capacity().is_some()),
                storage
                    .as_ref()
                    .is_some_and(|(storage, _)| storage.leader_elector().is_some()),
            );
            let session = Session::new(config, telemetry, clock, watches, outputs, keeper);
            session.run(client, running).await
        })
    }
}
