//! The annotation `k8s-job-collector/stalled-after` of Jobs and CronJobs.

use jiff::SignedDuration;

/// The value of the annotation, in 4 bytes, because every unfinished Job has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StalledAfter(u32);

const UNSET: u32 = 0;
const INVALID: u32 = u32::MAX;
const OFF: u32 = u32::MAX - 1;
const LONGEST: u32 = u32::MAX - 3;

impl StalledAfter {
    /// The value of a text: a duration like `30m` or `1h30m`, or `off`.
    pub(crate) fn parse(text: Option<&str>) -> StalledAfter {
        let Some(text) = text.map(str::trim) else {
            return StalledAfter(UNSET);
        };
        if text.eq_ignore_ascii_case("off") {
            return StalledAfter(OFF);
        }
        let duration = text.parse::<SignedDuration>().ok().filter(|after| !after.is_negative());
        let seconds = duration.map(|after| u32::try_from(after.as_secs()).unwrap_or(LONGEST).min(LONGEST));
        StalledAfter(seconds.map_or(INVALID, |seconds| seconds + 1))
    }

    /// How long a stall lasts before it is reported, or never; `None` if the annotation is absent or invalid.
    pub(crate) fn get(self) -> Option<Option<SignedDuration>> {
        match self.0 {
            UNSET | INVALID => None,
            OFF => Some(None),
            seconds => Some(Some(SignedDuration::from_secs((seconds - 1).into()))),
        }
    }

    /// True if it is present and cannot be read.
    pub(crate) fn is_invalid(self) -> bool {
        self.0 == INVALID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_and_off() {
        let seconds = |text| {
            StalledAfter::parse(Some(text))
                .get()
                .map(|after| after.map(|after| after.as_secs()))
        };
        for (text, expected) in [
            ("30m", 1800),
            ("1h30m", 5400),
            ("2h", 7200),
            ("90s", 90),
            (" 0s ", 0),
            ("1h 30m", 5400),
            ("9999999h", i64::from(LONGEST)),
        ] {
            assert_eq!(seconds(text), Some(Some(expected)), "{text}");
        }
        assert_eq!((seconds("off"), seconds("Off")), (Some(None), Some(None)));
        for text in ["", "never", "5", "-5m", "1 fortnight"] {
            assert_eq!(seconds(text), None, "{text}");
            assert!(StalledAfter::parse(Some(text)).is_invalid(), "{text}");
        }
        assert_eq!(StalledAfter::parse(None), StalledAfter::default());
        assert!(!StalledAfter::default().is_invalid());
    }
}
