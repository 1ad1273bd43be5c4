//! The better of two answers about one Job: from the objects of the cluster, and from the event that the collector stores. Pure.
//!
//! * An unfinished Job is explained from the cluster: an earlier event cannot know its state.
//! * The answer about a finished Job that proves more counts: a known cause, then complete evidence, then more attempts. If both
//!   prove as much, it is the collector's, which is the event that the backends received.
//! * Jobs of one name with different UIDs are different Jobs. The one that exists counts; of two deleted ones the later.

use std::cmp::Reverse;

use job_judge::{Cause, Quality};

use super::{AnswerSource, Explained};

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
        if is_deleted && self.source == AnswerSource::Collector {
            self.notes
                .push("The Job is deleted; the collector kept its event.".into());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use job_event::Evidence;
    use job_event::evidence::{Condition, Gap, Job, JobStatus, Removal};
    use job_judge::{Judgement, judge};

    use super::*;

    const LATE: &str = "2026-11-29T02:00:00Z";
    const EARLY: &str = "2026-11-29T01:00:00Z";

    /// A Job that failed at this time; unfinished without a time.
    fn job(source: AnswerSource, uid: &str, failed: Option<&str>) -> Explained {
        let condition = failed.map(|at| Condition {
            kind: "FailureTarget".into(),
            is_true: true,
            reason: "BackoffLimitExceeded".into(),
            since: at.parse().ok(),
            ..Condition::default()
        });
        let evidence = Evidence {
            job: Job {
                uid: uid.into(),
                status: JobStatus {
                    conditions: condition.into_iter().collect(),
                    ..JobStatus::default()
                },
                ..Job::default()
            },
            pods: Vec::new(),
            events: Vec::new(),
            gaps: Vec::new(),
        };
        Explained {
            judgement: judge(&evidence),
            evidence,
            source,
            stalled_since: None,
            notes: Vec::new(),
            log: None,
        }
    }

    fn proving(mut job: Explained, cause: Cause, quality: Quality) -> Explained {
        job.judgement = Judgement {
            cause: Some(cause),
            quality,
            ..job.judgement
        };
        job
    }

    fn deleted(mut job: Explained) -> Explained {
        job.evidence.job.removed = Some(Removal {
            at: LATE.parse().unwrap(),
            replaced: false,
        });
        job.evidence.gaps = vec![Gap::EndNotSeen];
        job
    }

    #[test]
    fn the_answer_that_proves_more_counts() {
        let (unknown, oom) = (Cause::Unknown, Cause::OutOfMemory);
        let (complete, partial, events) = (Quality::Complete, Quality::Partial, Quality::Events);
        for (live, stored, expected) in [
            ((oom, complete), (oom, complete), AnswerSource::Collector),
            ((unknown, partial), (oom, complete), AnswerSource::Collector),
            ((oom, complete), (oom, partial), AnswerSource::Cluster),
            ((oom, events), (oom, partial), AnswerSource::Collector),
            ((oom, events), (unknown, partial), AnswerSource::Cluster),
        ] {
            let live = proving(job(AnswerSource::Cluster, "u", Some(LATE)), live.0, live.1);
            let stored = proving(job(AnswerSource::Collector, "u", Some(LATE)), stored.0, stored.1);
            assert_eq!(best(live, stored).source, expected);
        }
    }

    #[test]
    fn an_event_of_the_end_is_newer_than_a_list_without_it() {
        let unfinished = job(AnswerSource::Cluster, "u", None);
        let stored = job(AnswerSource::Collector, "u", Some(LATE));
        assert_eq!(best(unfinished, stored).source, AnswerSource::Collector);
    }

    #[test]
    fn an_event_of_another_uid_is_a_note_on_a_job_that_exists() {
        for end in [None, Some(EARLY)] {
            let found = best(
                job(AnswerSource::Cluster, "new", end),
                job(AnswerSource::Collector, "old", Some(LATE)),
            );
            assert_eq!((found.source, found.notes.len()), (AnswerSource::Cluster, 1));
            let note = &found.notes[0];
            assert!(
                note.contains("(UID old): Failed at 2026-11-29T02:00:00Z (Unknown)."),
                "{note}"
            );
        }
    }

    #[test]
    fn the_later_of_two_deleted_jobs_counts() {
        let source = |live: &str, stored: &str| {
            let live = deleted(job(AnswerSource::Cluster, "a", Some(live)));
            best(live, job(AnswerSource::Collector, "b", Some(stored))).source
        };
        assert_eq!(source(EARLY, LATE), AnswerSource::Collector);
        assert_eq!(source(LATE, EARLY), AnswerSource::Cluster);
        // An Event of the CronJob names its run without a UID.
        let run = deleted(job(AnswerSource::Cluster, "", Some(LATE)));
        let found = best(run, job(AnswerSource::Collector, "b", Some(EARLY)));
        assert_eq!(found.notes, ["The Job is deleted; the collector kept its event."]);
    }
}
