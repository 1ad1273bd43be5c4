//! The health of the receiver, and the log line about its first lists.

use collector_runtime::health::Status;
use job_watch::health::Health;

use crate::session::JobSession;

impl JobSession {
    pub(crate) fn check(&self) {
        self.report_health();
        self.watches.record_silence();
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
        let sizes = self.tracker.sizes();
        tracing::info!(
            jobs = sizes.live + sizes.reported,
            unfinished_jobs = sizes.live,
            cronjobs = sizes.cronjobs,
            pods = sizes.pods,
            "initial lists complete"
        );
    }
}
