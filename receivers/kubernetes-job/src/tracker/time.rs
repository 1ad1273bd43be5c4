//! Instants as the tracker keeps them: 8 bytes, with the microseconds that the API's finest times have.

use jiff::Timestamp;

/// An instant, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// No instant; comes before all others.
    pub const NONE: Time = Time(i64::MIN);

    /// The instant.
    pub fn get(self) -> Option<Timestamp> {
        match self {
            Time::NONE => None,
            Time(microseconds) => Timestamp::from_microsecond(microseconds).ok(),
        }
    }

    /// This one, or the other if this is none.
    pub fn or(self, other: Time) -> Time {
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

#[cfg(test)]
mod tests {
    use super::*;

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
