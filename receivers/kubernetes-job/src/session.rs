//! What the receiver does while it runs: feeds the tracker with what the watches see, and hands what it decides to the
//! pipeline, once it is known what was told of before.

use std::collections::HashMap;
use std::sync::Arc;

use collector_data::Outcome;
use collector_data::{Ack, Batch, Payload};
use collector_runtime::component::{ComponentError, Running};
use collector_runtime::health::Status;
use collector_runtime::{Outlet, Outputs};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use job_event::evidence::Gap;
use job_event::{Evidence, Uid};
use kube::Client;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};

use crate::backlog::{Backlog, Change};
use crate::config::Config;
use crate::gauges;
use crate::keeper::{Keeper, News};
use crate::lane::{self, Lane};
use crate::receiver::Clock;
use crate::telemetry::{Loss, Telemetry};
use job_tracker::checkpoint::{Checkpoint, FromTheFuture};
use job_tracker::outbox::{AckEvent, AckState};
use job_tracker::{Tracker, TrackerSettings};
use job_watch::Kind;
use job_watch::health::Health;
use job_watch::watch::SourceUpdate;
use job_watch::watch::gap::{Recovery, WatchGap};
use job_watch::watches::Watches;

/// How many owners' gauges go into one batch.
const OWNERS: usize = 500;
/// The longest sleep; the wall clock may be set in between.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(1);

/// How often the watches are looked at.
const CHECK: std::time::Duration = std::time::Duration::from_secs(5);
/// How long the first lists are waited for before Jobs are told of without them.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How old a stored checkpoint may grow: its time tells later for how long nobody watched.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// A Job whose event is not acknowledged.
struct PendingEvent {
    namespace: Box<str>,
    name: Box<str>,
    /// The event, where it may have to be sent again.
    event: Option<Arc<Payload>>,
}

/// Everything the tracker's task holds.
pub(crate) struct Session {
    config: Config,
    telemetry: Telemetry,
    clock: Clock,
    tracker: Tracker,
    watches: Watches,
    /// Whether the sizes of the first lists are logged.
    lists_logged: bool,
    events: Lane,
    metrics: Lane,
    backlog: Backlog,
    deliveries: FuturesUnordered<BoxFuture<'static, (Uid, Outcome)>>,
    keeper: Keeper,
    /// The events that the outbox counts as sent or deferred.
    pending: HashMap<Uid, PendingEvent>,
    /// Why the store does not work.
    trouble: Option<String>,
    /// Until when the first lists are waited for before anything is reported.
    patience: Instant,
}

impl Session {
    pub(crate) fn new(
        config: Config,
        telemetry: Telemetry,
        clock: Clock,
        watches: Watches,
        outputs: Outputs,
        keeper: Keeper,
    ) -> Self {
        let signed = |duration: std::time::Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let settings = TrackerSettings {
            settle: signed(config.settle_time.get()),
            on_first_start: config.on_first_start,
            finished_max_age: signed(config.finished_max_age.get()),
            recovers: config.label_selector.is_empty(),
        };
        let now = Instant::now();
        Session {
            watches,
            lists_logged: false,
            tracker: Tracker::new(settings),
            events: Lane::new(outputs.logs),
            metrics: Lane::new(outputs.metrics),
            backlog: Backlog::new(),
            deliveries: FuturesUnordered::new(),
            keeper,
            pending: HashMap::new(),
            trouble: None,
            patience: now + PATIENCE,
            config,
            telemetry,
            clock,
        }
    }

    pub(crate) async fn run(mut self, client: Client, running: Running) -> Result<(), ComponentError> {
        // What was told of must be known before the first list is read.
        let known = running.shutdown.run_until_cancelled(self.begin(&running)).await;
        let Some(()) = known.transpose()? else {
            return Ok(());
        };
        self.watches.start(&client, &running.shutdown);
        let every = self.config.collection_interval.get();
        let mut collect = interval_at(Instant::now() + every, every);
        collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(256);
        loop {
            let settled = self.until_settled();
            tokio::select! {
                () = running.shutdown.cancelled() => break,
                received = self.watches.recv(&mut batch) => {
                    received?;
                    for message in batch.drain(..) {
                        self.take(message);
                    }
                    self.report(&running);
                    self.log_first_lists();
                }
                news = self.keeper.next() => self.hear(news, &running)?,
                _ = check.tick() => {
                    self.report(&running);
                    self.watches.record_silence();
                }
                () = settled => {}
                _ = collect.tick(), if self.keeper.leads() && self.watches.all_listed() => self.collect(),
                Some((uid, outcome)) = self.deliveries.next(), if !self.deliveries.is_empty() => {
                    self.settle(uid, outcome);
                }
                () = self.events.step() => {}
                () = self.metrics.step() => {}
            }
            let now = (self.clock)();
            // What the pipeline does not take waits in the tracker, where it is small.
            if self.may_report() {
                if let Some(uid) = self.tracker.outbox().resend() {
                    self.send(uid);
                } else if let Some(evidence) = self.tracker.poll(now) {
                    self.emit(evidence, now);
                }
            }
            self.store(now, false);
            self.watch_backlog(now);
            self.count_dropped();
        }
        let left = self.watches.stop().await;
        // What was already read counts; a Job that was decided must not wait for the next start, which ignores it.
        for message in left {
            self.take(message);
        }
        self.finish().await
    }

    /// Waits until it is known what was told of before, by this process or another.
    async fn begin(&mut self, running: &Running) -> Result<(), ComponentError> {
        let parts = self.config.namespaces.include.iter().map(|name| name.as_str().into());
        let parts: Vec<Box<str>> = parts.collect();
        let new = || Checkpoint::new(self.keeper.limits().listed);
        if self.keeper.leads() {
            self.tracker.restore(new(), parts);
            self.tracker.begin((self.clock)());
            return Ok(());
        }
        loop {
            match self.keeper.next().await {
                News::Leads(stored) => {
                    let mut stored = stored.unwrap_or_else(|| Checkpoint::new(self.keeper.limits().listed));
                    self.say_since(&mut stored);
                    self.count_gap(&stored);
                    self.tracker.restore(stored, parts);
                    self.tracker.begin((self.clock)());
                    return self.write_down_the_start(running).await;
                }
                News::Follows(stored) => {
                    tracing::info!("another replica leads; standing by");
                    self.tracker.restore(stored, parts);
                    return Ok(());
                }
                other => self.hear(other, running)?,
            }
        }
    }

    /// Waits until the store knows from when on Jobs are told of, so that whoever starts after a crash does not take this
    /// time for the first start.
    async fn write_down_the_start(&mut self, running: &Running) -> Result<(), ComponentError> {
        while self.keeper.leads() && !self.is_stored() {
            self.store((self.clock)(), true);
            let news = self.keeper.next().await;
            self.hear(news, running)?;
        }
        Ok(())
    }

    fn hear(&mut self, news: News, running: &Running) -> Result<(), ComponentError> {
        if !matches!(news, News::Trouble(_)) {
            self.trouble = None;
        }
        match news {
            News::Leads(stored) => {
                tracing::info!("this replica leads now");
                self.tracker.outbox().write_lost();
                if let Some(mut stored) = stored {
                    self.say_since(&mut stored);
                    self.adopt(stored);
                }
            }
            News::Follows(stored) => self.adopt(stored),
            News::Stored => self.tracker.outbox().written(),
            News::Fenced(why) => tracing::info!(why, "another replica leads now; standing by"),
            News::Trouble(why) => {
                if self.trouble.is_none() {
                    tracing::warn!(problem = why, "the checkpoint cannot be kept; trying again");
                }
                self.trouble = Some(why);
            }
            News::Broken(why) => return Err(why.into()),
        }
        self.report(running);
        Ok(())
    }

    fn adopt(&mut self, stored: Checkpoint) {
        self.tracker.adopt(stored);
        let outbox = self.tracker.outbox();
        self.pending.retain(|uid, _| outbox.state(uid) != AckState::Stored);
    }

    /// Logs where the watch resumes, and corrects a checkpoint written with a wrong clock.
    fn say_since(&self, stored: &mut Checkpoint) {
        let now = (self.clock)();
        match stored.saved_at() {
            Some(since) => {
                let away = now.duration_since(since).as_secs();
                tracing::info!(%since, away_seconds = away, "going on from the checkpoint");
            }
            None => tracing::info!(
                on_first_start = ?self.config.on_first_start,
                "there is no checkpoint yet: this is the first start"
            ),
        }
        let Some(FromTheFuture { latest, is_corrected }) = stored.correct(now) else {
            return;
        };
        let consequence = match is_corrected {
            true => "Jobs that finished before now and were not reported yet count as reported",
            false => "no Job is lost or reported twice because of it",
        };
        tracing::warn!(
            %latest,
            %now,
            consequence,
            "the checkpoint is from the future: the clock was ahead when it was stored or is behind now; synchronize the clocks of the nodes"
        );
    }

    /// Since the checkpoint was stored, nobody is known to have watched.
    fn count_gap(&self, stored: &Checkpoint) {
        let away = stored.saved_at().map(|since| (self.clock)().duration_since(since));
        if let Some(length) = away.and_then(|away| std::time::Duration::try_from(away).ok()) {
            let ending = Recovery::Relisted;
            self.telemetry.watches.gap(
                Kind::Jobs,
                WatchGap {
                    length,
                    recovery: ending,
                },
            );
        }
    }

    fn report(&self, running: &Running) {
        running.health.report(match (&self.trouble, self.watches.health()) {
            (Some(why), _) => Status::RecoverableError(format!("the checkpoint cannot be kept: {why}")),
            (None, Health::Starting) => Status::Starting,
            (None, Health::Ok) => Status::Ok,
            (None, Health::Failing(why)) => Status::RecoverableError(why),
        });
    }

    /// Whether the next event may be sent.
    fn may_report(&self) -> bool {
        self.events.is_idle()
            && self.keeper.leads()
            && (!self.keeper.is_kept() || self.tracker.unstored() < self.keeper.limits().unstored)
            // Evidence of Jobs that ended before the start comes with other lists than theirs.
            && (self.watches.all_listed() || Instant::now() >= self.patience)
    }

    /// Writes the checkpoint, if there is something new in it.
    fn store(&mut self, now: Timestamp, hurry: bool) {
        if !self.keeper.is_idle() {
            return;
        }
        let outbox = self.tracker.outbox();
        let checkpoint = outbox.checkpoint();
        let is_old = |saved: Timestamp| now.duration_since(saved).abs() >= FRESH;
        if checkpoint.is_dirty() || checkpoint.saved_at().is_some_and(is_old) {
            self.keeper.store(outbox.encode(now), hurry);
        }
    }

    /// Resolves when the tracker may have something to give that can be sent.
    fn until_settled(&self) -> impl Future<Output = ()> + use<> {
        let may_report = self.may_report();
        let deadline = self.tracker.next_deadline().filter(|_| may_report);
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

    fn take(&mut self, message: SourceUpdate) {
        if let Some((source, observation)) = self.watches.observe(message) {
            self.tracker.apply(source, observation, (self.clock)());
        }
    }

    /// Logs once how many objects the first lists had.
    fn log_first_lists(&mut self) {
        if self.lists_logged || !self.watches.all_listed() {
            return;
        }
        self.lists_logged = true;
        let sizes = self.tracker.sizes();
        tracing::info!(
            jobs = sizes.live + sizes.reported,
            unfinished_jobs = sizes.live,
            cronjobs = sizes.cronjobs,
            pods = sizes.pods,
            "initial lists complete"
        );
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
        if evidence.gaps.contains(&Gap::EndNotSeen) {
            match job.verdict() {
                Some(_) => self.telemetry.recovered(),
                None => self.telemetry.lost(1, Loss::Gap),
            }
        }
        let record = job_event::otlp::encode(&evidence, self.config.cluster_name.as_deref(), now);
        let uid = Uid::new(&evidence.job.uid);
        let event = PendingEvent {
            namespace: evidence.job.namespace,
            name: evidence.job.name,
            event: Some(Arc::new(Payload::Logs(vec![record]))),
        };
        self.pending.insert(uid, event);
        self.send(uid);
    }

    fn send(&mut self, uid: Uid) {
        let Some(pending) = self.pending.get_mut(&uid) else {
            return;
        };
        let payload = match self.keeper.is_shared() {
            true => pending.event.clone(),
            false => pending.event.take(),
        };
        let Some(payload) = payload else { return };
        let (ack, delivery) = Ack::new();
        self.events.send([Batch { payload, ack }]);
        self.deliveries
            .push(delivery.map(move |outcome| (uid, outcome)).boxed());
    }

    fn settle(&mut self, uid: Uid, outcome: Outcome) {
        let outbox = self.tracker.outbox();
        let (loss, problem) = match outcome {
            Outcome::Delivered => {
                outbox.apply(&uid, AckEvent::Acknowledged);
                self.pending.remove(&uid);
                return self.telemetry.delivered();
            }
            // Another replica has taken over, or will.
            Outcome::Deferred(_) if self.keeper.is_shared() => {
                outbox.apply(&uid, AckEvent::Deferred);
                if self.keeper.leads() {
                    self.keeper.follow();
                }
                return;
            }
            Outcome::Rejected(why) => (Loss::Refused, format!("rejected by the backend: {why}")),
            Outcome::Dropped(why) | Outcome::Deferred(why) => (Loss::Dropped, format!("dropped by an exporter: {why}")),
        };
        // Reporting it again after the next start would only duplicate it in the backends that have it.
        outbox.apply(&uid, AckEvent::Rejected);
        self.telemetry.lost(1, loss);
        if let Some(PendingEvent { namespace, name, .. }) = self.pending.remove(&uid) {
            let uid = uid.to_text();
            tracing::error!(%namespace, job = %name, %uid, problem, "the event of a finished Job is lost");
        }
    }

    /// Says that Jobs were given up of which only Events were left.
    fn count_dropped(&mut self) {
        let dropped = self.tracker.take_dropped();
        if dropped > 0 {
            self.telemetry.lost(dropped, Loss::Flood);
        }
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
        // All are sent before the next collection, even with a slow exporter.
        let rounds = states.len() / (OWNERS * lane::ON_THE_WAY) + 1;
        let patience = self.config.collection_interval.get() / u32::try_from(rounds + 1).unwrap_or(u32::MAX);
        let mut metrics = states.map(move |owner| gauges::encode(&owner, cluster.as_deref(), now));
        // Encoded points are large, so no batch is made before those ahead of it were delivered. Of states that were not
        // taken by the next time nothing is worth sending.
        let batches = std::iter::from_fn(move || {
            let metrics: Vec<_> = metrics.by_ref().take(OWNERS).collect();
            let batch = (!metrics.is_empty()).then(|| Batch::new(Payload::Metrics(metrics), Ack::unwatched()))?;
            telemetry.points(batch.payload.items());
            Some(batch)
        });
        self.metrics.send_paced(patience, batches);
    }

    /// Hands over everything that was decided, settled or not, and waits until all that can be told of is in the stored
    /// checkpoint.
    async fn finish(mut self) -> Result<(), ComponentError> {
        let now = (self.clock)();
        while self.keeper.leads() {
            while !self.events.is_idle() {
                self.events.step().await;
            }
            let Some(evidence) = self.tracker.drain(!self.keeper.is_kept()) else {
                break;
            };
            self.emit(evidence, now);
        }
        // Those that come after it send what they hold once nothing more can come.
        self.events = Lane::new(Outlet::default());
        self.metrics = Lane::new(Outlet::default());
        if self.keeper.is_kept() {
            while self.keeper.leads() && (!self.deliveries.is_empty() || !self.is_stored()) {
                tokio::select! {
                    Some((uid, outcome)) = self.deliveries.next(), if !self.deliveries.is_empty() => {
                        // An event that is dropped now is dropped because of the shutdown, and sent after the next start.
                        if !matches!(outcome, Outcome::Dropped(_)) {
                            self.settle(uid, outcome);
                        }
                    }
                    news = self.keeper.next() => match news {
                        News::Stored => self.tracker.outbox().written(),
                        News::Broken(why) => return Err(why.into()),
                        _ => {}
                    },
                }
                self.store(now, true);
            }
        }
        while let Some(Some((uid, outcome))) = self.deliveries.next().now_or_never() {
            self.settle(uid, outcome);
        }
        let left = self.deliveries.len();
        tracing::info!(
            left,
            "stopped; events that no destination has confirmed yet are with the exporters"
        );
        Ok(())
    }

    /// Whether the stored checkpoint holds all that was told of.
    fn is_stored(&mut self) -> bool {
        self.keeper.is_idle() && !self.tracker.outbox().checkpoint().is_dirty()
    }
}
