//! Which runs are missed, and why: pairs of cases that differ in one fact. A CronJob is created at 0 and runs each minute unless
//! said otherwise.

mod fixture;
mod restarts;
mod states;

use job_event::notice::MissReason;
use job_tracker::MissedRunSettings;
use job_watch::Kind;

use self::fixture::Case;

const FORBIDDEN: &str = "Not starting job because prior execution is running and concurrency policy is Forbid";
const EVERY_MINUTE: &str = "* * * * *";
const HOURLY: &str = "@hourly";

fn late(first: i64) -> (MissReason, i64, u64) {
    (MissReason::ControllerLate, first, 1)
}

#[test]
fn a_run_may_start_within_its_grace() {
    for (start, missed) in [(0, vec![]), (60, vec![]), (61, vec![late(3600)])] {
        let mut case = Case::new(HOURLY);
        case.start(3600, 3600 + start);
        case.until(3700);
        assert_eq!(case.missed, missed, "{start} s late");
    }
}

#[test]
fn a_run_is_decided_after_its_grace() {
    let mut case = Case::new(HOURLY);
    case.until(3660);
    assert_eq!(case.missed, []);
    case.until(3661);
    assert_eq!(case.missed, [late(3600)]);
    // It starts after all, and is not reported again.
    case.start(3600, 3700);
    case.until(7199);
    assert_eq!(case.missed.len(), 1);
}

#[test]
fn the_grace_is_a_setting() {
    let mut case = Case::new(HOURLY);
    case.settings(MissedRunSettings {
        grace: jiff::SignedDuration::from_secs(600),
        ..MissedRunSettings::default()
    });
    case.until(4200);
    assert_eq!(case.missed, []);
    case.until(4201);
    assert_eq!(case.missed, [late(3600)]);
}

#[test]
fn nothing_is_decided_while_a_watch_is_silent() {
    for (silent, missed) in [
        (Some(Kind::Jobs), vec![]),
        (Some(Kind::CronJobs), vec![]),
        (None, vec![late(3600)]),
    ] {
        let mut case = Case::new(HOURLY);
        for kind in [Kind::Jobs, Kind::CronJobs, Kind::CronJobEvents] {
            let until = if Some(kind) == silent { 3660 } else { 3800 };
            case.watched(kind, until);
        }
        case.decide(3800);
        assert_eq!(case.missed, missed, "{silent:?}");
    }
}

#[test]
fn silent_events_make_the_reason_unknown() {
    let mut case = Case::new(HOURLY);
    case.watched(Kind::Jobs, 3800);
    case.watched(Kind::CronJobs, 3800);
    case.decide(3800);
    assert_eq!(case.missed, [], "Events may follow");
    case.watched(Kind::Jobs, 3900);
    case.watched(Kind::CronJobs, 3900);
    case.decide(3900);
    assert_eq!(case.missed, [(MissReason::Unknown, 3600, 1)]);
}

#[test]
fn forbidden_events_make_the_reason_unknown() {
    let mut case = Case::new(HOURLY);
    case.forbid_events();
    case.until(3700);
    assert_eq!(case.missed, [(MissReason::Unknown, 3600, 1)]);
}

#[test]
fn a_start_by_the_status_counts() {
    let mut case = Case::new(HOURLY);
    case.cronjob.last_scheduled = Some(fixture::BASE + 3600);
    case.put(3601);
    case.until(3700);
    assert_eq!(
        case.missed,
        [],
        "the Job of an older version of Kubernetes has no annotation"
    );
}

#[test]
fn an_active_run_forbids_the_next() {
    for (policy, ends, reason) in [
        ("Forbid", None, MissReason::ConcurrencyForbidden),
        ("Allow", None, MissReason::ControllerLate),
        ("Forbid", Some(3620), MissReason::ControllerLate),
    ] {
        let mut case = Case::with(HOURLY, |cronjob| cronjob.policy = policy);
        case.start(0, 1);
        if let Some(ends) = ends {
            case.end(ends, false);
        }
        case.until(3700);
        assert_eq!(case.missed, [(reason, 3600, 1)], "{policy} {ends:?}");
    }
}

#[test]
fn the_controller_says_that_a_run_is_forbidden() {
    let mut case = Case::new(HOURLY);
    case.say("JobAlreadyActive", FORBIDDEN, 3600);
    case.until(3700);
    assert_eq!(case.missed, [(MissReason::ConcurrencyForbidden, 3600, 1)]);
}

#[test]
fn the_replaced_run_is_no_missed_run() {
    let mut case = Case::with(EVERY_MINUTE, |cronjob| cronjob.policy = "Replace");
    for minute in 1..10 {
        case.start(60 * minute, 60 * minute + 1);
    }
    case.until(10 * 60);
    assert_eq!(case.missed, []);
}

#[test]
fn a_starting_deadline_is_the_grace() {
    for (deadline, until, reason) in [
        (10, 3611, MissReason::StartingDeadlineExceeded),
        (60, 3661, MissReason::StartingDeadlineExceeded),
        (61, 3661, MissReason::ControllerLate),
    ] {
        let mut case = Case::with(HOURLY, |cronjob| cronjob.deadline = Some(deadline));
        case.until(until - 1);
        assert_eq!(case.missed, [], "{deadline} s");
        case.until(until);
        assert_eq!(case.missed, [(reason, 3600, 1)], "{deadline} s");
    }
}

#[test]
fn the_controller_names_the_slot_of_a_missed_deadline() {
    let mut case = Case::with(HOURLY, |cronjob| cronjob.deadline = Some(300));
    let message = "Missed scheduled time to start a job: Sat, 28 Nov 2026 13:00:00 +0000";
    case.say("MissSchedule", message, 3650);
    case.until(3700);
    assert_eq!(case.missed, [(MissReason::StartingDeadlineExceeded, 3600, 1)]);
}

#[test]
fn a_job_that_cannot_be_created_has_the_controllers_message() {
    let mut case = Case::new(HOURLY);
    let message = "Error creating job: jobs.batch is forbidden: exceeded quota: q";
    case.say("FailedCreate", message, 3601);
    case.until(3700);
    assert_eq!(case.missed, [(MissReason::Unknown, 3600, 1)]);
    assert_eq!(case.messages, [message]);
}

#[test]
fn dropped_events_make_the_reason_unknown() {
    let mut case = Case::new(EVERY_MINUTE);
    for minute in 1..=40 {
        case.start(60 * minute, 60 * minute + 1);
    }
    case.until(42 * 60 + 1);
    assert_eq!(case.missed, [(MissReason::Unknown, 41 * 60, 1)]);
}

#[test]
fn more_than_a_hundred_runs_at_once_are_too_many() {
    for (runs, reason) in [(100, MissReason::ControllerLate), (101, MissReason::TooManyMissedTimes)] {
        let mut case = Case::new(EVERY_MINUTE);
        case.until(60 * (runs + 1) + 1);
        assert_eq!(case.missed, [(reason, 60, runs as u64)]);
    }
}

#[test]
fn the_controller_says_that_runs_are_too_many() {
    let mut case = Case::new(HOURLY);
    case.say("TooManyMissedTimes", "too many missed start times", 3640);
    case.until(3700);
    assert_eq!(case.missed, [(MissReason::TooManyMissedTimes, 3600, 1)]);
}

#[test]
fn many_runs_at_once_are_one_event() {
    for (runs, events) in [(3, 3), (4, 1)] {
        let mut case = Case::new(EVERY_MINUTE);
        let until = 60 * (runs + 1) + 1;
        for _ in 0..5 {
            case.until(until);
        }
        case.until(until + 59);
        let counted: u64 = case.missed.iter().map(|(_, _, count)| count).sum();
        assert_eq!(
            (counted, case.missed.len() <= events),
            (runs as u64, true),
            "{:?}",
            case.missed
        );
    }
}

#[test]
fn suspended_runs_are_not_missed() {
    let mut case = Case::with(HOURLY, |cronjob| cronjob.is_suspended = true);
    case.until(3700);
    // Resumed in the grace of a run.
    case.change(7230, |cronjob| cronjob.is_suspended = false);
    case.until(7300);
    assert_eq!(case.missed, []);
    case.until(10_861);
    assert_eq!(case.missed, [late(10_800)]);
}

#[test]
fn a_changed_schedule_starts_over() {
    let mut case = Case::new(HOURLY);
    case.change(3630, |cronjob| {
        cronjob.text = "30 * * * *".into();
        cronjob.schedule = job_schedule::Schedule::parse("30 * * * *", None).unwrap();
    });
    case.until(5400);
    assert_eq!(case.missed, []);
    case.until(5461);
    assert_eq!(case.missed, [late(5400)]);
}

#[test]
fn another_image_changes_no_slot() {
    let mut case = Case::new(HOURLY);
    case.change(3630, |_| {});
    case.until(3700);
    assert_eq!(case.missed, [late(3600)]);
}

#[test]
fn a_deleted_cronjob_misses_nothing() {
    let mut case = Case::new(HOURLY);
    case.delete(3630);
    case.until(3700);
    assert_eq!(case.missed, []);
    assert_eq!(case.tracker.next_notice_deadline(), None);
}

#[test]
fn a_schedule_that_the_controller_reads_otherwise_is_silent() {
    let mut case = Case::new("0 2 * * *");
    // The controller's time zone is not UTC.
    case.start(3600, 3601);
    case.until(86_400);
    assert_eq!(case.missed, []);
}

#[test]
fn settings_turn_missed_runs_off() {
    let mut case = Case::new(HOURLY);
    case.settings(MissedRunSettings {
        enabled: false,
        ..MissedRunSettings::default()
    });
    case.until(7300);
    assert_eq!((case.missed.len(), case.tracker.next_notice_deadline()), (0, None));
}

#[test]
fn with_a_selector_a_cronjob_counts_once_a_job_is_seen() {
    let mut case = Case::new(HOURLY);
    case.settings(MissedRunSettings {
        selects_jobs: true,
        ..MissedRunSettings::default()
    });
    case.until(3700);
    assert_eq!(case.missed, []);
    case.start(7200, 7201);
    case.until(10_861);
    assert_eq!(case.missed, [late(10_800)]);
}

#[test]
fn an_invalid_schedule_is_reported_once() {
    let mut case = Case::new("0 0 30 2 *");
    case.until(59);
    assert_eq!(case.missed, []);
    for until in [61, 3600, 86_400] {
        case.until(until);
    }
    case.change(90_000, |_| {});
    case.until(90_100);
    assert_eq!(case.missed, [(MissReason::InvalidSchedule, 1, 1)]);
}

#[test]
fn a_run_refutes_an_invalid_schedule() {
    let mut case = Case::new(HOURLY);
    case.say("UnknownTimeZone", "invalid timeZone", 3601);
    case.start(3600, 3610);
    case.until(3700);
    assert_eq!(case.missed, []);
}

#[test]
fn clock_changes_move_slots() {
    // 2026-11-28 is in winter; the night of the change to summer time is skipped by the schedule 02:30 in Berlin.
    let zone = Some("Europe/Berlin");
    let mut case = Case::with("30 2 * * *", |cronjob| {
        cronjob.zone = zone;
        cronjob.schedule = job_schedule::Schedule::parse("30 2 * * *", zone).unwrap();
    });
    let mut slots = Vec::new();
    let mut slot = case.cronjob.created;
    for _ in 0..130 {
        slot = case.cronjob.next(slot).unwrap();
        slots.push(slot - fixture::BASE);
        case.start(slot - fixture::BASE, slot - fixture::BASE + 1);
        case.until(slot - fixture::BASE + 100);
    }
    assert_eq!(case.missed, []);
    let longest = slots.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(longest, Some(47 * 3600), "a day without that time");
}
