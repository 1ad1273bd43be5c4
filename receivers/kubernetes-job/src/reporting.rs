//! When the next event is emitted, and what follows from its outcome.

use std::time::Duration;

use collector_data::Outcome;
use jiff::Timestamp;
use job_event::{Notice, Uid};
use job_tracker::InvalidAnnotation;
use job_watch::Kind;
use tokio::time::{Instant, sleep};

use crate::session::JobSession;
use crate::telemetry::Loss;

/// The longest sleep; the wall clock may be set in between.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl JobSession {
    pub(crate) fn on_outcome(&mut self, outcome: Option<(Uid, Outcome)>) {
        if let Some((uid, outcome)) = outcome
            && self.events.settle(self.tracker.outbox(), uid, outcome)
            && self.store.leads()
        {
            self.store.stand_by();
        }
    }

    /// Sends one event, if the pipeline has taken the one before. The other finished Jobs wait in the tracker, where they are
    /// small.
    pub(crate) fn report_next(&mut self, now: Timestamp) {
        if !self.may_report() {
            return;
        }
        if let Some(uid) = self.tracker.outbox().resend() {
            self.events.send(uid);
        } else if let Some(notice) = self.next_notice(now) {
            self.events.emit_notice(&notice, now);
        } else if let Some(evidence) = self.tracker.poll(now) {
            self.events.emit(evidence, now);
        }
    }

    /// The next notice.
    pub(crate) fn next_notice(&mut self, now: Timestamp) -> Option<Notice> {
        self.may_notice().then(|| self.tracker.next_notice(now))?
    }

    /// False while a list is incomplete, or a watch fails or is silent: a Job that has made progress unobserved would be a false alarm.
    fn may_notice(&self) -> bool {
        let is_behind = || self.tracker.is_behind(&[Kind::Jobs, Kind::Pods], (self.clock)());
        self.is_current && self.watches.all_listed() && !is_behind()
    }

    fn may_report(&self) -> bool {
        self.events.is_idle() && self.store.leads() && self.has_room() && self.has_evidence()
    }

    /// True if the store allows another Job that is reported and not stored.
    pub(crate) fn has_room(&self) -> bool {
        !self.store.is_configured() || self.tracker.unstored() < self.store.limits().unstored
    }

    /// True once the first lists are complete, or have taken too long: evidence of Jobs that finished before the start is in other
    /// lists than theirs.
    pub(crate) fn has_evidence(&self) -> bool {
        self.watches.all_listed() || self.first_lists_until.is_some_and(|until| Instant::now() >= until)
    }

    /// Resolves when the tracker may have a Job to report.
    pub(crate) fn next_report(&self) -> impl Future<Output = ()> + use<> {
        let may_report = self.may_report();
        // The checks of the watches wake an idle receiver often enough for notices that take minutes anyway.
        let may_wait = self.config.are_notices_patient() && !self.tracker.has_notices_to_decide();
        let notices = self.tracker.next_notice_deadline();
        let notices = notices.filter(|_| !may_wait && self.may_notice());
        let deadlines = [self.tracker.next_deadline(), notices];
        let deadline = deadlines.into_iter().flatten().min().filter(|_| may_report);
        let wait = deadline.map(|deadline| {
            let left = Duration::try_from(deadline.duration_since((self.clock)()));
            left.unwrap_or_default().min(LONGEST_SLEEP)
        });
        async move {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    pub(crate) fn log_invalid_annotations(&mut self) {
        while let Some(InvalidAnnotation {
            kind,
            namespace,
            name,
            annotation,
            value,
            expected,
        }) = self.tracker.take_invalid_annotation()
        {
            tracing::warn!(
                kind,
                %namespace,
                %name,
                annotation,
                %value,
                expected,
                "ignored an invalid annotation"
            );
        }
    }

    pub(crate) fn watch_backlog(&mut self, now: Timestamp) {
        let (waiting, since) = (self.tracker.decided(), self.tracker.next_deadline());
        if self.backlog.log(waiting, since, now) {
            self.telemetry.pending(waiting);
        }
        let dropped = self.tracker.take_dropped();
        if dropped > 0 {
            self.telemetry.lost(dropped, Loss::Flood);
        }
    }
}
