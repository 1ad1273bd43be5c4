//! Schedules of CronJobs, evaluated as the CronJob controller does: `robfig/cron` v3, `ParseStandard`, in a time zone.
//!
//! Pure: no I/O and no clock. Time zones come from the IANA database bundled in the executable, never from the machine, so that
//! an image without `/usr/share/zoneinfo` and a recording on another machine give the same slots. Where a time zone changes its
//! offset, the results are those of the Go library, including the surprising ones: see [`Schedule::next`].
//! `docs/decisions/0016-own-schedules.md` compares other crates.

mod due;
mod duration;
mod fields;
mod search;
mod standard;
mod wall;
mod zone;

use std::borrow::Cow;
use std::iter;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use self::fields::Fields;

pub use self::due::Due;

/// A schedule that cannot be evaluated. The text names the field, what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSchedule(pub String);

/// A schedule in its time zone. Takes 40 bytes; schedules of one time zone share its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(SlotRule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum SlotRule {
    Fields(Fields, TimeZone),
    /// `@every`, in seconds.
    Every(i64),
}

impl Schedule {
    /// Parses `spec.schedule` and `spec.timeZone` (`formatSchedule` of the controller). Without a time zone the schedule is in UTC,
    /// the zone of the controller in nearly every cluster. A schedule that contains `TZ` is read as it is, as in the controller.
    ///
    /// # Errors
    /// If the controller could not evaluate the schedule either, or if the API server refuses the time zone.
    pub fn parse(schedule: &str, time_zone: Option<&str>) -> Result<Schedule, InvalidSchedule> {
        let mut text = Cow::Borrowed(schedule);
        if let Some(name) = time_zone {
            if name.eq_ignore_ascii_case("Local") || zone::find(name).is_none() {
                return Err(zone::unknown(name));
            }
            if !schedule.contains("TZ") {
                text = Cow::Owned(format!("TZ={name} {schedule}"));
            }
        }
        standard::parse(&text).map(Schedule)
    }

    /// The first slot after `time`, in whole seconds; `None` if the library finds none within five years.
    ///
    /// When clocks go forward, a slot in the skipped time is left out; when they go back, a slot in the repeated time comes
    /// twice. If a day begins after the skipped midnight, schedules of single days may leave out that day.
    pub fn next(&self, time: Timestamp) -> Option<Timestamp> {
        let second = time.as_nanosecond().div_euclid(1_000_000_000);
        let second = i64::try_from(second).ok()?;
        let next = match &self.0 {
            SlotRule::Fields(fields, zone) => search::next(fields, zone, second)?,
            SlotRule::Every(delay) => second.checked_add(*delay)?,
        };
        Timestamp::from_second(next).ok()
    }

    /// The delay of `@every`, whose slots follow the last scheduled time; `None` for a schedule of dates and times of day.
    pub fn every(&self) -> Option<SignedDuration> {
        match self.0 {
            SlotRule::Fields(..) => None,
            SlotRule::Every(seconds) => Some(SignedDuration::from_secs(seconds)),
        }
    }

    /// The slots after `after`, up to and including `until`. They may be many (one a second): the caller limits their number.
    pub fn slots(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let first = self.next(after);
        iter::successors(first, |slot| self.next(*slot).filter(|next| next > slot))
            .take_while(move |slot| *slot <= until)
    }
}

/// A text of the user in an error: quoted, and shortened if it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
