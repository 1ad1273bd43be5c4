//! Unfinished Jobs that make no progress, at one moment.

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_event::span::span;
use job_judge::{Cause, Judgement, stall};

use crate::cli::ExplainArgs;

/// How long a Job makes no progress before it counts as stalled, for every cause; the collector's default for most.
const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// How long a Job makes no progress before this command calls it stalled.
pub(super) fn threshold(args: &ExplainArgs) -> SignedDuration {
    args.stalled_after().unwrap_or(STALLED_AFTER)
}

/// Adds the stall of an unfinished Job to its judgement if it has lasted for `after`, and returns its beginning. A Job that
/// waits for a queue or another controller is not stalled: only the sentence and the next step name it.
pub(super) fn add(
    evidence: &Evidence,
    judgement: &mut Judgement,
    after: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    let stall = stall(evidence, now).filter(|stall| now.duration_since(stall.since) >= after)?;
    let waits = stall.cause == Cause::AwaitingAdmission;
    let verb = if waits { "waiting" } else { "stalled" };
    judgement.summary = format!(
        "Not finished, {verb} for {}{}: {}.",
        lasting(stall.since, now),
        stall.attempts,
        stall.why
    );
    judgement.next_step = Some(stall.next_step);
    if waits {
        return None;
    }
    judgement.cause = Some(stall.cause);
    judgement.category = Some(stall.cause.category());
    judgement.retry = Some(stall.retry);
    Some(stall.since)
}

/// `12 min (since 14:03:10Z)`; with the date if it is another day, in UTC.
pub(super) fn lasting(since: Timestamp, now: Timestamp) -> String {
    let lasted = now.duration_since(since);
    // Seconds do not matter after ten minutes.
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
    format!("{} (since {start})", span(lasted as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_of_an_earlier_day_has_its_date() {
        let text = |since: &str| lasting(since.parse().unwrap(), "2026-11-28T14:15:40.9Z".parse().unwrap());
        assert_eq!(text("2026-11-28T14:03:10Z"), "12 min (since 14:03:10Z)");
        assert_eq!(text("2026-11-28T14:13:10Z"), "2 min 30 s (since 14:13:10Z)");
        assert_eq!(text("2026-11-27T13:15:40Z"), "1 d 1 h (since 2026-11-27T13:15:40Z)");
    }
}
