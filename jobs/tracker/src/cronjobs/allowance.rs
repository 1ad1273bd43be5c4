//! How many Events the CronJob controller may still write about one CronJob before it drops them.
//!
//! Source: `EventSourceObjectSpamFilter` of client-go (`tools/record/events_cache.go`): 25 about one object, then one in 300
//! seconds. A CronJob that runs every few minutes exhausts them, and a missing Event then proves nothing.

use super::slots::EVENTS_KEPT;

/// The most Events at once.
const BURST: i64 = 25;
/// The seconds in which one more is allowed.
const REFILL: i64 = 300;

/// The allowance at one time, in the seconds that it takes to refill. Never more than the controller really has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    seconds: i64,
    at: i64,
}

impl Allowance {
    /// The allowance of a CronJob that is first observed at `now`. Events of the last hour can be read; before that, any number may
    /// have been written.
    pub(crate) fn known_from(created: i64, now: i64) -> Allowance {
        match now - EVENTS_KEPT {
            hour_ago if created > hour_ago => Allowance {
                seconds: BURST * REFILL,
                at: created,
            },
            hour_ago => Allowance {
                seconds: 0,
                at: hour_ago,
            },
        }
    }

    /// An Event was written at `at`, for the `count`-th time.
    pub(crate) fn wrote(&mut self, at: i64, count: i64) {
        let passed = (at - self.at).max(0);
        self.at = self.at.max(at);
        self.seconds = (self.seconds + passed).min(BURST * REFILL);
        self.seconds = (self.seconds - REFILL.saturating_mul(count)).max(0);
    }

    /// True if the controller could write an Event at `time` and since.
    pub(crate) fn at_least_one(&self, time: i64) -> bool {
        self.seconds + time - self.at >= REFILL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_events_exhaust_it() {
        let mut allowance = Allowance::known_from(9000, 10_000);
        assert!(allowance.at_least_one(9000));
        for minute in 0..BURST {
            assert!(allowance.at_least_one(10_000), "{minute}");
            allowance.wrote(10_000, 1);
        }
        // Full after 1,000 s, so the refill of that time is lost.
        assert!(!allowance.at_least_one(10_000));
        assert!(allowance.at_least_one(10_300));
    }

    #[test]
    fn an_old_cronjob_may_have_exhausted_it() {
        let mut allowance = Allowance::known_from(0, 10_000);
        assert!(!allowance.at_least_one(6_600));
        assert!(allowance.at_least_one(9_000));
        allowance.wrote(9_500, 12);
        assert!(!allowance.at_least_one(9_600));
    }
}
