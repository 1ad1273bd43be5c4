//! Properties of slots, in any time zone. A failing case is printed with its input.

use jiff::Timestamp;
use job_schedule::Schedule;
use proptest::prelude::*;
use proptest::sample::select;

const ZONES: [&str; 12] = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Asuncion",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Chatham",
    "Antarctica/Troll",
];

/// Time zones that never change their offset.
const STEADY: [&str; 3] = ["UTC", "Asia/Tokyo", "Asia/Kathmandu"];

fn field(min: u32, max: u32) -> impl Strategy<Value = String> {
    let value = min..=max;
    prop_oneof![
        3 => Just("*".to_string()),
        2 => value.clone().prop_map(|value| value.to_string()),
        1 => (1..=max).prop_map(|step| format!("*/{step}")),
        1 => (value.clone(), 1..9_u32).prop_map(|(first, step)| format!("{first}/{step}")),
        1 => (value.clone(), value).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ]
}

fn schedules() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// From 2015 to 2036, in milliseconds.
fn times() -> impl Strategy<Value = Timestamp> {
    (1_420_070_400_000..2_114_380_800_000_i64).prop_map(|time| Timestamp::from_millisecond(time).unwrap())
}

proptest! {
    #[test]
    fn a_slot_is_later_and_at_a_full_minute(text in schedules(), zone in select(&ZONES[..]), time in times()) {
        let schedule = Schedule::parse(&text, Some(zone)).unwrap();
        if let Some(slot) = schedule.next(time) {
            prop_assert!(slot > time);
            prop_assert_eq!(slot.as_second() % 60, 0);
            prop_assert_eq!(slot.subsec_nanosecond(), 0);
        }
    }

    #[test]
    fn slots_increase(text in schedules(), zone in select(&ZONES[..]), time in times()) {
        let schedule = Schedule::parse(&text, Some(zone)).unwrap();
        let slots: Vec<Timestamp> = schedule.slots(time, Timestamp::MAX).take(50).collect();
        prop_assert!(slots.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn no_slot_is_left_out_at_a_steady_offset(
        text in schedules(),
        zone in select(&STEADY[..]),
        time in times(),
        share in 0.0..1.0_f64,
    ) {
        let schedule = Schedule::parse(&text, Some(zone)).unwrap();
        if let Some(slot) = schedule.next(time) {
            let between = time + slot.duration_since(time).mul_f64(share);
            prop_assert!(between == slot || schedule.next(between) == Some(slot));
        }
    }

    #[test]
    fn every_slot_follows_at_its_delay(delay in 1..100_000_i64, time in times()) {
        let schedule = Schedule::parse(&format!("@every {delay}s"), None).unwrap();
        prop_assert_eq!(schedule.next(time).unwrap().as_second(), time.as_second() + delay);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,40}", zone in proptest::option::of(".{0,12}")) {
        let _ = Schedule::parse(&text, zone.as_deref());
    }
}
