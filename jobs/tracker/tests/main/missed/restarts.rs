//! Missed runs across restarts and interruptions of the watches.

use job_event::notice::MissReason;
use job_watch::Kind;

use super::fixture::Case;
use super::{HOURLY, late};

#[test]
fn a_restart_at_any_time_reports_each_run_once() {
    for away in [3500, 3600, 3630, 3661, 3700, 5000] {
        let mut case = Case::new(HOURLY);
        case.until(away);
        let stored = case.stored(away);
        case.restart(stored, away + 200);
        case.until(7199);
        assert_eq!(case.missed.len(), 1, "at {away}: {:?}", case.missed);
        assert_eq!(case.missed[0].1, 3600, "at {away}");
    }
}

#[test]
fn an_unacknowledged_report_is_sent_again_as_it_was() {
    let mut case = Case::new("* * * * *");
    case.acknowledges = false;
    case.until(400);
    let sent = case.missed.clone();
    assert_eq!(sent, [(MissReason::ControllerLate, 60, 5)]);
    let stored = case.stored(400);
    case.restart(stored, 1000);
    case.acknowledges = true;
    case.until(1000);
    assert_eq!(case.missed[1], sent[0]);
    assert_eq!(case.missed[2].1, 360, "the rest");
}

#[test]
fn one_report_of_a_cronjob_is_in_flight_at_a_time() {
    let mut case = Case::new(HOURLY);
    case.acknowledges = false;
    case.until(3700);
    case.until(7300);
    assert_eq!(case.missed.len(), 1);
    // The mark does not pass it.
    let stored = case.stored(7300);
    case.acknowledges = true;
    case.restart(stored, 7400);
    case.until(7500);
    let slots: Vec<i64> = case.missed.iter().map(|(_, first, _)| *first).collect();
    assert_eq!(slots, [3600, 3600, 7200]);
}

#[test]
fn a_suspension_while_nobody_watched_is_not_missed() {
    for (suspends, missed) in [(false, 1), (true, 0)] {
        let mut case = Case::new(HOURLY);
        let stored = case.stored(100);
        if suspends {
            // Suspended and resumed.
            case.cronjob.generation += 2;
        }
        case.restart(stored, 4000);
        case.until(4100);
        assert_eq!(case.missed.len(), missed, "{:?}", case.missed);
    }
}

#[test]
fn a_run_that_may_have_been_cleaned_up_is_not_missed() {
    for (last, missed) in [(7200, 0), (0, 2)] {
        let mut case = Case::new(HOURLY);
        let stored = case.stored(100);
        case.cronjob.last_scheduled = (last > 0).then_some(super::fixture::BASE + last);
        case.restart(stored, 7400);
        for _ in 0..3 {
            case.until(7500);
        }
        case.until(7600);
        assert_eq!(case.missed.len(), missed, "{:?}", case.missed);
    }
}

#[test]
fn a_relist_of_jobs_loses_only_what_was_cleaned_up() {
    let mut case = Case::new(HOURLY);
    // The run starts and is cleaned up in the gap; the next one is the last scheduled.
    case.cronjob.last_scheduled = Some(super::fixture::BASE + 7200);
    case.put(7201);
    case.list(Kind::Jobs, 7300);
    case.until(7400);
    assert_eq!(case.missed, []);
    case.until(10_861);
    assert_eq!(case.missed, [late(10_800)], "observed again");
}

#[test]
fn a_first_start_reports_only_proven_runs() {
    for (generation, missed) in [(1, 1), (2, 0)] {
        let mut case = Case::new(HOURLY);
        case.cronjob.generation = generation;
        case.first_start(4000);
        case.until(4100);
        assert_eq!(case.missed.len(), missed, "generation {generation}: {:?}", case.missed);
    }
}

#[test]
fn a_late_start_while_nobody_watched_is_missed() {
    for (late, missed) in [(50, 0), (90, 1)] {
        let mut case = Case::new(HOURLY);
        let stored = case.stored(100);
        case.start(3600, 3600 + late);
        case.restart(stored, 4000);
        case.until(4100);
        assert_eq!(case.missed.len(), missed, "{late} s late");
    }
}

#[test]
fn an_invalid_schedule_is_not_reported_again_after_a_restart() {
    let mut case = Case::new("0 0 30 2 *");
    case.until(100);
    assert_eq!(case.missed.len(), 1);
    let stored = case.stored(100);
    case.cronjob.generation += 1;
    case.restart(stored, 4000);
    case.until(8000);
    assert_eq!(case.missed.len(), 1);
}

#[test]
fn a_new_leader_continues_from_the_marks_of_the_old_one() {
    let mut case = Case::new(HOURLY);
    let mut standby = Case::new(HOURLY);
    case.until(3700);
    assert_eq!(case.missed, [late(3600)]);
    let stored = job_tracker::checkpoint::Checkpoint::decode(case.stored(3700), 100).unwrap();
    standby.tracker.adopt(stored);
    standby.until(7300);
    assert_eq!(standby.missed, [late(7200)]);
}
