//! Why an unfinished Job makes no progress, and since when.
//!
//! * `pods.rs`: all live Pods are blocked or keep failing; `no_pods.rs`: a Job without a live Pod; `failures.rs`: attempts that
//!   fail in a row; `since.rs`: the beginning of an obstacle, and the last progress.
//! * `next_step.rs`: the next step while Kubernetes tries again.
//! * `admission.rs`: a queue or another controller; `usual.rs`: runs that are longer than usual.

mod admission;
mod failures;
mod next_step;
mod no_pods;
mod pods;
mod since;
mod usual;

use jiff::Timestamp;
use job_event::Outcome;
use job_event::evidence::{Evidence, Gap};
use serde::{Deserialize, Serialize};

use crate::advice::Advice;
use crate::attempts;
use crate::case::Case;
use crate::category::Retry;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::pending::live;
use crate::quote::one_line;
use crate::summary::{self, MAX_SUMMARY};
use failures::{NextAttempt, Streak};
use job_event::span::span;
pub(crate) use next_step::unfinished;

pub use usual::{UsualRuns, running_long};

const UNSEEN: &str = "no Pod was ever created, and the collector may not read the Events that give the reason";
const UNSEEN_NEXT_STEP: &str =
    "Look at the Events of the Job (kubectl describe job); allow the collector to list and watch Events.";

/// A Job without progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// The cause, as for a Job that fails because of it.
    pub cause: Cause,
    /// The beginning of the stall: the Job has made no progress since.
    pub since: Timestamp,
    /// How many attempts failed in a row, as the end of `Stalled for 2 min`; empty if the obstacle is another one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub attempts: String,
    /// The cause as a clause, without a full stop.
    pub why: String,
    /// The effect of running the Job again without a change.
    pub retry: Retry,
    /// The next step: one or two sentences.
    pub next_step: String,
    /// The names of the Pod and the container with the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<(String, String)>,
}

impl Stall {
    /// One sentence for a person at `now`: `Stalled for 2 min: image no/such:1 could not be pulled.`
    pub fn summary(&self, now: Timestamp) -> String {
        let Stall { attempts, why, .. } = self;
        let lasts = span(now.duration_since(self.since).as_secs_f64());
        let text = match self.cause {
            Cause::RunningLong => format!("Longer than usual: {why}."),
            Cause::AwaitingAdmission => format!("Waiting for {lasts}: {why}."),
            _ => format!("Stalled for {lasts}{attempts}: {why}."),
        };
        one_line(&text, MAX_SUMMARY)
    }
}

/// An obstacle that stops the whole Job.
struct Obstacle<'a> {
    finding: Finding<'a>,
    /// When it began.
    since: Option<Timestamp>,
    /// The attempts that failed in a row, if they are the obstacle.
    failures: Option<(Streak<'a>, NextAttempt)>,
}

/// The stall of an unfinished Job at `now`, if the evidence proves one. A Job that is suspended, that advances, or that runs
/// without an obstacle is not stalled. The caller decides how long a stall must last.
pub fn stall(evidence: &Evidence, now: Timestamp) -> Option<Stall> {
    let job = &evidence.job;
    match job.outcome() {
        Outcome::Running if job.spec.parallelism == Some(0) => return None,
        Outcome::Running => {}
        Outcome::Suspended | Outcome::Unmanaged => return admission::awaiting(job),
        _ => return None,
    }
    let case = Case {
        evidence,
        decided: Some(now),
    };
    let attempts = attempts::attempts(&case);
    let streaks = failures::streaks(&case, &attempts);
    let mut current = live(evidence);
    // A Pod that is being deleted counts only if the Job has no other Pod.
    if current.iter().any(|pod| pod.deletion.is_none()) {
        current.retain(|pod| pod.deletion.is_none());
    }
    let obstacle = match &current[..] {
        [] => no_pods::obstacle(&case, &attempts, &streaks),
        pods => pods::obstacle(&case, pods, &streaks),
    };
    let Some(Obstacle {
        finding,
        since,
        failures,
    }) = obstacle
    else {
        return admission::awaiting(job);
    };
    let advice = Advice::of(&finding);
    let (lead, why) = match failures {
        Some((streak, next)) => (streak.lead(&case), summary::why(&finding) + &next.clause(now)),
        None => (String::new(), summary::why_unfinished(&finding)),
    };
    // The error is in an Event.
    let is_unseen = finding.cause == Cause::NoPodsCreated && case.has_gap(&[Gap::EventsForbidden]);
    let (why, next_step) = match is_unseen {
        true => (UNSEEN.to_owned(), UNSEEN_NEXT_STEP),
        false => (why, advice.next_step),
    };
    Some(Stall {
        cause: finding.cause,
        since: since.max(since::last_progress(&case, &attempts, &streaks))?,
        attempts: lead,
        why,
        retry: advice.retry,
        next_step: unfinished(next_step),
        container: finding
            .pod
            .zip(finding.container)
            .map(|(pod, container)| (pod.name.to_string(), container.name.to_string())),
    })
}
