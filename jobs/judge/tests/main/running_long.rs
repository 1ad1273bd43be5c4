//! Runs that take longer than the earlier runs of their owner.

use jiff::SignedDuration;
use job_event::evidence::*;
use job_judge::{Cause, UsualRuns, running_long};

use crate::support::*;

fn usual(shortest: i64, longest: i64) -> UsualRuns {
    UsualRuns {
        runs: 30,
        shortest: SignedDuration::from_secs(shortest),
        longest: SignedDuration::from_secs(longest),
        limit: SignedDuration::from_mins(27),
    }
}

fn unfinished() -> Evidence {
    let mut evidence = job("", 0);
    evidence.job.status.conditions.clear();
    evidence
}

#[test]
fn a_run_is_long_beyond_the_limit() {
    assert_eq!(running_long(&unfinished(), &usual(360, 540), at(27 * 60)), None);
    let found = running_long(&unfinished(), &usual(360, 540), at(80 * 60)).unwrap();
    assert_eq!((found.cause, found.since), (Cause::RunningLong, at(27 * 60)));
    assert_eq!(
        found.summary(at(80 * 60)),
        "Longer than usual: running 1 h 20 min; the last 30 runs took 6 to 9 min."
    );
}

#[test]
fn the_usual_runs_are_a_range_or_one_duration() {
    for (shortest, longest, text) in [
        (362, 541, "took 6 to 9 min."),
        (362, 365, "took 6 min."),
        (5, 40, "took 5 to 40 s."),
        (50, 540, "took 50 s to 9 min."),
        (540, 4800, "took 9 min to 1 h 20 min."),
    ] {
        let found = running_long(&unfinished(), &usual(shortest, longest), at(7200)).unwrap();
        assert!(found.summary(at(7200)).ends_with(text), "{}", found.summary(at(7200)));
    }
}

#[test]
fn only_a_running_job_can_run_long() {
    let long = |evidence: &Evidence| running_long(evidence, &usual(360, 540), at(7200)).is_some();
    let mut evidence = unfinished();
    assert!(long(&evidence));
    evidence.job.spec.suspend = true;
    assert!(!long(&evidence));
    let mut evidence = unfinished();
    evidence.job.status.start_time = None;
    assert!(!long(&evidence));
    assert!(!long(&job("BackoffLimitExceeded", 20)));
}
