//! Slots that are due, as the controller counts them.

use jiff::Timestamp;
use job_schedule::{Due, Schedule};

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text, None).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn due(text: &str, after: &str, now: &str) -> Option<Due> {
    schedule(text).due(time(after), time(now))
}

fn some(latest: Option<&str>, missed: i64) -> Option<Due> {
    let latest = latest.map(time);
    Some(Due { latest, missed })
}

#[test]
fn no_slot_is_due_before_the_next_one() {
    assert_eq!(
        due("0 * * * *", "2026-05-04T10:00:00Z", "2026-05-04T10:59:59Z"),
        some(None, 0)
    );
}

#[test]
fn one_due_slot_is_the_next_one() {
    let latest = Some("2026-05-04T11:00:00Z");
    assert_eq!(
        due("0 * * * *", "2026-05-04T10:00:00Z", "2026-05-04T11:00:00Z"),
        some(latest, 0)
    );
    assert_eq!(
        due("0 * * * *", "2026-05-04T10:00:00Z", "2026-05-04T11:59:59Z"),
        some(latest, 0)
    );
}

#[test]
fn the_most_recent_of_many_slots_is_due() {
    let latest = Some("2026-05-04T13:00:00Z");
    assert_eq!(
        due("0 * * * *", "2026-05-04T10:00:00Z", "2026-05-04T13:30:00Z"),
        some(latest, 3)
    );
    let latest = Some("2026-05-04T13:10:07Z");
    assert_eq!(
        due("@every 1h", "2026-05-04T10:10:07Z", "2026-05-04T13:30:00Z"),
        some(latest, 3)
    );
}

#[test]
fn more_than_100_missed_slots_are_too_many() {
    let hundred = due("* * * * *", "2026-05-04T10:00:00Z", "2026-05-04T11:40:59Z").unwrap();
    assert_eq!((hundred.missed, hundred.is_too_many()), (100, false));
    let more = due("* * * * *", "2026-05-04T10:00:00Z", "2026-05-04T11:41:00Z").unwrap();
    assert_eq!((more.missed, more.is_too_many()), (101, true));
    assert_eq!(more.latest, Some(time("2026-05-04T11:41:00Z")));
}

#[test]
fn irregular_slots_may_hide_the_most_recent_one() {
    // The first two slots are a minute apart, and the estimate of the controller starts two minutes before now.
    let due = due("* 0 1 1 *", "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z").unwrap();
    assert_eq!(due.latest, None);
    assert!(due.is_too_many());
}

#[test]
fn a_schedule_without_slots_has_none_due() {
    assert_eq!(due("0 0 30 2 *", "2026-05-04T10:00:00Z", "2026-05-04T11:00:00Z"), None);
}

#[test]
fn slots_end_with_the_given_time() {
    let (after, until) = (time("2026-05-04T10:00:00Z"), time("2026-05-04T12:00:00Z"));
    let slots: Vec<Timestamp> = schedule("0,30 * * * *").slots(after, until).collect();
    assert_eq!(slots.len(), 4);
    assert_eq!((slots[0], slots[3]), (time("2026-05-04T10:30:00Z"), until));
    assert_eq!(schedule("0 0 30 2 *").slots(after, until).next(), None);
}

#[test]
fn only_every_has_a_delay() {
    assert_eq!(
        schedule("@every 1h30m").every().map(|delay| delay.as_secs()),
        Some(5400)
    );
    assert_eq!(schedule("@hourly").every(), None);
}

#[test]
fn a_schedule_takes_little_memory() {
    assert_eq!(size_of::<Schedule>(), 40);
}
