//! The search for the next slot: `SpecSchedule.Next` of `robfig/cron` v3.
//!
//! It follows the library step by step, because the results at changes of the offset follow from the steps.

use jiff::tz::TimeZone;

use crate::fields::Fields;
use crate::wall::{Date, Wall};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// The first slot after an instant. Both are seconds since 1970.
pub(crate) fn next(fields: &Fields, zone: &TimeZone, after: i64) -> Option<i64> {
    if fields.never_match() {
        return None;
    }
    let wall = Wall::new(zone);
    let last_year = wall.date(after + 1).year + 5;
    let mut search = Search {
        fields,
        wall,
        at: after + 1,
        is_moved: false,
    };
    while search.wall.date(search.at).year <= last_year {
        if search.month()? == FieldMatch::Matches
            && search.day()? == FieldMatch::Matches
            && search.hour() == FieldMatch::Matches
            && search.minute() == FieldMatch::Matches
            && search.second() == FieldMatch::Matches
        {
            return Some(search.at);
        }
    }
    None
}

#[derive(PartialEq)]
enum FieldMatch {
    Matches,
    /// The field began again at its first value, so that the larger fields are compared again.
    Wraps,
}

struct Search<'a> {
    fields: &'a Fields,
    wall: Wall<'a>,
    at: i64,
    /// The smaller fields are at their first values.
    is_moved: bool,
}

impl Search<'_> {
    fn month(&mut self) -> Option<FieldMatch> {
        loop {
            let date = self.wall.date(self.at);
            if self.fields.month >> date.month & 1 == 1 {
                return Some(FieldMatch::Matches);
            }
            self.start_at(|wall, _| wall.instant(Date { day: 1, ..date }, 0));
            self.advance(|date| Date {
                month: date.month + 1,
                ..date
            })?;
            if self.wall.date(self.at).month == 1 {
                return Some(FieldMatch::Wraps);
            }
        }
    }

    fn day(&mut self) -> Option<FieldMatch> {
        loop {
            let (date, weekday) = self.wall.day(self.at);
            if self.day_matches(date.day, weekday) {
                return Some(FieldMatch::Matches);
            }
            self.start_at(|wall, _| wall.instant(date, 0));
            self.advance(|date| Date {
                day: date.day + 1,
                ..date
            })?;
            // The day has no midnight.
            match self.hour_of_day() {
                0 => {}
                hour @ 13.. => self.at += (24 - hour) * HOUR,
                hour => self.at -= hour * HOUR,
            }
            if self.wall.date(self.at).day == 1 {
                return Some(FieldMatch::Wraps);
            }
        }
    }

    fn day_matches(&self, day: i64, weekday: i64) -> bool {
        let day = self.fields.day >> day & 1 == 1;
        let weekday = self.fields.weekday >> weekday & 1 == 1;
        if self.fields.both_days {
            day && weekday
        } else {
            day || weekday
        }
    }

    fn hour(&mut self) -> FieldMatch {
        while self.fields.hour >> self.hour_of_day() & 1 == 0 {
            self.start_at(|wall, at| wall.instant(wall.date(at), wall.second_of_day(at) / HOUR * HOUR));
            self.at += HOUR;
            if self.hour_of_day() == 0 {
                return FieldMatch::Wraps;
            }
        }
        FieldMatch::Matches
    }

    fn minute(&mut self) -> FieldMatch {
        while self.fields.minute >> self.minute_of_hour() & 1 == 0 {
            self.start_at(|_, at| at.div_euclid(MINUTE) * MINUTE);
            self.at += MINUTE;
            if self.minute_of_hour() == 0 {
                return FieldMatch::Wraps;
            }
        }
        FieldMatch::Matches
    }

    /// Slots are at full minutes.
    fn second(&mut self) -> FieldMatch {
        let second = self.wall.second_of_day(self.at) % MINUTE;
        if second == 0 {
            return FieldMatch::Matches;
        }
        self.is_moved = true;
        self.at += MINUTE - second;
        FieldMatch::Wraps
    }

    fn hour_of_day(&self) -> i64 {
        self.wall.second_of_day(self.at) / HOUR
    }

    fn minute_of_hour(&self) -> i64 {
        self.wall.second_of_day(self.at) % HOUR / MINUTE
    }

    /// Before the first move, the smaller fields go back to their first values.
    fn start_at(&mut self, start: impl Fn(&Wall<'_>, i64) -> i64) {
        if !self.is_moved {
            self.is_moved = true;
            self.at = start(&self.wall, self.at);
        }
    }

    /// Moves to another date at the same time of day, as `time.AddDate`. `None` if the time stays the same, where the library
    /// would search forever: a time zone left out a whole day, as Samoa in 2011.
    fn advance(&mut self, change: impl Fn(Date) -> Date) -> Option<()> {
        let to = self
            .wall
            .instant(change(self.wall.date(self.at)), self.wall.second_of_day(self.at));
        (to > self.at).then(|| self.at = to)
    }
}
