//! The text of a schedule: `ParseStandard` of `robfig/cron` v3.

use jiff::tz::TimeZone;

use crate::fields::{self, Fields};
use crate::{InvalidSchedule, SlotRule, duration, quoted, zone};

/// Parses a schedule with an optional prefix `TZ=` or `CRON_TZ=`.
pub(crate) fn parse(text: &str) -> Result<SlotRule, InvalidSchedule> {
    let (zone, schedule) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
        None => ("", text),
        Some(rest) => match rest.split_once(' ') {
            Some((zone, schedule)) => (zone, schedule.trim()),
            // The library panics.
            None => {
                return Err(invalid(
                    text,
                    "expected a space and five fields after the time zone".into(),
                ));
            }
        },
    };
    let zone = zone::find(zone).ok_or_else(|| zone::unknown(zone))?;
    if schedule.starts_with('@') {
        return descriptor(schedule, zone).map_err(|found| invalid(schedule, found));
    }
    let texts: Vec<&str> = schedule.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = texts[..] else {
        return Err(invalid(schedule, format!("expected 5 fields, found {}", texts.len())));
    };
    let fields = || -> Result<Fields, String> {
        Ok(Fields::new(
            fields::MINUTE.parse(minute)?,
            fields::HOUR.parse(hour)?,
            fields::DAY.parse(day)?,
            fields::MONTH.parse(month)?,
            fields::WEEKDAY.parse(weekday)?,
        ))
    };
    match fields() {
        Ok(fields) => Ok(SlotRule::Fields(fields, zone)),
        Err(found) => Err(invalid(schedule, found)),
    }
}

fn invalid(schedule: &str, found: String) -> InvalidSchedule {
    InvalidSchedule(format!("schedule {}: {found}", quoted(schedule)))
}

fn descriptor(text: &str, zone: TimeZone) -> Result<SlotRule, String> {
    if let Some(every) = text.strip_prefix("@every ") {
        return match duration::parse(every) {
            Some(nanoseconds) => Ok(SlotRule::Every((nanoseconds / 1_000_000_000).max(1))),
            None => Err(format!("expected a duration such as 1h30m, found {}", quoted(every))),
        };
    }
    let fields = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            return Err("expected @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly or @every".into());
        }
    };
    match parse(fields) {
        Ok(SlotRule::Fields(fields, _)) => Ok(SlotRule::Fields(fields, zone)),
        _ => Err("a descriptor has five fields".into()),
    }
}
