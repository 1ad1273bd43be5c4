//! The component: starts the watches, feeds the tracker, hands what it decides to the pipeline.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use kube::Client;
use pipeline::ack::Outcome;
use pipeline::component::{ComponentError, Running};
use pipeline::{Ack, Batch, Outputs, Payload, Receiver};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use crate::access::{self, Access};
use crate::backlog::{Backlog, Change};
use crate::client::connect;
use crate::conditions::Conditions;
use crate::config::Config;
use crate::gauges;
use crate::lane::Lane;
use crate::model;
use crate::telemetry::{Loss, Telemetry};
use crate::tracker::{Kind, Object, Observation, Tracker, TrackerSettings};
use crate::watch::request::{Target, targets};
use crate::watch::{Message, Report, Watch};

/// How many messages of the watches may wait for the tracker's task, which only ever waits for them.
const MESSAGES: usize = 1024;
/// How many owners' gauges go into one batch.
const OWNERS: usize = 500;
/// The longest sleep; the wall clock may be set in between.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(1);

/// How often the watches are looked at.
const CHECK: std::time::Duration = std::time::Duration::from_secs(5);

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
        }
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
                    break;
                }
            }
        }
        self.client = Some(client);
        Ok(())
    }
}

impl Receiver for JobReceiver {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.prepare())
    }

    fn run(self: Box<Self>, outputs: Outputs, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let Some(client) = self.client.clone() else {
                return Err("run before start".into());
            };
            let session = Session::new(*self, outputs);
            session.run(client, running).await
        })
    }
}

/// A Job whose event is on its way.
struct Sent {
    namespace: Box<str>,
    name: Box<str>,
    uid: Box<str>,
}

/// Everything the tracker's task holds.
struct Session {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    targets: Vec<Target>,
    tracker: Tracker,
    conditions: Conditions,
    events: Lane,
    metrics: Lane,
    backlog: Backlog,
    deliveries: FuturesUnordered<BoxFuture<'static, (Sent, Outcome)>>,
}

impl Session {
    fn new(receiver: JobReceiver, outputs: Outputs) -> Self {
        let targets = receiver.targets();
        let JobReceiver {
            config,
            telemetry,
            clock,
            server,
            ..
        } = receiver;
        let settings = TrackerSettings {
            settle: SignedDuration::try_from(config.settle_time.get()).unwrap_or(SignedDuration::MAX),
            on_first_start: config.on_first_start,
        };
        Session {
            conditions: Conditions::new(&targets, server, clock()),
            tracker: Tracker::new(settings),
            events: Lane::new(outputs.logs),
            metrics: Lane::new(outputs.metrics),
            backlog: Backlog::new(),
            deliveries: FuturesUnordered::new(),
            config,
            telemetry,
            clock,
            targets,
        }
    }

    async fn run(mut self, client: Client, running: Running) -> Result<(), ComponentError> {
        let (sender, mut messages) = mpsc::channel(MESSAGES);
        let mut watches = self.start_watches(&client, sender, &running.shutdown);
        let every = self.config.collection_interval.get();
        let mut collect = interval_at(tokio::time::Instant::now() + every, every);
        collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(256);
        loop {
            let settled = self.until_settled();
            tokio::select! {
                () = running.shutdown.cancelled() => break,
                _ = messages.recv_many(&mut batch, 256) => {
                    for message in batch.drain(..) {
                        self.take(message);
                    }
                    running.health.report(self.conditions.status((self.clock)()));
                }
                _ = check.tick() => self.check(&running),
                () = settled => {}
                _ = collect.tick(), if self.conditions.all_listed() => self.collect(),
                Some((sent, outcome)) = self.deliveries.next(), if !self.deliveries.is_empty() => {
                    self.settle(&sent, outcome);
                }
                () = self.events.step() => {}
                () = self.metrics.step() => {}
                Some(ended) = watches.join_next() => {
                    // A watch only ends when it panics: without it the receiver would be silently blind.
                    if !running.shutdown.is_cancelled() {
                        let why = ended.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
                        return Err(format!("a watch is dead: {why}").into());
                    }
                }
            }
            let now = (self.clock)();
            // What the pipeline does not take waits in the tracker, where it is small.
            if self.events.is_idle()
                && let Some(evidence) = self.tracker.poll(now)
            {
                self.emit(evidence, now);
            }
            self.watch_backlog(now);
        }
        watches.shutdown().await;
        // What was already read counts; a Job that was decided must not wait for the next start, which ignores it.
        while let Ok(message) = messages.try_recv() {
            self.take(message);
        }
        self.finish().await;
        Ok(())
    }

    fn start_watches(
        &self,
        client: &Client,
        messages: mpsc::Sender<Message>,
        shutdown: &CancellationToken,
    ) -> JoinSet<()> {
        let mut watches = JoinSet::new();
        let mut previous: Option<(u16, CancellationToken)> = None;
        for target in &self.targets {
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

    /// Resolves when the tracker may have something to give that can be sent.
    fn until_settled(&self) -> impl Future<Output = ()> + use<> {
        let deadline = self.tracker.next_deadline().filter(|_| self.events.is_idle());
        let wait = deadline.map(|deadline| {
            let left = deadline.duration_since((self.clock)());
            std::time::Duration::try_from(left)
                .unwrap_or_default()
                .min(LONGEST_SLEEP)
        });
        async move {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    fn take(&mut self, Message { source, report }: Message) {
        if !matches!(report, Report::Failed { .. }) {
            self.conditions.heard(source, (self.clock)());
        }
        match report {
            Report::Observed(observation) => {
                if source.kind != Kind::NodeEvents && self.is_excluded(&observation) {
                    return;
                }
                if observation == Observation::ListEnds {
                    self.telemetry.listed(source.kind);
                }
                self.tracker.apply(source, observation, (self.clock)());
            }
            Report::Undecodable(problem) => {
                self.telemetry.undecodable(source.kind);
                tracing::error!(what = source.kind.as_str(), %problem, "an object could not be used; nothing will be told of it");
            }
            Report::Failed { failure, times } => {
                self.telemetry.failed(source.kind);
                self.conditions.failed(source, &failure, times, (self.clock)());
            }
            Report::Works(gap) => {
                if let Some(gap) = gap {
                    self.telemetry.gap(source.kind, gap);
                    self.conditions.follows(source, gap);
                }
                self.conditions.works(source);
            }
            Report::Alive => {}
        }
    }

    /// Time alone makes a watch stale.
    fn check(&self, running: &Running) {
        let now = (self.clock)();
        running.health.report(self.conditions.status(now));
        for (kind, age) in self.conditions.silence(now) {
            self.telemetry.silence(kind, age);
        }
    }

    /// The API server leaves excluded namespaces out; this holds even if it does not.
    fn is_excluded(&self, observation: &Observation) -> bool {
        match observation {
            Observation::Listed(object) | Observation::Changed(object) | Observation::Deleted(object) => {
                let namespace = &*object.metadata().namespace;
                self.config
                    .namespaces
                    .exclude
                    .iter()
                    .any(|excluded| excluded == namespace)
            }
            _ => false,
        }
    }

    fn emit(&mut self, evidence: Evidence, now: Timestamp) {
        let job = &evidence.job;
        self.telemetry.decided(job.outcome());
        tracing::debug!(
            namespace = &*job.namespace,
            job = &*job.name,
            uid = &*job.uid,
            outcome = job.outcome().as_str(),
            reason = job.reason(),
            "a Job has ended"
        );
        let record = job_event::otlp::encode(&evidence, self.config.cluster_name.as_deref(), now);
        let (ack, delivery) = Ack::new();
        self.events.send([Batch::new(Payload::Logs(vec![record]), ack)]);
        let sent = Sent {
            namespace: evidence.job.namespace,
            name: evidence.job.name,
            uid: evidence.job.uid,
        };
        self.deliveries.push(delivery.map(|outcome| (sent, outcome)).boxed());
    }

    fn settle(&self, sent: &Sent, outcome: Outcome) {
        let Sent { namespace, name, uid } = sent;
        let (loss, problem) = match outcome {
            Outcome::Delivered => return self.telemetry.delivered(),
            Outcome::Rejected(why) => (Loss::Refused, format!("refused by a destination: {why}")),
            Outcome::Dropped(why) | Outcome::Deferred(why) => (Loss::GivenUp, format!("given up on its way: {why}")),
        };
        self.telemetry.lost(1, loss);
        tracing::error!(%namespace, job = %name, %uid, problem, "the event of a finished Job is lost");
    }

    fn watch_backlog(&mut self, now: Timestamp) {
        let (waiting, since) = (self.tracker.decided(), self.tracker.next_deadline());
        match self.backlog.observe(waiting, since, now) {
            Some(Change::Grown) => {
                self.telemetry.pending(waiting);
                let since = since.map(|since| since.to_string()).unwrap_or_default();
                tracing::warn!(
                    waiting,
                    since,
                    "finished Jobs wait because the pipeline does not take their events: an exporter is behind. Look at \
                     its errors; nothing is dropped, but memory grows and what waits is lost if the process ends"
                );
            }
            Some(Change::Gone) => tracing::info!("the pipeline has taken the events of all finished Jobs that waited"),
            None => {}
        }
    }

    fn collect(&mut self) {
        self.telemetry.tracked(self.tracker.sizes());
        self.telemetry.pending(self.tracker.decided());
        self.telemetry.unacknowledged(self.deliveries.len());
        let states = self.tracker.states();
        if self.metrics.is_closed() {
            return;
        }
        let now = (self.clock)();
        let cluster = self.config.cluster_name.clone();
        let telemetry = self.telemetry.clone();
        let mut metrics = states.map(move |owner| gauges::encode(&owner, cluster.as_deref(), now));
        // Encoded points are large, so no batch is made before the one ahead of it was taken. Of states that were not
        // taken by the next time nothing is worth sending.
        self.metrics.send(std::iter::from_fn(move || {
            let metrics: Vec<_> = metrics.by_ref().take(OWNERS).collect();
            let batch = (!metrics.is_empty()).then(|| Batch::new(Payload::Metrics(metrics), Ack::unwatched()))?;
            telemetry.points(batch.payload.items());
            Some(batch)
        }));
    }

    /// Hands over everything that was decided, settled or not.
    async fn finish(mut self) {
        let now = (self.clock)();
        loop {
            while !self.events.is_idle() {
                self.events.step().await;
            }
            let Some(evidence) = self.tracker.drain() else { break };
            self.emit(evidence, now);
        }
        while let Some(Some((sent, outcome))) = self.deliveries.next().now_or_never() {
            self.settle(&sent, outcome);
        }
        let left = self.deliveries.len();
        tracing::info!(
            left,
            "stopped; events that no destination has confirmed yet are with the exporters"
        );
    }
}
