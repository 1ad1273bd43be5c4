//! The running receiver: watches → tracker → outbox → pipeline, and the outcome of each event back to the outbox.
//!
//! `docs/exactly-once.md` describes the order of acknowledgements and writes.

use std::collections::HashSet;

use collector_runtime::component::{ComponentError, Running};
use collector_runtime::health::Reporter;
use jiff::SignedDuration;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::{MissedRunSettings, Tracker, TrackerSettings};
use job_watch::watch::SourceUpdate;
use job_watch::watch::gap::Recovery;
use job_watch::watches::Watches;
use job_watch::{Kind, Observation};
use kube::Client;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::backlog::Backlog;
use crate::batch_sender::BatchSender;
use crate::checkpoint_store::CheckpointStore;
use crate::config::JobReceiverConfig;
use crate::events::Events;
use crate::gauge_limit::GaugeLimit;
use crate::receiver::WallClock;
use crate::succession::Successor;
use crate::telemetry::Telemetry;

/// How often the health of the watches is checked: time alone makes a watch stale.
const CHECK: Duration = Duration::from_secs(5);
/// How long a check waits for something else that wakes the receiver.
const CHECK_SLACK: Duration = Duration::from_secs(1);
/// How long Jobs wait, once they are listed, for the other first lists, which hold their evidence.
const FIRST_LISTS: Duration = Duration::from_secs(60);

/// The state of the running receiver.
pub(crate) struct JobSession {
    pub(crate) config: JobReceiverConfig,
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: WallClock,
    pub(crate) health: Reporter,
    pub(crate) tracker: Tracker,
    pub(crate) watches: Watches,
    pub(crate) events: Events,
    pub(crate) gauges: BatchSender,
    pub(crate) gauge_limit: GaugeLimit,
    pub(crate) store: CheckpointStore,
    pub(crate) backlog: Backlog,
    /// How long no collector ran before this one, until the watch of Jobs has recovered.
    pub(crate) downtime: Option<Duration>,
    /// True if the watches of Jobs and Pods are not silent.
    pub(crate) is_current: bool,
    /// True once the sizes of the first lists are logged.
    pub(crate) lists_logged: bool,
    /// The scopes whose Jobs are listed.
    pub(crate) listed_scopes: HashSet<u16>,
    /// Jobs are reported without the first lists from then on; `None` before Jobs are listed.
    pub(crate) first_lists_until: Option<Instant>,
}

impl JobSession {
    pub(crate) fn new(successor: Successor, watches: Watches, store: CheckpointStore) -> Self {
        let Successor {
            config,
            telemetry,
            clock,
            health,
            outputs,
        } = successor;
        let cluster_name = config.cluster_name.clone();
        JobSession {
            events: Events::new(outputs.logs, store.is_shared(), cluster_name, telemetry.clone()),
            gauges: BatchSender::new(outputs.metrics),
            gauge_limit: GaugeLimit::new(config.cardinality_limit, &telemetry),
            tracker: Tracker::new(tracker_settings(&config)),
            backlog: Backlog::new(),
            downtime: None,
            is_current: false,
            lists_logged: false,
            listed_scopes: HashSet::new(),
            first_lists_until: None,
            config,
            telemetry,
            clock,
            health,
            watches,
            store,
        }
    }

    /// The session with the unacknowledged events of another one.
    pub(crate) fn with_events(mut self, mut events: Events) -> Self {
        events.continue_as(self.events);
        self.events = events;
        self
    }

    /// Resumes from a checkpoint, starts the watches, and runs.
    pub(crate) async fn start(
        mut self,
        client: Client,
        inherited: Option<Checkpoint>,
        running: Running,
    ) -> Result<(), ComponentError> {
        // The checkpoint must be read before the first list.
        match running.shutdown.run_until_cancelled(self.resume(inherited)).await {
            Some(resumed) => resumed?,
            None => return Ok(()),
        }
        // The watches outlive a receiver that leaves them to its successor.
        self.watches.start(&client, &CancellationToken::new());
        self.run(running).await
    }

    pub(crate) async fn run(mut self, running: Running) -> Result<(), ComponentError> {
        self.show_watches();
        let period = self.config.collection_interval.get();
        let mut collect = interval_at(Instant::now() + period, period);
        collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first check follows the first lists, so that it finds all of them complete.
        let mut next_check = Instant::now() + CHECK;
        let mut updates = Vec::new();
        loop {
            let next_report = self.next_report();
            tokio::select! {
                () = running.shutdown.cancelled() => break,
                received = self.watches.recv(&mut updates) => {
                    received?;
                    self.observe(updates.drain(..));
                }
                event = self.store.next() => self.on_store_event(event?),
                outcome = self.events.next() => self.on_outcome(outcome),
                () = next_report => {}
                () = self.gauges.step() => {}
                _ = collect.tick(), if self.store.leads() && self.watches.all_listed() => self.collect(),
                () = sleep_until(next_check + CHECK_SLACK) => {}
            }
            if Instant::now() >= next_check {
                self.check();
                next_check = Instant::now() + CHECK;
            }
            let now = (self.clock)();
            self.report_next(now);
            self.tracker.record_positions(now, self.watches.positions());
            self.save(now, false);
            self.watch_backlog(now);
        }
        if self.may_be_left(&running) {
            self.leave(&running.succession);
            return Ok(());
        }
        // Updates already received count: the next start ignores Jobs that finished before it.
        let left = self.watches.stop().await;
        self.observe(left);
        self.finish().await?.leave_checkpoint(&running)
    }

    pub(crate) fn observe(&mut self, updates: impl IntoIterator<Item = SourceUpdate>) {
        let (now, mut clock) = (Instant::now(), (self.clock)());
        for update in updates {
            let waited = SignedDuration::try_from(update.extra_wait).unwrap_or(SignedDuration::MAX);
            if let Some((source, observation)) = self.watches.observe(update, now) {
                match (source.kind, &observation) {
                    (Kind::Jobs, Observation::ReplayEnds { complete: true }) => self.downtime_ends(Recovery::Resumed),
                    (Kind::Jobs, Observation::ListEnds) if self.listed_scopes.insert(source.scope) => {
                        self.first_lists_until = Some(now + FIRST_LISTS);
                    }
                    _ => {}
                }
                self.tracker.apply_waited(source, observation, clock, waited);
                // Jobs are reported in the order in which their verdicts arrive, those of one tick too.
                clock = clock.checked_add(SignedDuration::from_nanos(1)).unwrap_or(clock);
            }
        }
        self.log_invalid_annotations();
        self.report_health();
        self.log_first_lists();
    }
}

pub(crate) fn tracker_settings(config: &JobReceiverConfig) -> TrackerSettings {
    let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    TrackerSettings {
        settle: signed(config.settle_time.get()),
        on_first_start: config.on_first_start,
        finished_max_age: signed(config.finished_max_age.get()),
        recovers: config.label_selector.is_empty(),
        stalls: config.stalled.settings(),
        missed: MissedRunSettings {
            selects_jobs: !config.label_selector.is_empty(),
            ..config.missed_runs.settings()
        },
        owner: config.owner.settings(),
    }
}
