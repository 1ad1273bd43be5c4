//! The states of CronJobs, for gauges.

use super::fixture::{BASE, Case};
use super::{EVERY_MINUTE, HOURLY};
use crate::year::objects::at;

#[test]
fn counts_failed_runs_since_the_last_success() {
    let mut case = Case::new(HOURLY);
    for (run, fails) in [(1, true), (2, true), (3, false), (4, true), (5, true)] {
        case.start(3600 * run, 3600 * run);
        case.end(3600 * run + 60, fails);
        case.until(3600 * run + 100);
    }
    let now = 5 * 3600 + 100;
    let state = &case.tracker.cronjob_states(at(BASE + now))[0];
    assert_eq!(state.consecutive_failures, 2);
    assert_eq!(state.last_success, Some(at(BASE + 3 * 3600 + 60)));
    assert_eq!(state.next_schedule, Some(at(BASE + 6 * 3600)));
    assert!(!state.is_suspended);
    let cronjob = state.cronjob.cronjob.as_ref().unwrap();
    assert_eq!((&*state.cronjob.namespace, &*cronjob.name), ("shop", "c0"));
    // Listed again, they do not count twice.
    let stored = case.stored(now);
    case.restart(stored, now + 10);
    assert_eq!(case.tracker.cronjob_states(at(BASE + now))[0].consecutive_failures, 2);
    case.first_start(now + 20);
    assert_eq!(case.tracker.cronjob_states(at(BASE + now))[0].consecutive_failures, 2);
}

#[test]
fn a_suspended_cronjob_has_no_next_slot() {
    let mut case = Case::new(EVERY_MINUTE);
    case.change(30, |cronjob| cronjob.is_suspended = true);
    let state = &case.tracker.cronjob_states(at(BASE + 30))[0];
    assert_eq!((state.is_suspended, state.next_schedule), (true, None));
    case.delete(40);
    assert_eq!(case.tracker.cronjob_states(at(BASE + 40)), []);
}

#[test]
fn an_invalid_annotation_silences_nothing_and_is_named_once() {
    for (value, is_valid) in [("off", true), (" Off ", true), ("false", false), ("30m", false)] {
        let mut case = Case::new(EVERY_MINUTE);
        case.annotate(value, 10);
        case.annotate(value, 20);
        case.until(130);
        assert_eq!(case.missed.is_empty(), is_valid, "{value}");
        let invalid = case.tracker.take_invalid_annotation();
        assert_eq!(invalid.is_none(), is_valid, "{value}");
        if let Some(invalid) = invalid {
            let found = (
                invalid.kind,
                &*invalid.name,
                invalid.annotation,
                &*invalid.value,
                invalid.expected,
            );
            assert_eq!(found, ("CronJob", "c0", "k8s-job-collector/missed-runs", value, "off"));
        }
        assert_eq!(case.tracker.take_invalid_annotation(), None, "once");
    }
}
