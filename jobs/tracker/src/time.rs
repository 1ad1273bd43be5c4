//! Instants as the tracker keeps them: 8 bytes, with the microseconds that the API's finest times have.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// An instant, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(i64);

impl Time {
    /// No instant; comes before all others.
    pub(crate) const NONE: Time = Time(i64::MIN);

    /// The instant.
    pub(crate) fn get(self) -> Option<Timestamp> {
        match self {
            Time::NONE => None,
            Time(microseconds) => Timestamp::from_microsecond(microseconds).ok(),
        }
    }

    /// This one, or the other if this is none.
    pub(crate) fn or(self, other: Time) -> Time {
        if self == Time::NONE { other } else { self }
    }
}

impl Default for Time {
    fn default() -> Self {
        Time::NONE
    }
}

impl From<Option<Timestamp>> for Time {
    fn from(timestamp: Option<Timestamp>) -> Self {
        timestamp.map_or(Time::NONE, |timestamp| Time(timestamp.as_microsecond()))
    }
}

/// `time` and `by` later.
pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Verdicts that arrive together are nanoseconds apart, which keeps their order, so a deadline may lie that much farther ahead.
const SLACK: SignedDuration = SignedDuration::from_millis(1);

/// Takes an entry whose deadline has come. Deadlines lie at most `wait` ahead; one that is farther away was set before the
/// clock was set back, and has come as well.
pub(crate) fn pop_due<T: Copy + Ord>(
    deadlines: &mut BTreeSet<(Timestamp, T)>,
    wait: SignedDuration,
    now: Timestamp,
) -> Option<T> {
    if deadlines.first()?.0 <= now {
        return deadlines.pop_first().map(|(_, entry)| entry);
    }
    let is_far = deadlines.last()?.0.duration_since(now) > wait + SLACK;
    is_far.then(|| deadlines.pop_last())?.map(|(_, entry)| entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_delays_nothing() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let pop = |deadlines: &[i64], now| {
            let mut deadlines = deadlines.iter().map(|second| (at(*second), *second)).collect();
            pop_due(&mut deadlines, SignedDuration::from_secs(5), at(now))
        };
        for (now, due) in [
            (994, true),
            (995, false),
            (999, false),
            (1000, true),
            (7200, true),
            (0, true),
        ] {
            assert_eq!(pop(&[1000], now).is_some(), due, "{now}");
        }
        assert_eq!(
            pop(&[3, 1000], 0),
            Some(1000),
            "one that was set later does not hide it"
        );
        assert_eq!(pop(&[], 0), None);
        assert_eq!(later(Timestamp::MAX, SignedDuration::from_secs(1)), Timestamp::MAX);
    }

    #[test]
    fn instants_are_kept_to_the_microsecond() {
        for text in [
            "2026-11-23T20:00:00.123456Z",
            "-009999-01-02T01:59:59Z",
            "9999-12-30T22:00:00Z",
        ] {
            let timestamp: Timestamp = text.parse().unwrap();
            assert_eq!(Time::from(Some(timestamp)).get(), Some(timestamp), "{text}");
        }
        assert_eq!(Time::from(None).get(), None);
        assert!(Time::NONE < Time::from(Some(Timestamp::MIN)));
        assert_eq!(Time::NONE.or(Time(1)).or(Time(2)), Time(1));
    }
}
