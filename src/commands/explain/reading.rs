//! Schedules in words, where that is simple. Pure.

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A schedule in words, without its time zone; `None` if it is not a simple one.
pub(super) fn reading(schedule: &str) -> Option<String> {
    if let Some(text) = descriptor(schedule.trim()) {
        return Some(text);
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return None;
    };
    let any = |field: &str| matches!(field, "*" | "?");
    if !any(month) {
        return None;
    }
    let time = || {
        let (hour, minute) = (number(hour, 0..24)?, number(minute, 0..60)?);
        Some(format!("at {hour:02}:{minute:02}"))
    };
    match (any(hour), any(day), any(weekday)) {
        (true, true, true) if any(minute) => Some("every minute".into()),
        (true, true, true) => match every(minute, 60) {
            Some(step) => Some(format!("every {step} minutes")),
            None => Some(format!("every hour at minute {}", number(minute, 0..60)?)),
        },
        (false, true, true) => match (every(hour, 24), number(minute, 0..60)) {
            (Some(step), Some(minute)) => Some(format!("every {step} hours at minute {minute}")),
            _ => Some(format!("every day {}", time()?)),
        },
        (false, true, false) => Some(format!("{} {}", days(weekday)?, time()?)),
        (false, false, true) => Some(format!("day {} of each month {}", number(day, 1..32)?, time()?)),
        _ => None,
    }
}

fn descriptor(text: &str) -> Option<String> {
    let words = match text {
        "@yearly" | "@annually" => "1 January at 00:00",
        "@monthly" => "day 1 of each month at 00:00",
        "@weekly" => "every Sunday at 00:00",
        "@daily" | "@midnight" => "every day at 00:00",
        "@hourly" => "every hour at minute 0",
        _ => {
            return text
                .strip_prefix("@every ")
                .map(|every| format!("every {}", every.trim()));
        }
    };
    Some(words.into())
}

fn number(field: &str, range: std::ops::Range<u32>) -> Option<u32> {
    let is_number = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    field.parse().ok().filter(|number| is_number && range.contains(number))
}

/// The step of `*/5`, if it divides the whole evenly.
fn every(field: &str, whole: u32) -> Option<u32> {
    let step = number(field.strip_prefix("*/")?, 2..whole)?;
    whole.is_multiple_of(step).then_some(step)
}

fn days(field: &str) -> Option<String> {
    let day = |field: &str| {
        let by_name = || {
            DAYS.iter()
                .position(|day| day.get(..3).is_some_and(|short| short.eq_ignore_ascii_case(field)))
        };
        let number = number(field, 0..7).and_then(|number| usize::try_from(number).ok());
        Some(*DAYS.get(number.or_else(by_name)?)?)
    };
    match field.split_once('-') {
        Some((first, last)) => Some(format!("{} to {}", day(first)?, day(last)?)),
        None => Some(format!("every {}", day(field)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_schedules_are_read_in_words() {
        for (schedule, words) in [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("7 * * * *", "every hour at minute 7"),
            ("0 2 * * *", "every day at 02:00"),
            ("30 */6 * * ?", "every 6 hours at minute 30"),
            ("15 8 * * 1-5", "Monday to Friday at 08:15"),
            ("15 8 * * sun", "every Sunday at 08:15"),
            ("0 0 1 * *", "day 1 of each month at 00:00"),
            ("@daily", "every day at 00:00"),
            ("@every 1h30m", "every 1h30m"),
        ] {
            assert_eq!(reading(schedule).as_deref(), Some(words), "{schedule}");
        }
        for schedule in [
            "*/7 * * * *",
            "0,30 * * * *",
            "0 2 1 * 1",
            "0 2 * 3 *",
            "0 25 * * *",
            "CRON_TZ=UTC 0 2 * * *",
            "TZ=UTC * * * * *",
            "* * * *",
            "0 2 * * 8",
            "",
        ] {
            assert_eq!(reading(schedule), None, "{schedule}");
        }
    }
}
