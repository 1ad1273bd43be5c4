//! The invariants of stalls and missed runs on small runs.

use super::*;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(1);

fn stalled(notices: &mut Notices, uid: &str, cause: &str) -> bool {
    let event = NoticeEvent::Stalled {
        uid: uid.into(),
        cause: cause.into(),
    };
    notices.event(&format!("{uid}/stalled/{cause}"), event)
}

fn recovered(notices: &mut Notices, uid: &str, cause: &str) -> bool {
    let event = NoticeEvent::Recovered {
        uid: uid.into(),
        causes: cause.into(),
    };
    notices.event(&format!("{uid}/recovered/{cause}"), event)
}

fn missed(notices: &mut Notices, slots: std::ops::RangeInclusive<i64>, count: i64, reason: &str) -> bool {
    let event = NoticeEvent::Missed(MissedSlots {
        uid: "c".into(),
        first: *slots.start(),
        last: *slots.end(),
        count,
        reason: reason.into(),
    });
    notices.event(&format!("c/missed/{}", time(*slots.start())), event)
}

fn found(notices: &Notices) -> Vec<NoticeProblem> {
    notices.problems().into_iter().collect()
}

/// A CronJob that missed slots 10 to 12, and started 13 late.
fn slots() -> Notices {
    let mut notices = Notices::default();
    let late = &["ControllerLate"];
    for slot in 10..13 {
        notices.missed("c", slot, true, late);
    }
    notices.started("c", 13, GRACE, late);
    notices.started("c", 14, Duration::ZERO, late);
    notices
}

#[test]
fn a_stall_that_lasts_is_reported_once() {
    let mut notices = Notices::default();
    notices.stuck("a", Obstacle::Quota);
    assert_eq!(
        found(&notices),
        [NoticeProblem::StallLost("a".into(), "QuotaExceeded".into())]
    );
    assert!(stalled(&mut notices, "a", "QuotaExceeded"));
    assert!(!stalled(&mut notices, "a", "QuotaExceeded"), "sent again");
    assert!(notices.is_complete());
    notices.released("a", LONG, false);
    assert_eq!(found(&notices), [NoticeProblem::RecoveryLost("a".into())]);
    recovered(&mut notices, "a", "QuotaExceeded");
    assert_eq!((found(&notices), notices.reported()), (vec![], [1, 1, 0]));
}

#[test]
fn a_job_that_moves_is_not_stalled() {
    let mut notices = Notices::default();
    for (uid, obstacle, lasted) in [
        ("short", Obstacle::Quota, SHORT),
        ("runs", Obstacle::RunsLong, LONG),
        ("other", Obstacle::ImagePull, LONG),
    ] {
        notices.stuck(uid, obstacle);
        notices.released(uid, lasted, false);
    }
    assert_eq!(found(&notices), []);
    for uid in ["short", "runs", "other", "unknown"] {
        stalled(&mut notices, uid, "QuotaExceeded");
        recovered(&mut notices, uid, "QuotaExceeded");
    }
    assert_eq!(found(&notices).len(), 8);
}

#[test]
fn no_recovery_of_a_job_that_is_stuck() {
    let mut notices = Notices::default();
    notices.stuck("a", Obstacle::Quota);
    stalled(&mut notices, "a", "QuotaExceeded");
    recovered(&mut notices, "a", "QuotaExceeded");
    let alarm = NoticeProblem::FalseAlarm("a/recovered/QuotaExceeded".into());
    assert_eq!(found(&notices), [alarm]);
}

#[test]
fn each_missed_slot_is_in_one_event() {
    let mut notices = slots();
    assert_eq!(found(&notices).len(), 3, "lost");
    missed(&mut notices, 10..=10, 1, "ControllerLate");
    assert!(!notices.is_complete());
    missed(&mut notices, 11..=12, 2, "ControllerLate");
    assert_eq!((found(&notices), notices.reported()), (vec![], [0, 0, 3]));
    let mut with_the_late_one = slots();
    missed(&mut with_the_late_one, 10..=13, 4, "ControllerLate");
    assert_eq!(found(&with_the_late_one), []);
}

#[test]
fn a_wrong_event_of_missed_slots_is_found() {
    let problem = |events: &[(std::ops::RangeInclusive<i64>, i64, &str)]| {
        let mut notices = slots();
        for (slots, count, reason) in events {
            missed(&mut notices, slots.clone(), *count, reason);
        }
        found(&notices).into_iter().next()
    };
    let late = "ControllerLate";
    let twice = NoticeProblem::SlotReportedTwice("c".into(), 10, 12);
    assert_eq!(problem(&[(10..=12, 3, late), (12..=12, 1, late)]), Some(twice));
    let wrong = |first, last, count| Some(NoticeProblem::WrongSlots("c".into(), first, last, count));
    assert_eq!(problem(&[(10..=12, 2, late)]), wrong(10, 12, 2));
    assert_eq!(problem(&[(10..=14, 5, late)]), wrong(10, 14, 5));
    assert_eq!(problem(&[(10..=12, 3, late), (14..=14, 1, late)]), wrong(14, 14, 1));
    let reason = NoticeProblem::WrongReason("c".into(), 10, "Unknown".into());
    assert_eq!(problem(&[(10..=12, 3, "Unknown")]), Some(reason));
    let changed = NoticeProblem::Changed(format!("c/missed/{}", time(10)));
    assert_eq!(problem(&[(10..=12, 3, late), (10..=11, 2, late)]), Some(changed));
}

#[test]
fn an_id_that_does_not_fit_is_found() {
    let mut notices = Notices::default();
    notices.stuck("a", Obstacle::Quota);
    let (uid, cause) = ("a".into(), "QuotaExceeded".into());
    notices.event("a", NoticeEvent::Stalled { uid, cause });
    assert_eq!(found(&notices), [NoticeProblem::WrongId("a".into())]);
}

#[test]
fn a_stall_of_a_delayed_job_is_true() {
    for (late, is_true) in [(4900, false), (5000, true)] {
        let mut notices = Notices::default();
        notices.late("a", Duration::from_millis(late));
        notices.late("a", Duration::ZERO);
        stalled(&mut notices, "a", "StuckTerminating");
        recovered(&mut notices, "a", "StuckTerminating");
        assert_eq!(found(&notices).is_empty(), is_true, "{late} ms late");
    }
}
