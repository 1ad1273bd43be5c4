//! The health of the receiver, and the log line about its first lists.

use collector_runtime::health::{Status, WatchReading};
use jiff::SignedDuration;
use job_watch::Kind;
use job_watch::health::{Health, WatchState};
use job_watch::watch::gap::Recovery;
use tokio::time::{Duration, Instant};

use crate::session::JobSession;

/// The longest silence of a watch that is current. After a longer one a Job that looks stalled may have made progress unobserved:
/// bookmarks arrive once a minute, up to 75 s apart.
const CURRENT: Duration = Duration::from_secs(80);

impl JobSession {
    pub(crate) fn check(&mut self) {
        self.report_health();
        self.watches.record_state();
        self.is_current = self.watches.are_current(&[Kind::Jobs, Kind::Pods], CURRENT);
        let (now, clock) = (Instant::now(), (self.clock)());
        for (source, at) in self.watches.proven() {
            let ago = SignedDuration::try_from(now.saturating_duration_since(at)).unwrap_or(SignedDuration::MAX);
            if let Ok(at) = clock.checked_sub(ago) {
                self.tracker.watched(source, at);
            }
        }
    }

    /// Lets a snapshot of the process show the watches.
    pub(crate) fn show_watches(&self) {
        self.watches.record_state();
        let read = self.watches.states().reader();
        self.health
            .watches(move || Some(read()?.into_iter().map(reading).collect()));
    }

    pub(crate) fn report_health(&self) {
        self.health.report(match self.watches.health() {
            Health::Starting => Status::Starting,
            Health::Ok => Status::Ok,
            Health::Failing(reason) => Status::RecoverableError(reason),
        });
    }

    pub(crate) fn log_first_lists(&mut self) {
        if self.lists_logged || !self.watches.all_listed() {
            return;
        }
        self.lists_logged = true;
        self.downtime_ends(Recovery::Relisted);
        let sizes = self.tracker.sizes();
        tracing::info!(
            jobs = sizes.live + sizes.reported,
            unfinished_jobs = sizes.live,
            cronjobs = sizes.cronjobs,
            pods = sizes.pods,
            "initial lists complete"
        );
        // A list is complete by itself, so that the next check has its proof.
        self.check();
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
