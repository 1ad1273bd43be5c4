//! A tracker that uses the recorded times.

use jiff::{SignedDuration, Timestamp};
use job_event::notice::StalledJob;
use job_event::{Evidence, Notice, Uid};
use job_judge::{Cause, stall};
use job_watch::{Observation, Source};

use super::ReplayStep;
use crate::outbox::AckEvent;
use crate::time::later;
use crate::{StallSettings, Tracker, TrackerSettings};

/// How often time stops between lines. A short recording can span centuries; beyond this number time stops at lines only.
const STOPS: usize = 200_000;
/// The least time between two stops.
const TICK: SignedDuration = SignedDuration::from_secs(1);
/// How far time advances beyond the longest threshold after the end of a recording.
const MARGIN: SignedDuration = SignedDuration::from_mins(1);
/// How long after the last line an obstacle must be proven: a container that has ended may have taken others with it.
const ENDING: SignedDuration = SignedDuration::from_secs(3);
/// How long Jobs that are known from Events only wait for a Job that may be late.
const WAIT_FOR_JOBS: SignedDuration = SignedDuration::from_mins(5);
/// The longest time between the last line and the check that finds the progress in it.
const LATE_CHECK: SignedDuration = SignedDuration::from_secs(10);

/// Plays a recording, and calls `on_step` for what it observes and emits.
pub(super) struct Player<F> {
    tracker: Tracker,
    on_step: F,
    finished: usize,
    stops_left: usize,
    /// When time stopped last.
    stopped: Timestamp,
    /// How far time advances after the end of the recording.
    runs_on: SignedDuration,
}

impl<F: FnMut(ReplayStep<'_>)> Player<F> {
    pub(super) fn new(settings: TrackerSettings, events: usize, on_step: F) -> Self {
        let runs_on = longest(&settings.stalls).saturating_add(MARGIN);
        let mut tracker = Tracker::new(settings);
        tracker.expect_all_events(events);
        Player {
            tracker,
            on_step,
            finished: 0,
            stops_left: STOPS,
            stopped: Timestamp::MIN,
            runs_on,
        }
    }

    pub(super) fn observe(&mut self, source: Source, observation: Observation, now: Timestamp) {
        (self.on_step)(ReplayStep::Observed(&observation));
        self.tracker.apply(source, observation, now);
    }

    /// How many objects the tracker and the finished Jobs are.
    pub(super) fn objects(&self) -> usize {
        let sizes = self.tracker.sizes();
        let tracked = sizes.live + sizes.reported + sizes.pods + sizes.cronjobs + sizes.early + sizes.removed;
        self.finished + tracked
    }

    /// Advances to `now`, and stops whenever an event becomes due. The line at `now` proves that nothing else happened.
    pub(super) fn run_until(&mut self, now: Timestamp) {
        self.tracker.watched_until(now);
        while let Some(at) = self.next_stop(now) {
            self.emit_notices(at, |_, _| true);
            self.emit_finished(at);
        }
        self.emit_notices(now, |_, _| true);
        self.emit_finished(now);
    }

    /// The next time before `until` at which an event becomes due.
    fn next_stop(&mut self, until: Timestamp) -> Option<Timestamp> {
        let deadlines = [self.tracker.next_deadline(), self.tracker.next_notice_deadline()];
        // A deadline that stays is one that waits for a line.
        let next = deadlines.into_iter().flatten().min()?.max(later(self.stopped, TICK));
        self.stops_left = self.stops_left.checked_sub(1).filter(|_| next < until)?;
        self.stopped = next;
        Some(next)
    }

    /// Emits everything that is due after the last line, at `end`, and returns the unfinished Jobs.
    pub(super) fn finish(mut self, end: Timestamp) -> Vec<Evidence> {
        self.run_until(end);
        while let Some(evidence) = self.tracker.drain(true) {
            self.emit(evidence);
        }
        self.tracker.recording_ends();
        self.emit_notices(end, |_, _| true);
        // Jobs that are known from Events only wait for a Job that may be late; nothing follows.
        self.emit_finished(later(end, WAIT_FOR_JOBS));
        let last = later(end, self.runs_on);
        while let Some(at) = self.next_stop(last) {
            self.emit_notices(at, |tracker, notice| outlasts_the_recording(tracker, notice, end));
        }
        self.emit_notices(last, |tracker, notice| outlasts_the_recording(tracker, notice, end));
        self.tracker.into_unfinished()
    }

    fn emit_notices(&mut self, now: Timestamp, is_proven: impl Fn(&Tracker, &Notice) -> bool) {
        while let Some(notice) = self.tracker.next_notice(now) {
            self.tracker.outbox().apply(&notice.key(), AckEvent::Acknowledged);
            if is_proven(&self.tracker, &notice) {
                (self.on_step)(ReplayStep::Notice(notice));
            }
        }
    }

    fn emit_finished(&mut self, now: Timestamp) {
        while let Some(evidence) = self.tracker.poll(now) {
            self.emit(evidence);
        }
    }

    fn emit(&mut self, evidence: Evidence) {
        self.finished += 1;
        (self.on_step)(ReplayStep::Finished(Box::new(evidence)));
    }
}

/// The longest time until a stall is reported.
fn longest(settings: &StallSettings) -> SignedDuration {
    let causes = settings.causes.values().flatten();
    causes.fold(settings.after, |longest, after| longest.max(*after))
}

/// True if a notice that becomes due after the end of the recording is certain. The obstacle must exist at the end: nothing is
/// recorded afterwards, so an absence proves nothing. A Job that runs normally may run longer than usual only because its end was
/// not recorded, and the Job controller ends a Job at its deadline. Silence proves no progress.
fn outlasts_the_recording(tracker: &Tracker, notice: &Notice, end: Timestamp) -> bool {
    let stalled = match notice {
        Notice::Stalled(stalled) => stalled,
        Notice::Recovered(recovered) => return recovered.outcome.is_some() || recovered.at <= later(end, LATE_CHECK),
        Notice::Missed(_) => return true,
    };
    let job = &stalled.job;
    let deadline = job.status.start_time.zip(job.spec.active_deadline_seconds);
    let deadline = deadline.map(|(start, seconds)| later(start, SignedDuration::from_secs(seconds)));
    stalled.at <= end || (deadline.is_none_or(|at| stalled.at < at) && exists(tracker, stalled, later(end, ENDING)))
}

/// True if the obstacle of a stall exists at `end`. The deletion is the last change of a Pod that does not end.
fn exists(tracker: &Tracker, stalled: &StalledJob, end: Timestamp) -> bool {
    let Some(evidence) = tracker.unfinished(Uid::new(&stalled.job.uid)) else {
        return false;
    };
    let lasts = [Cause::StuckTerminating, Cause::NodeLost]
        .map(Cause::as_str)
        .contains(&stalled.cause);
    stall(&evidence, end).is_some_and(|stall| stall.cause.as_str() == stalled.cause)
        || (lasts && evidence.pods.iter().any(|pod| pod.deletion.is_some()))
}
