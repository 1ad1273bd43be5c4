//! Texts of errors, and the choice of the time zone.

use job_schedule::Schedule;

fn error(schedule: &str, time_zone: Option<&str>) -> String {
    Schedule::parse(schedule, time_zone).unwrap_err().to_string()
}

#[test]
fn an_error_names_the_field() {
    let expected = r#"schedule "61 * * * *": minute: expected a range within 0-59, found "61""#;
    assert_eq!(error("61 * * * *", None), expected);
    let expected = r#"schedule "0 x * * *": hour: expected a number from 0 to 23, found "x""#;
    assert_eq!(error("0 x * * *", None), expected);
    let expected = r#"schedule "0 0 * * someday": day of week: expected a number from 0 to 6 or a name such as sun, found "someday""#;
    assert_eq!(error("0 0 * * someday", None), expected);
    let expected = r#"schedule "1,2-3-4 * * * *": minute: expected at most one hyphen, found "2-3-4""#;
    assert_eq!(error("1,2-3-4 * * * *", None), expected);
    let expected = r#"schedule "*/0 * * * *": minute: expected a step of at least 1, found "*/0""#;
    assert_eq!(error("*/0 * * * *", None), expected);
}

#[test]
fn an_error_names_the_number_of_fields() {
    assert_eq!(
        error("* * * *", None),
        r#"schedule "* * * *": expected 5 fields, found 4"#
    );
    assert_eq!(error("", None), r#"schedule "": expected 5 fields, found 0"#);
}

#[test]
fn an_error_names_the_duration() {
    let expected = r#"schedule "@every 5": expected a duration such as 1h30m, found "5""#;
    assert_eq!(error("@every 5", None), expected);
}

#[test]
fn an_error_names_the_time_zone() {
    let expected = r#"time zone: expected a name of the IANA database, found "Europe/Atlantis""#;
    assert_eq!(error("* * * * *", Some("Europe/Atlantis")), expected);
    assert_eq!(error("TZ=Europe/Atlantis * * * * *", None), expected);
}

#[test]
fn an_error_shortens_a_long_text() {
    let long = "é".repeat(100_000);
    assert!(error(&format!("{long} * * * *"), None).len() < 500);
    assert!(error(&format!("@every {long}"), None).len() < 500);
    assert!(error("* * * * *", Some(&long)).len() < 500);
}

#[test]
fn the_time_zone_must_exist_even_if_the_schedule_names_one() {
    assert!(Schedule::parse("TZ=UTC * * * * *", Some("Europe/Berlin")).is_ok());
    assert!(Schedule::parse("TZ=UTC * * * * *", Some("Europe/Atlantis")).is_err());
}

#[test]
fn the_schedule_overrides_the_time_zone() {
    let schedule = Schedule::parse("TZ=Asia/Tokyo 0 0 * * *", Some("Europe/Berlin")).unwrap();
    assert_eq!(schedule, Schedule::parse("0 0 * * *", Some("Asia/Tokyo")).unwrap());
}

#[test]
fn a_search_that_never_ends_in_the_library_finds_nothing() {
    // Samoa had no 30 December in 2011: the library adds a day to the 29th and is at the 29th again.
    let schedule = Schedule::parse("0 0 31 12 *", Some("Pacific/Apia")).unwrap();
    assert_eq!(schedule.next("2011-12-01T00:00:00Z".parse().unwrap()), None);
}
