//! Wall clocks: the dates and times of day of a time zone, as `time.Time` of Go.

use std::cell::Cell;

use jiff::Timestamp;
use jiff::tz::TimeZone;

const DAY: i64 = 86_400;

/// The wall clock of a time zone. Instants are seconds since 1970.
#[derive(Debug)]
pub(crate) struct Wall<'a> {
    zone: &'a TimeZone,
    /// The last period that was looked up. A search reads the clock often, nearly always in the same period.
    period: Cell<Period>,
}

/// A period without a change of the offset, and the seconds that the clock is ahead of UTC.
#[derive(Clone, Copy, Debug)]
struct Period {
    from: i64,
    until: i64,
    offset: i64,
}

/// A date in the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// From 1. A larger month belongs to a later year.
    pub(crate) month: i64,
    /// From 1. A larger day belongs to a later month.
    pub(crate) day: i64,
}

impl Wall<'_> {
    pub(crate) fn new(zone: &TimeZone) -> Wall<'_> {
        let period = Cell::new(Period {
            from: 0,
            until: 0,
            offset: 0,
        });
        Wall { zone, period }
    }

    pub(crate) fn date(&self, instant: i64) -> Date {
        Date::from_days((instant + self.offset(instant)).div_euclid(DAY))
    }

    /// The date, and the day of the week: 0 is Sunday.
    pub(crate) fn day(&self, instant: i64) -> (Date, i64) {
        let days = (instant + self.offset(instant)).div_euclid(DAY);
        // 1970 began on a Thursday.
        (Date::from_days(days), (days + 4).rem_euclid(7))
    }

    /// Seconds since midnight, if no change of the offset lies between.
    pub(crate) fn second_of_day(&self, instant: i64) -> i64 {
        (instant + self.offset(instant)).rem_euclid(DAY)
    }

    /// The instant at which the clock shows a time, as `time.Date`: if clocks skip or repeat that time, the instant according to
    /// one of the two offsets.
    pub(crate) fn instant(&self, date: Date, second_of_day: i64) -> i64 {
        let local = date.days() * DAY + second_of_day;
        local - self.offset(local - self.offset(local))
    }

    /// Seconds that the clock is ahead of UTC.
    fn offset(&self, instant: i64) -> i64 {
        let mut period = self.period.get();
        if instant < period.from || instant >= period.until {
            period = self.find(instant);
            self.period.set(period);
        }
        period.offset
    }

    fn find(&self, instant: i64) -> Period {
        let at = |instant| Timestamp::from_second(instant).unwrap_or(Timestamp::MAX);
        let before = self.zone.preceding(at(instant + 1)).next();
        let after = self.zone.following(at(instant)).next();
        Period {
            from: before.map_or(i64::MIN, |change| change.timestamp().as_second()),
            until: after.map_or(i64::MAX, |change| change.timestamp().as_second()),
            offset: self.zone.to_offset(at(instant)).seconds().into(),
        }
    }
}

/// The calendar's period of 400 years, in days, and the days from the start of its year 0 in March to 1970.
const PERIOD: i64 = 146_097;
const TO_1970: i64 = 719_468;

impl Date {
    /// Days since 1970. Years are counted from March, so that the leap day is their last day.
    fn days(self) -> i64 {
        let months = self.year * 12 + self.month - 3;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
        let (period, year) = (year.div_euclid(400), year.rem_euclid(400));
        let leap_days = year / 4 - year / 100;
        period * PERIOD + year * 365 + leap_days + (153 * month + 2) / 5 + self.day - 1 - TO_1970
    }

    fn from_days(days: i64) -> Date {
        let days = days + TO_1970;
        let (period, day) = (days.div_euclid(PERIOD), days.rem_euclid(PERIOD));
        let year = (day - day / 1460 + day / 36_524 - day / (PERIOD - 1)) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let year = period * 400 + year + i64::from(month >= 10);
        let month = if month < 10 { month + 3 } else { month - 9 };
        Date { year, month, day }
    }
}
