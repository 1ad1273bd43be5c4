//! The better of two answers about one Job: what the cluster still has, and what the collector kept. Pure.
//!
//! * An unfinished Job is explained from the cluster: an earlier event cannot know its state.
//! * Of a finished Job the answer that proves more counts: a known cause, then complete evidence, then more attempts. If both
//!   prove as much, it is the collector's, which is the event that the backends received.
//! * Jobs of one name with different UIDs are different Jobs. The one that exists counts; of two deleted ones the later.

use std::cmp::Reverse;

use job_judge::{Cause, Quality};

use super::{Explained, Source};

/// The answer about a Job that is in the cluster, or that Events name, and whose name is that of a stored event.
pub(super) fn best(live: Explained, stored: Explained) -> Explained {
    let (live_job, stored_job) = (&live.evidence.job, &stored.evidence.job);
    // An Event of a CronJob names its run without a UID.
    let is_same = live_job.uid == stored_job.uid || live_job.uid.is_empty();
    let is_deleted = live_job.removed.is_some();
    if is_same {
        // A list may be older than the event of the end.
        return match live.has_ended() && rank(&live) > rank(&stored) {
            true => live,
            false => stored.noted_as_deleted(is_deleted),
        };
    }
    if is_deleted && stored_job.decided_at() > live_job.decided_at() {
        return stored.noted_as_deleted(true);
    }
    let earlier = earlier(&stored);
    let mut live = live;
    live.notes.push(earlier);
    live
}

/// How much an answer proves; more is better.
fn rank(job: &Explained) -> (bool, Reverse<u8>, usize) {
    let judgement = &job.judgement;
    let quality = match judgement.quality {
        Quality::Complete => 0,
        Quality::Partial => 1,
        Quality::Events => 2,
    };
    (
        judgement.cause != Some(Cause::Unknown),
        Reverse(quality),
        judgement.attempts.len(),
    )
}

/// The note on an earlier Job of the same name.
fn earlier(stored: &Explained) -> String {
    let job = &stored.evidence.job;
    let at = job.decided_at().map(|at| format!(" at {at}")).unwrap_or_default();
    let cause = stored.judgement.cause.map(|cause| format!(" ({})", cause.as_str()));
    format!(
        "The collector keeps the event of another Job of this name (UID {}): {}{at}{}.",
        super::notes::one_line(&job.uid),
        stored.judgement.outcome.as_str(),
        cause.unwrap_or_default()
    )
}

impl Explained {
    /// The same answer, with a note that only the collector has it.
    pub(super) fn noted_as_deleted(mut self, is_deleted: bool) -> Explained {
        if is_deleted && self.source == Source::Collector {
            self.notes
                .push("The Job is deleted; the collector kept its event.".into());
        }
        self
    }
}
