//! Jobs without a live Pod.

use job_event::evidence::Gap;

use super::Obstacle;
use super::failures::Streak;
use crate::attempts::PodAttempt;
use crate::case::{Case, shifted};
use crate::cause::Cause;
use crate::rules::{admission, verdict};

/// How long a Job may be without a Pod and without an error, seconds: the Job controller of a busy cluster takes its time.
const SLOW_CONTROLLER_SECONDS: i64 = 60;

/// The obstacle of a Job without a live Pod: none could be created, or attempts fail one after the other. A Job that waits for
/// its first retry, or for the next Pod after a success, has none.
pub(super) fn obstacle<'a>(
    case: &Case<'a>,
    attempts: &[PodAttempt<'a>],
    streaks: &[Streak<'a>],
) -> Option<Obstacle<'a>> {
    if case.evidence.pods.is_empty() {
        return never_any(case);
    }
    if case.has_gap(&[Gap::PodsForbidden, Gap::PodsNotSelected]) {
        return None;
    }
    refused(case, attempts).or_else(|| {
        let streak = streaks
            .iter()
            .filter(|streak| streak.is_repeated())
            .max_by_key(|streak| streak.ended())?;
        Some(Obstacle {
            finding: streak.finding()?,
            since: streak.began(),
            failures: Some((streak.clone(), streak.next_pod())),
        })
    })
}

/// A Job that never had a Pod. Evidence: that of a Job that fails so.
fn never_any<'a>(case: &Case<'a>) -> Option<Obstacle<'a>> {
    let finding = verdict::no_pods(case);
    let status = &case.job().status;
    let began = status.start_time.or(case.job().created)?;
    let since = match finding.cause {
        Cause::Unknown => return None,
        Cause::NoPodsCreated if case.decided? < shifted(began, SLOW_CONTROLLER_SECONDS) => return None,
        Cause::NoPodsCreated => Some(began),
        _ => admission::refused_since(case, None),
    };
    Some(Obstacle {
        finding,
        since,
        failures: None,
    })
}

/// No further Pod can be created. Evidence: Event `FailedCreate` after the creation of the last Pod, and no active Pod.
fn refused<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>]) -> Option<Obstacle<'a>> {
    if case.job().status.active > 0 {
        return None;
    }
    let created = case.evidence.pods.iter().map(|pod| pod.created).max().flatten();
    let created = created.max(case.job_event("SuccessfulCreate").and_then(|event| event.last));
    let since = admission::refused_since(case, created)?;
    let ended = attempts.iter().map(|attempt| attempt.end).max().flatten();
    Some(Obstacle {
        finding: admission::failed_create(case)?,
        since: Some(since).max(ended),
        failures: None,
    })
}
