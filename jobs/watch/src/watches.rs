//! All lists and watches of one receiver: their tasks, their updates, their health and their metrics.

use std::collections::BTreeMap;

use kube::Client;
use pacing::{Line, LogPace, Random};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::client::Coalesce;
use crate::health::{Health, WatchHealth, WatchStates};
use crate::telemetry::WatchTelemetry;
use crate::version::SharedVersion;
use crate::watch::first_list::FirstList;
use crate::watch::request::Target;
use crate::watch::streaming::StreamingLists;
use crate::watch::{COALESCE, ListWatch, SourceUpdate, Update};
use crate::{Kind, Object, Observation, Source, model};

/// The capacity of the channel to the receiver's task, which waits for nothing else.
const UPDATES: usize = 1024;
/// The most updates received at once.
const AT_ONCE: usize = 256;

/// The version of each watch up to which everything was observed. A watch whose versions are not numbers has none.
pub type Positions = BTreeMap<Source, u64>;

/// A watch ended, which it never does by itself. Holds the reason.
#[derive(Debug, thiserror::Error)]
#[error("a watch task ended: {0}")]
pub struct WatchEnded(String);

/// The lists and watches of one receiver.
pub struct Watches {
    targets: Vec<Target>,
    /// Namespaces whose objects are skipped, even if the API server sends them.
    excluded: Vec<String>,
    coalesce: Coalesce,
    health: WatchHealth,
    states: WatchStates,
    telemetry: WatchTelemetry,
    version: SharedVersion,
    /// Paces the log lines about undecodable objects, whose number the server decides.
    undecodable: BTreeMap<Kind, LogPace>,
    tasks: JoinSet<()>,
    updates: Option<mpsc::Receiver<SourceUpdate>>,
    positions: Positions,
    shutdown: CancellationToken,
}

impl Watches {
    /// Watches that are not started yet. `loss` says what a receiver lacks without a kind that RBAC denies; `server` is
    /// the API server's URL.
    pub fn new(
        targets: Vec<Target>,
        excluded: Vec<String>,
        server: Option<String>,
        loss: fn(Kind) -> &'static str,
        telemetry: WatchTelemetry,
    ) -> Self {
        Watches {
            health: WatchHealth::new(&targets, server, loss, Instant::now()),
            states: WatchStates::default(),
            targets,
            excluded,
            coalesce: Coalesce::new(COALESCE, COALESCE),
            telemetry,
            version: SharedVersion::default(),
            undecodable: BTreeMap::new(),
            tasks: JoinSet::new(),
            updates: None,
            positions: Positions::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// Uses this version of the API server, which may be known already, instead of asking for it before the first list.
    #[must_use]
    pub fn with_version(mut self, version: SharedVersion) -> Self {
        self.version = version;
        self
    }

    /// Resumes each watch at the version at which an earlier process stopped. To be called before [`Watches::start`].
    pub fn resume(&mut self, positions: Positions) {
        let known = |source: &Source| self.targets.iter().any(|target| target.source == *source);
        self.positions = positions.into_iter().filter(|(source, _)| known(source)).collect();
    }

    /// The version of each watch up to which everything was observed.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Sets how often busy watches are read.
    #[must_use]
    pub fn coalescing(mut self, coalesce: Coalesce) -> Self {
        self.coalesce = coalesce;
        self
    }

    /// Starts one task for each list and watch; they end when `shutdown` is cancelled.
    pub fn start(&mut self, client: &Client, shutdown: &CancellationToken) {
        let (sender, updates) = mpsc::channel(UPDATES);
        self.updates = Some(updates);
        self.shutdown = shutdown.clone();
        let streaming = StreamingLists::of(self.version.clone());
        let mut first_lists: Vec<(Source, FirstList)> = Vec::new();
        for target in &self.targets {
            let Source { kind, scope } = target.source;
            let first_list = FirstList::default();
            let in_scope = |(of, _): &&(Source, FirstList)| of.scope == scope;
            let before = first_lists.last().filter(in_scope).map(|(_, list)| list.clone());
            let mut lists = first_lists.iter().filter(in_scope);
            let needed = lists.find(|(of, _)| Some(of.kind) == kind.listed_after());
            let needed = needed.map(|(_, list)| list.clone());
            first_lists.push((target.source, first_list.clone()));
            let watch = ListWatch {
                client: client.clone(),
                target: target.clone(),
                updates: sender.clone(),
                first_list,
                resume: self.positions.get(&target.source).copied(),
                streaming: streaming.clone(),
                coalesce: self.coalesce,
                random: Random::unique(),
            };
            let shutdown = shutdown.clone();
            self.tasks.spawn(async move {
                let work = async {
                    if let Some(before) = before {
                        before.tried().await;
                    }
                    if let Some(needed) = needed {
                        needed.over().await;
                    }
                    run(watch).await;
                };
                shutdown.run_until_cancelled(work).await;
            });
        }
    }

    /// Receives updates into `batch`. May be dropped and called again at any time.
    ///
    /// # Errors
    /// A watch ended before the shutdown: without it the receiver would be silently blind.
    pub async fn recv(&mut self, batch: &mut Vec<SourceUpdate>) -> Result<(), WatchEnded> {
        let Some(updates) = &mut self.updates else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = updates.recv_many(batch, AT_ONCE) => Ok(()),
            Some(ended) = self.tasks.join_next() => match self.shutdown.is_cancelled() {
                true => Ok(()),
                false => Err(WatchEnded(ended.err().map_or_else(|| "it returned".into(), |error| error.to_string()))),
            },
        }
    }

    /// Records an update, received at `now`, in health and metrics; returns the observation in it.
    pub fn observe(
        &mut self,
        SourceUpdate { source, update, .. }: SourceUpdate,
        now: Instant,
    ) -> Option<(Source, Observation)> {
        if !matches!(update, Update::Failed { .. }) {
            self.health.heard(source, now);
        }
        self.health.proves(source, &update, now);
        match update {
            Update::Observed(observation) => {
                self.progressed(source, &observation);
                if let Observation::ReplayEnds { complete } = observation {
                    self.health.replayed(source, complete);
                }
                if observation == Observation::ListEnds {
                    self.telemetry.listed(source.kind);
                }
                let excluded = source.kind != Kind::NodeEvents && self.is_excluded(&observation);
                return (!excluded).then_some((source, observation));
            }
            Update::Undecodable(problem) => {
                self.telemetry.undecodable(source.kind);
                let pace = self.undecodable.entry(source.kind).or_default();
                if let Some(Line { held_back }) = pace.failed(now) {
                    let (what, not_logged) = (source.kind.as_str(), held_back);
                    tracing::error!(what, %problem, not_logged, "skipped an unusable object");
                }
            }
            Update::Failed { failure, times } => {
                self.telemetry.failed(source.kind);
                self.health.failed(source, &failure, times, now);
                return Some((source, Observation::Interrupted));
            }
            Update::Healthy(gap) => {
                if let Some(gap) = gap {
                    self.telemetry.gap(source.kind, gap);
                    self.health.resumed(source, gap);
                }
                self.health.works(source, now);
                return Some((source, Observation::Recovered));
            }
            Update::Position(version) => {
                self.positions.insert(source, version);
            }
            Update::Alive => {}
        }
        None
    }

    /// Changes come in the order of their versions, once a list is complete.
    fn progressed(&mut self, source: Source, observation: &Observation) {
        if self.health.is_listing(source) {
            return;
        }
        if let Observation::Changed(object) | Observation::Deleted(object) = observation
            && let Ok(version) = object.metadata().resource_version.parse()
        {
            self.positions.insert(source, version);
        }
    }

    /// The health of all watches now. Time alone makes a watch stale.
    pub fn health(&self) -> Health {
        self.health.health(Instant::now())
    }

    /// True once every allowed list is complete.
    pub fn all_listed(&self) -> bool {
        self.health.all_listed()
    }

    /// Until when each watch is proven to have delivered everything. To be called every few seconds: a proof counts from the
    /// call after it.
    pub fn proven(&mut self) -> Vec<(Source, Instant)> {
        self.health.proven()
    }

    /// True if each allowed watch of these kinds has received something within `time`.
    pub fn are_current(&self, kinds: &[Kind], time: Duration) -> bool {
        let silence = self.health.silence(Instant::now());
        let is_current = |kind| silence.get(kind).is_none_or(|age| *age <= time);
        kinds.iter().all(is_current)
    }

    /// The states of the watches, as recorded last.
    pub fn states(&self) -> &WatchStates {
        &self.states
    }

    /// Records how long each kind has been silent, and the state of each watch.
    pub fn record_state(&self) {
        self.states.update(&self.health);
        for (kind, age) in self.health.silence(Instant::now()) {
            self.telemetry.silence(kind, age);
        }
    }

    /// Stops all watches; returns the updates that were not received.
    pub async fn stop(&mut self) -> Vec<SourceUpdate> {
        self.tasks.shutdown().await;
        let updates = &mut self.updates;
        std::iter::from_fn(|| updates.as_mut()?.try_recv().ok()).collect()
    }

    fn is_excluded(&self, observation: &Observation) -> bool {
        match observation {
            Observation::Listed(object) | Observation::Changed(object) | Observation::Deleted(object) => {
                let namespace = &*object.metadata().namespace;
                self.excluded.iter().any(|excluded| excluded == namespace)
            }
            _ => false,
        }
    }
}

async fn run(watch: ListWatch) {
    match watch.target.source.kind {
        Kind::CronJobs => watch.run::<model::CronJob>(Object::CronJob).await,
        Kind::Namespaces => watch.run::<model::Namespace>(Object::Namespace).await,
        Kind::Jobs => watch.run::<model::Job>(Object::Job).await,
        Kind::Pods => watch.run::<model::Pod>(Object::Pod).await,
        Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents => {
            watch.run::<model::Event>(Object::Event).await
        }
    }
}
