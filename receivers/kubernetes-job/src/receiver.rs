//! The component: connects, opens its store, starts the watches.

use std::sync::Arc;

use collector_config::ComponentId;
use collector_runtime::component::{ComponentError, Running};
use collector_runtime::storage::{Storage, Store};
use collector_runtime::{Outputs, Receiver};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use job_watch::client::connect;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::keeper::Keeper;
use crate::session::Session;
use crate::startup;
use crate::telemetry::Telemetry;
use job_watch::access::{self, Access};
use job_watch::model;
use job_watch::watch::request::{Target, targets};
use job_watch::watch::{Message, Watch};
use job_watch::{Kind, Object};
use pacing::Random;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The receiver `k8s_job`.
pub struct JobReceiver {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    client: Option<Client>,
    /// Where the API server is.
    server: Option<String>,
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
            server: None,
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

    fn targets(&self) -> Vec<Target> {
        let namespaces = &self.config.namespaces;
        targets(&namespaces.include, &namespaces.exclude, &self.config.label_selector)
    }

    async fn prepare(&mut self) -> Result<(), ComponentError> {
        let (mut kubeconfig_context, mut reached) = (None, true);
        let client = match &self.client {
            Some(client) => client.clone(),
            None => {
                let Config {
                    auth_type,
                    kubeconfig,
                    context,
                    ..
                } = &self.config;
                let connected = connect(*auth_type, kubeconfig.as_deref(), context.as_deref()).await?;
                self.server = Some(connected.server);
                kubeconfig_context = connected.context;
                connected.client
            }
        };
        for target in self.targets().iter().filter(|target| target.source.kind == Kind::Jobs) {
            match access::review(&client, target).await {
                Access::Allowed => {}
                Access::Denied(verb) => {
                    let (what, rule) = (target.describe(), access::rule(target));
                    return Err(format!("the collector's account may not {verb} {what}: {rule}").into());
                }
                // Not a reason to give up: the API server may be back in a minute.
                Access::Unknown(problem) => {
                    tracing::warn!(
                        server = self.server.as_deref(),
                        problem,
                        "cannot ask the API server what is allowed; going on and trying again"
                    );
                    reached = false;
                    break;
                }
            }
        }
        if let Some(server) = self.server.as_deref().filter(|_| reached) {
            startup::log_cluster(&client, server, kubeconfig_context.as_deref(), &self.config).await;
        }
        self.client = Some(client);
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
            let targets = self.targets();
            let Some(client) = self.client.clone() else {
                return Err("run before start".into());
            };
            let Self {
                config,
                telemetry,
                clock,
                server,
                storage,
                store,
                ..
            } = *self;
            let keeper = Keeper::new(
                store,
                storage
                    .as_ref()
                    .is_some_and(|(storage, _)| storage.capacity().is_some()),
                storage
                    .as_ref()
                    .is_some_and(|(storage, _)| storage.leader_elector().is_some()),
            );
            let session = Session::new(config, telemetry, clock, targets, server, outputs, keeper);
            session.run(client, running).await
        })
    }
}

/// Starts one task for each list and watch.
pub(crate) fn start_watches(
    targets: &[Target],
    client: &Client,
    messages: mpsc::Sender<Message>,
    shutdown: &CancellationToken,
) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let mut previous: Option<(u16, CancellationToken)> = None;
    for target in targets {
        let scope = target.source.scope;
        // Owners are listed before what they own, so that fewer things arrive early.
        let after = previous.take().filter(|(of, _)| *of == scope).map(|(_, token)| token);
        let first_list = CancellationToken::new();
        previous = Some((scope, first_list.clone()));
        let kind = target.source.kind;
        let watch = Watch {
            client: client.clone(),
            target: target.clone(),
            messages: messages.clone(),
            first_list,
            random: Random::unique(),
        };
        let shutdown = shutdown.clone();
        watches.spawn(async move {
            let work = async {
                if let Some(after) = after {
                    after.cancelled().await;
                }
                match kind {
                    Kind::CronJobs => watch.run::<model::CronJob>(Object::CronJob).await,
                    Kind::Jobs => watch.run::<model::Job>(Object::Job).await,
                    Kind::Pods => watch.run::<model::Pod>(Object::Pod).await,
                    Kind::JobEvents | Kind::PodEvents | Kind::NodeEvents => {
                        watch.run::<model::Event>(Object::Event).await;
                    }
                }
            };
            shutdown.run_until_cancelled(work).await;
        });
    }
    watches
}
