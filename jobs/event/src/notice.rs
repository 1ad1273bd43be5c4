//! The events about Jobs that have not finished and about CronJobs whose runs did not start.

use jiff::Timestamp;

use crate::attributes as attr;
use crate::evidence::Job;
use crate::outcome::Outcome;
use crate::span::span;
use crate::uid::Uid;

/// An event other than the finish of a Job.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// `k8s.job.stalled`: a Job makes no progress.
    Stalled(Box<StalledJob>),
    /// `k8s.job.recovered`: a stalled Job makes progress again, or has ended.
    Recovered(Box<RecoveredJob>),
    /// `k8s.cronjob.missed`: runs of a CronJob did not start.
    Missed(Box<MissedRuns>),
}

/// A Job that makes no progress.
#[derive(Clone, Debug, PartialEq)]
pub struct StalledJob {
    /// The Job.
    pub job: Job,
    /// The cause, the same as of a Job that fails because of it.
    pub cause: &'static str,
    /// The category of the cause.
    pub category: &'static str,
    /// The effect of running the Job again without a change: `yes`, `no`, `maybe`.
    pub retry: &'static str,
    /// One or two sentences for a person.
    pub summary: String,
    /// The next step: one or two sentences.
    pub next_step: String,
    /// The names of the Pod and the container that the cause was found on.
    pub container: Option<(String, String)>,
    /// The completion index of that Pod, if the Job is Indexed.
    pub index: Option<Box<str>>,
    /// The beginning of the stall.
    pub since: Timestamp,
    /// When the stall reached its threshold.
    pub at: Timestamp,
}

/// A Job that was stalled, and makes progress or has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveredJob {
    /// The Job.
    pub job: Job,
    /// The causes that were reported and not followed by a recovery yet, oldest first.
    pub causes: Vec<Box<str>>,
    /// The beginning of the first of these stalls.
    pub since: Timestamp,
    /// When the Job made progress again, or ended.
    pub at: Timestamp,
    /// The outcome, if the Job has ended.
    pub outcome: Option<Outcome>,
}

/// Runs of one CronJob that did not start, for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct MissedRuns {
    /// The CronJob, as the owner of a Job without a name.
    pub cronjob: Job,
    /// `spec.timeZone`.
    pub time_zone: Option<Box<str>>,
    /// The reason.
    pub reason: MissReason,
    /// The CronJob controller's message about the missed runs, verbatim; may be empty.
    pub message: String,
    /// The first slot that was missed.
    pub first: Timestamp,
    /// The last slot that was missed.
    pub last: Timestamp,
    /// The number of slots, 1 or more.
    pub count: u64,
    /// When the last of them was certain to be missed.
    pub at: Timestamp,
}

/// Why a run of a CronJob did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MissReason {
    /// The previous run was still running, and `concurrencyPolicy` is `Forbid`.
    ConcurrencyForbidden,
    /// `startingDeadlineSeconds` passed before the controller started the run.
    StartingDeadlineExceeded,
    /// More than 100 slots were due at once; the controller starts only the latest.
    TooManyMissedTimes,
    /// The controller did not act within the grace period.
    ControllerLate,
    /// The controller cannot evaluate the schedule or the time zone.
    InvalidSchedule,
    /// None of these is proven, or the controller could not create the Job.
    Unknown,
}

impl RecoveredJob {
    /// One sentence for a person.
    pub fn summary(&self) -> String {
        let seconds = self.at.duration_since(self.since).as_secs_f64();
        let stalled = format!("stalled for {} ({})", span(seconds), self.causes.join(", "));
        match self.outcome {
            None => format!("Makes progress again after being {stalled}."),
            Some(outcome) => format!("Ended ({}) after being {stalled}.", outcome.as_str()),
        }
    }
}

impl MissReason {
    /// All reasons.
    pub const ALL: [MissReason; 6] = [
        MissReason::ConcurrencyForbidden,
        MissReason::StartingDeadlineExceeded,
        MissReason::TooManyMissedTimes,
        MissReason::ControllerLate,
        MissReason::InvalidSchedule,
        MissReason::Unknown,
    ];

    /// The name in events and on points.
    pub fn as_str(self) -> &'static str {
        match self {
            MissReason::ConcurrencyForbidden => "ConcurrencyForbidden",
            MissReason::StartingDeadlineExceeded => "StartingDeadlineExceeded",
            MissReason::TooManyMissedTimes => "TooManyMissedTimes",
            MissReason::ControllerLate => "ControllerLate",
            MissReason::InvalidSchedule => "InvalidSchedule",
            MissReason::Unknown => "Unknown",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<MissReason> {
        MissReason::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl Notice {
    /// `log.record.uid` of the event: the same each time it is sent.
    pub fn record_uid(&self) -> String {
        match self {
            Notice::Stalled(stalled) => format!("{}/stalled/{}", stalled.job.uid, stalled.cause),
            Notice::Recovered(recovered) => {
                format!("{}/recovered/{}", recovered.job.uid, recovered.causes.join("+"))
            }
            Notice::Missed(missed) => {
                let uid = missed.cronjob.cronjob.as_ref().map_or("", |cronjob| &cronjob.uid);
                format!("{uid}/missed/{}", missed.first)
            }
        }
    }

    /// The key of the event's report.
    pub fn key(&self) -> Uid {
        Uid::new(&self.record_uid())
    }

    /// The Job, or the CronJob as the owner of a Job without a name.
    pub fn job(&self) -> &Job {
        match self {
            Notice::Stalled(stalled) => &stalled.job,
            Notice::Recovered(recovered) => &recovered.job,
            Notice::Missed(missed) => &missed.cronjob,
        }
    }
    /// The name of the event.
    pub fn event_name(&self) -> &'static str {
        match self {
            Notice::Stalled(_) => attr::STALLED_EVENT,
            Notice::Recovered(_) => attr::RECOVERED_EVENT,
            Notice::Missed(_) => attr::MISSED_EVENT,
        }
    }

    /// One or two sentences for a person, without the name of the Job or CronJob.
    pub fn summary(&self) -> String {
        match self {
            Notice::Stalled(stalled) => stalled.summary.clone(),
            Notice::Recovered(recovered) => recovered.summary(),
            Notice::Missed(missed) => missed.summary(),
        }
    }

    /// The kind and the name of the Job or CronJob that it is about.
    pub fn subject(&self) -> (&'static str, &str) {
        match self {
            Notice::Stalled(stalled) => ("Job", &stalled.job.name),
            Notice::Recovered(recovered) => ("Job", &recovered.job.name),
            Notice::Missed(missed) => {
                let name = missed.cronjob.cronjob.as_ref().map_or("", |cronjob| &cronjob.name);
                ("CronJob", name)
            }
        }
    }
}
