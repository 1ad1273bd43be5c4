//! Times, counts and sizes in words.

use jiff::Timestamp;
use maud::{Markup, html};

/// The distance of a time from now: `40 s ago`, `3 min ago`, `in 2 h`.
pub(super) fn relative(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    let length = rounded(seconds.unsigned_abs());
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("{length} ago"),
        _ => format!("in {length}"),
    }
}

/// One unit is enough for a person who scans a list.
fn rounded(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `2026-11-29 08:41:03 UTC`.
pub(super) fn absolute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time with both of its forms: `08:41:03 UTC, 3 min ago`, with the date if it is not of today.
pub(super) fn both(time: Timestamp, now: Timestamp) -> Markup {
    let date = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let form = if date(time) == date(now) {
        "%H:%M:%S UTC"
    } else {
        "%Y-%m-%d %H:%M UTC"
    };
    html! {
        time datetime=(time) title=(absolute(time)) { (time.strftime(form)) }
        span.muted { ", " (relative(time, now)) }
    }
}

/// A time as its distance from now; the absolute time is in `datetime` and in the title.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(time) title=(absolute(time)) { (relative(time, now)) } }
}

/// `1 Job`, `2 Jobs`: the plural ends with s.
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with a comma between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size in bytes, in a unit that keeps the number short.
pub(super) fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size / 1024),
        _ => format!("{:.1} MiB", size as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn relative_times_have_one_unit() {
        let now = at(1_000_000);
        for (seconds, expected) in [
            (0, "now"),
            (1, "1 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (3600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 d ago"),
            (-90, "in 1 min"),
        ] {
            assert_eq!(relative(at(1_000_000 - seconds), now), expected);
        }
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let now = at(1_795_867_817);
        assert!(both(now, now).into_string().contains(">12:10:17 UTC<"));
        assert!(
            both(at(1_795_767_817), now)
                .into_string()
                .contains(">2026-11-27 08:23 UTC<")
        );
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(count(1, "Job"), "1 Job");
        assert_eq!(count(0, "Job"), "0 Jobs");
        assert_eq!(bytes(2048), "2 KiB");
    }
}
