//! Results of `robfig/cron` v3.0.1 for schedules, time zones and instants: `tests/vectors.txt.gz`.
//!
//! A Go program made them (seed 20260101) with `time.Local` set to UTC and the time zones of Go 1.26 (tzdata 2025c). It reads
//! `spec.schedule` and `spec.timeZone` as `formatSchedule` of the CronJob controller, refuses `Local` as the API server does, and
//! counts a panic of the library as invalid. Its input:
//!
//! * texts: all fields out of range, reversed, signed, empty, with names, steps, stars, white space of all kinds; descriptors;
//!   90 durations of `@every`; prefixes `TZ=` and `CRON_TZ=`; 40 forms of `spec.timeZone`; valid schedules with one to three
//!   damaged characters;
//! * leap years, the limit of five years, 2100, and dates that never come;
//! * each of 583 time zones: ordinary and random schedules shortly before, in and after changes of its offset in 2015-2036;
//! * 39 time zones with special changes (skipped and repeated midnights, half hours, two offsets in Ramadan, new laws), with 66
//!   schedules around their changes, and schedules for the days of the changes, from up to 200 days before;
//! * random schedules, time zones and instants.
//!
//! The bundled database is newer (tzdata 2026f). The 15 names of zones whose rules differ in 2014-2037 are left out: Casablanca,
//! `El_Aaiun`, Edmonton, Havana, Inuvik, `Rainy_River`, Vancouver, Winnipeg, Yellowknife, Chisinau and their aliases.
//!
//! A line has the time zone (`-` without one), the schedule and either `invalid` or pairs `instant:seconds until the next slot`,
//! with `-` if the library finds none.
//!
//! `tests/due.txt.gz` has 4,000 results of a Go copy of `mostRecentScheduleTime` of the CronJob controller: the time zone, the
//! schedule, the last scheduled time, the milliseconds until now, and `seconds until the most recent slot:missed slots`.

use std::io::Read;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use job_schedule::Schedule;

fn unpack(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn agrees_with_the_library_of_the_controller() {
    let mut text = String::new();
    GzDecoder::new(&include_bytes!("../vectors.txt.gz")[..])
        .read_to_string(&mut text)
        .unwrap();
    let (mut checked, mut differing) = (0, Vec::new());
    for line in text.lines() {
        let [zone, schedule, results] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}");
        };
        let zone = (zone != "-").then(|| unescape(zone));
        let schedule = Schedule::parse(&unescape(schedule), zone.as_deref()).ok();
        for result in results.split(' ') {
            checked += 1;
            if found(schedule.as_ref(), result) != result {
                differing.push(format!("{line}: {}", found(schedule.as_ref(), result)));
            }
        }
    }
    assert!(checked > 28_000, "{checked}");
    assert!(
        differing.is_empty(),
        "{} differ: {:#?}",
        differing.len(),
        &differing[..differing.len().min(20)]
    );
}

/// The result in the form of the vectors.
fn found(schedule: Option<&Schedule>, expected: &str) -> String {
    let Some(schedule) = schedule else {
        return "invalid".into();
    };
    let Some((instant, _)) = expected.split_once(':') else {
        return "valid".into();
    };
    let (second, fraction) = instant.split_once('.').unwrap_or((instant, "0"));
    let second: i64 = second.parse().unwrap();
    let nanoseconds = i128::from(second) * 1_000_000_000 + fraction.parse::<i128>().unwrap();
    match schedule.next(Timestamp::from_nanosecond(nanoseconds).unwrap()) {
        Some(next) => format!("{instant}:{}", next.as_second() - second),
        None => format!("{instant}:-"),
    }
}

/// White space and backslashes are escaped.
fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut result = String::new();
    while let Some(char) = chars.next() {
        result.push(match char {
            '\\' => match chars.next().unwrap() {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'N' => '\u{85}',
                '_' => '\u{a0}',
                other => other,
            },
            other => other,
        });
    }
    result
}

#[test]
fn counts_due_slots_as_the_controller() {
    let text = unpack(include_bytes!("../due.txt.gz"));
    let mut checked = 0;
    for line in text.lines() {
        let [zone, schedule, after, now, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("five columns: {line}");
        };
        let schedule = Schedule::parse(schedule, (zone != "-").then_some(zone)).unwrap();
        let after: i64 = after.parse().unwrap();
        let now = Timestamp::from_millisecond(after * 1000 + now.parse::<i64>().unwrap()).unwrap();
        let due = schedule.due(Timestamp::from_second(after).unwrap(), now).unwrap();
        let latest = due.latest.map(|latest| (latest.as_second() - after).to_string());
        let found = format!("{}:{}", latest.as_deref().unwrap_or("-"), due.missed);
        assert_eq!(found, expected, "{line}");
        checked += 1;
    }
    assert_eq!(checked, 4000);
}
