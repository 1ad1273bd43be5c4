//! Unfinished Jobs that make no progress, at one moment.

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_event::span::span;
use job_judge::{Cause, Judgement, Stall, stall};

use crate::cli::ExplainArgs;

/// How long a Job makes no progress before it counts as stalled, for every cause; the collector's default for most.
const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// When an unfinished Job counts as stalled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threshold {
    after: SignedDuration,
    /// False if a Job that waits for a queue or another controller is not stalled.
    counts_waiting: bool,
}

impl Threshold {
    /// The threshold of a command line: such a wait is usual, so it counts only if asked for.
    pub(super) fn of(args: &ExplainArgs) -> Threshold {
        Threshold {
            after: args.stalled_after().unwrap_or(STALLED_AFTER),
            counts_waiting: args.stalled_after.is_some(),
        }
    }

    /// The stall of an unfinished Job, if it has lasted long enough.
    pub(super) fn stall(self, evidence: &Evidence, now: Timestamp) -> Option<Stall> {
        stall(evidence, now)
            .filter(|stall| now.duration_since(stall.since) >= self.after)
            .filter(|stall| self.counts_waiting || stall.cause != Cause::AwaitingAdmission)
    }
}

/// Adds a stall to the judgement of an unfinished Job.
pub(super) fn add(stall: &Stall, judgement: &mut Judgement, now: Timestamp) {
    let verb = match stall.cause {
        Cause::AwaitingAdmission => "waiting",
        _ => "stalled",
    };
    judgement.cause = Some(stall.cause);
    judgement.category = Some(stall.cause.category());
    judgement.retry = Some(stall.retry);
    judgement.summary = format!(
        "Not finished, {verb} for {}{}: {}.",
        lasting(stall.since, now),
        stall.attempts,
        stall.why
    );
    judgement.next_step = Some(stall.next_step.clone());
}

/// `12 min, since 14:03:10Z`; with the date if it is another day, in UTC.
fn lasting(since: Timestamp, now: Timestamp) -> String {
    let lasted = now.duration_since(since);
    // Seconds say nothing about a stall of minutes.
    let lasted = match lasted.as_secs() {
        seconds @ 600.. => seconds - seconds % 60,
        seconds => seconds,
    };
    let start = Timestamp::from_second(since.as_second()).unwrap_or(since).to_string();
    let today = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    let start = match (start.split_once('T'), today.split_once('T')) {
        (Some((day, time)), Some((this_day, _))) if day == this_day => time,
        _ => &start,
    };
    format!("{}, since {start}", span(lasted as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_of_an_earlier_day_has_its_date() {
        let text = |since: &str| lasting(since.parse().unwrap(), "2026-11-28T14:15:40.9Z".parse().unwrap());
        assert_eq!(text("2026-11-28T14:03:10Z"), "12 min, since 14:03:10Z");
        assert_eq!(text("2026-11-28T14:13:10Z"), "2 min 30 s, since 14:13:10Z");
        assert_eq!(text("2026-11-27T13:15:40Z"), "1 d 1 h, since 2026-11-27T13:15:40Z");
    }
}
