//! The state that a receiver leaves when a reload replaces it.
//!
//! A successor that observes and decides alike continues the watches, so nothing is missed. Another one lists again and
//! resumes from the checkpoint, which this process keeps in memory, as after a restart.

use collector_runtime::Outputs;
use collector_runtime::component::{ComponentError, Running};
use collector_runtime::health::Reporter;
use collector_runtime::succession::Succession;
use jiff::Timestamp;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use tokio::time::{Duration, timeout};

use crate::batch_sender::BatchSender;
use crate::config::JobReceiverConfig;
use crate::events::Events;
use crate::gauge_limit::GaugeLimit;
use crate::receiver::WallClock;
use crate::session::{JobSession, tracker_settings};
use crate::telemetry::Telemetry;

/// How long a receiver with a shared store waits for acknowledgements before its successor begins.
const LEAVING: Duration = Duration::from_secs(5);

/// The settings and handles of a successor.
pub(crate) struct Successor {
    pub(crate) config: JobReceiverConfig,
    pub(crate) telemetry: Telemetry,
    pub(crate) clock: WallClock,
    pub(crate) health: Reporter,
    pub(crate) outputs: Outputs,
}

/// The state that a receiver leaves.
pub(crate) enum Left {
    /// It runs on.
    Session(Box<JobSession>),
    /// It has ended, with these unacknowledged events.
    Checkpoint(Box<(Checkpoint, Events)>),
}

/// The use of a session that a predecessor left.
pub(crate) enum Inherited {
    /// It continues.
    Session(Box<JobSession>),
    /// Another session begins.
    Start(Box<Start>),
}

/// The beginning of a session.
pub(crate) struct Start {
    pub(crate) successor: Successor,
    /// A checkpoint that is later than the stored one, and the events in it that are not acknowledged.
    pub(crate) checkpoint: Option<(Checkpoint, Events)>,
}

impl Left {
    /// Passes the state to the successor.
    ///
    /// # Errors
    /// If the store is unusable.
    pub(crate) async fn pass_to(self, successor: Successor) -> Result<Inherited, ComponentError> {
        match self {
            Left::Session(session) => session.pass_to(successor).await,
            Left::Checkpoint(checkpoint) => Ok(Inherited::Start(Box::new(Start {
                successor,
                checkpoint: Some(*checkpoint),
            }))),
        }
    }
}

impl Inherited {
    pub(crate) fn nothing(successor: Successor) -> Inherited {
        Inherited::Start(Box::new(Start {
            successor,
            checkpoint: None,
        }))
    }
}

impl JobSession {
    /// True if a successor may continue this session, or resume from its checkpoint. With a store that the successor does
    /// not use or that restarts, the session ends as on shutdown.
    pub(crate) fn may_be_left(&self, running: &Running) -> bool {
        running.is_replaced() && (running.succession.keeps_services() || !self.store.is_configured())
    }

    /// Leaves the session to the successor. The batches that wait for room follow their outlets.
    pub(crate) fn leave(mut self, succession: &Succession) {
        for mut sender in [self.events.take_sender(), self.gauges.take()] {
            if !sender.is_idle() {
                succession.finish_later(async move {
                    while !sender.is_idle() {
                        sender.step().await;
                    }
                });
            }
        }
        succession.leave(Left::Session(Box::new(self)));
    }

    /// Leaves the checkpoint of an ended session to the successor, if there is one: its store may be another one, or none.
    pub(crate) fn leave_checkpoint(mut self, running: &Running) -> Result<(), ComponentError> {
        // Another replica may write to a shared store meanwhile.
        if running.is_replaced() && !self.store.is_shared() {
            let checkpoint = self.checkpoint((self.clock)())?;
            running
                .succession
                .leave(Left::Checkpoint(Box::new((checkpoint, self.events))));
        }
        Ok(())
    }

    fn checkpoint(&mut self, now: Timestamp) -> Result<Checkpoint, ComponentError> {
        let encoded = self.tracker.outbox().encode(now);
        Ok(Checkpoint::decode(encoded, self.store.limits().tombstones)?.unsaved())
    }

    /// Continues as, or gives its state to, the successor.
    ///
    /// # Errors
    /// If the store is unusable.
    async fn pass_to(mut self, successor: Successor) -> Result<Inherited, ComponentError> {
        if self.config.is_continued_by(&successor.config) {
            self.continue_as(successor);
            return Ok(Inherited::Session(Box::new(self)));
        }
        self.events.reconnect(successor.outputs.logs.clone());
        let left = self.watches.stop().await;
        self.observe(left);
        if self.store.is_shared() {
            // Another replica may lead meanwhile, so the store has the truth. Jobs that are not acknowledged in time are reported
            // again, as after a restart: an unavailable backend must not keep the successor from watching.
            if let Ok(finished) = timeout(LEAVING, self.finish()).await {
                finished?;
            }
            return Ok(Inherited::nothing(successor));
        }
        let now = (self.clock)();
        self.events.flush().await;
        while let Some(evidence) = self.tracker.drain(false) {
            self.events.emit(evidence, now);
            self.events.flush().await;
        }
        // However these end, they are not reported again.
        for uid in self.events.pending() {
            self.tracker.outbox().apply(&uid, AckEvent::Acknowledged);
        }
        let checkpoint = self.checkpoint(now)?;
        Ok(Inherited::Start(Box::new(Start {
            successor,
            checkpoint: Some((checkpoint, self.events)),
        })))
    }

    fn continue_as(&mut self, successor: Successor) {
        let Successor {
            config,
            telemetry,
            clock,
            health,
            outputs,
        } = successor;
        self.tracker.change_settings(tracker_settings(&config));
        let cluster_name = config.cluster_name.clone();
        let events = Events::new(outputs.logs, self.store.is_shared(), cluster_name, telemetry.clone());
        self.events.continue_as(events);
        self.gauges = BatchSender::new(outputs.metrics);
        if config.cardinality_limit != self.config.cardinality_limit {
            self.gauge_limit = GaugeLimit::new(config.cardinality_limit, &telemetry);
        }
        self.store.report_to(&health);
        self.config = config;
        self.telemetry = telemetry;
        self.clock = clock;
        self.health = health;
        self.report_health();
    }
}
