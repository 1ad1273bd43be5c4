//! The invariants of the oracle on small runs.

use super::*;

fn event(id: &str, uid: &str, outcome: &str) -> Event {
    Event {
        id: id.into(),
        uid: uid.into(),
        outcome: outcome.into(),
    }
}

fn count(metric: &str, owner: &str, second: u64, count: i64) -> Point {
    Point {
        metric: metric.into(),
        owner: owner.into(),
        series: format!("{metric} {owner}"),
        second,
        content: count.to_string(),
        count,
    }
}

/// Two failed runs of a CronJob and a Job that completed.
fn jobs() -> Oracle {
    let mut oracle = Oracle::default();
    oracle.job("a", "cron", End::Failed);
    oracle.job("b", "cron", End::Failed);
    oracle.job("c", "once", End::Succeeded);
    oracle
}

fn all_events(oracle: &mut Oracle) {
    for (uid, outcome) in [("a", "Failed"), ("b", "Failed"), ("c", "Succeeded")] {
        oracle.event(event(uid, uid, outcome), Fate::Taken);
    }
}

#[test]
fn nothing_is_wrong_when_everything_arrived_once() {
    let mut oracle = jobs();
    assert!(!oracle.is_complete());
    all_events(&mut oracle);
    assert!(!oracle.is_complete());
    oracle.point(count(FAILURES, "cron", 1, 1), Fate::Taken);
    oracle.point(count(FAILURES, "cron", 2, 1), Fate::Taken);
    assert!(oracle.has("a", "cron") && !oracle.has("c", "once"));
    oracle.point(count(COMPLETIONS, "once", 2, 1), Fate::Taken);
    assert!(oracle.is_complete());
    assert_eq!(oracle.problems(), BTreeSet::new());
    assert_eq!(oracle.decided(), 3);
}

#[test]
fn nor_when_the_same_arrived_again() {
    let mut oracle = jobs();
    for _ in 0..2 {
        all_events(&mut oracle);
        oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
        oracle.point(count(COMPLETIONS, "once", 2, 1), Fate::Taken);
    }
    assert_eq!(oracle.problems(), BTreeSet::new());
    let again = Traffic {
        events_again: 3,
        points_again: 2,
        refused: 0,
    };
    assert_eq!(oracle.traffic(), again);
}

#[test]
fn what_is_missing_is_lost() {
    let mut oracle = jobs();
    oracle.event(event("a", "a", "Failed"), Fate::Taken);
    oracle.point(count(FAILURES, "cron", 1, 1), Fate::Taken);
    let lost = [
        Problem::EventLost("b".into()),
        Problem::EventLost("c".into()),
        Problem::CountLost(FAILURES.into(), "cron".into(), 1),
        Problem::CountLost(COMPLETIONS.into(), "once".into(), 1),
    ];
    assert_eq!(oracle.problems(), BTreeSet::from(lost));
}

#[test]
fn a_second_count_in_another_second_is_too_many() {
    let mut oracle = jobs();
    all_events(&mut oracle);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
    oracle.point(count(COMPLETIONS, "once", 1, 1), Fate::Taken);
    oracle.point(count(COMPLETIONS, "once", 2, 1), Fate::Taken);
    let twice = Problem::CountedTwice(COMPLETIONS.into(), "once".into(), 1);
    assert_eq!(oracle.problems(), BTreeSet::from([twice]));
    assert!(oracle.is_complete(), "nothing more is to be waited for");
}

#[test]
fn a_count_of_an_unknown_owner_or_by_the_wrong_metric_is_too_many() {
    let mut oracle = jobs();
    all_events(&mut oracle);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
    oracle.point(count(FAILURES, "once", 1, 1), Fate::Taken);
    oracle.point(count(COMPLETIONS, "nobody", 1, 1), Fate::Taken);
    let problems = [
        Problem::CountedTwice(FAILURES.into(), "once".into(), 1),
        Problem::CountedTwice(COMPLETIONS.into(), "nobody".into(), 1),
        Problem::CountLost(COMPLETIONS.into(), "once".into(), 1),
    ];
    assert_eq!(oracle.problems(), BTreeSet::from(problems));
}

#[test]
fn another_value_in_the_same_second_overwrites() {
    let mut oracle = jobs();
    all_events(&mut oracle);
    oracle.point(count(COMPLETIONS, "once", 1, 1), Fate::Taken);
    oracle.point(count(FAILURES, "cron", 1, 1), Fate::Taken);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
    let overwritten = Problem::Overwritten(format!("{FAILURES} cron"), 1, "1".into(), "2".into());
    assert!(oracle.problems().contains(&overwritten));
}

#[test]
fn metrics_that_count_no_jobs_must_be_sent_again_unchanged_too() {
    let mut oracle = jobs();
    all_events(&mut oracle);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
    oracle.point(count(COMPLETIONS, "once", 1, 1), Fate::Taken);
    oracle.point(count("k8s.job.duration", "once", 1, 1), Fate::Taken);
    assert_eq!(oracle.problems(), BTreeSet::new());
    oracle.point(count("k8s.job.duration", "once", 1, 2), Fate::Taken);
    assert_eq!(oracle.problems().len(), 1);
}

#[test]
fn what_the_backend_refused_is_not_lost_and_not_double() {
    let mut oracle = jobs();
    oracle.event(event("a", "a", "Failed"), Fate::Refused);
    oracle.event(event("a", "a", "Failed"), Fate::Taken);
    oracle.event(event("b", "b", "Failed"), Fate::Refused);
    oracle.event(event("c", "c", "Succeeded"), Fate::Taken);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Refused);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
    oracle.point(count(COMPLETIONS, "once", 1, 1), Fate::Refused);
    assert_eq!(oracle.problems(), BTreeSet::new());
    let traffic = Traffic {
        refused: 4,
        ..Traffic::default()
    };
    assert_eq!(oracle.traffic(), traffic);
    oracle.point(count(FAILURES, "cron", 1, 3), Fate::Taken);
    assert_eq!(
        oracle.problems().len(),
        1,
        "what was refused must be the same when it comes again"
    );
}

#[test]
fn events_of_unknown_jobs_wrong_ids_and_wrong_outcomes() {
    let mut oracle = jobs();
    oracle.job("d", "gone", End::Undecided);
    all_events(&mut oracle);
    oracle.point(count(FAILURES, "cron", 1, 2), Fate::Taken);
    oracle.point(count(COMPLETIONS, "once", 1, 1), Fate::Taken);
    oracle.event(event("d", "d", "Deleted"), Fate::Taken);
    assert_eq!(oracle.problems(), BTreeSet::new());
    oracle.event(event("e", "e", "Failed"), Fate::Taken);
    oracle.event(event("a2", "a", "Failed"), Fate::Taken);
    oracle.event(event("b", "b", "Succeeded"), Fate::Taken);
    oracle.event(event("d", "d", "Failed"), Fate::Taken);
    let problems = [
        Problem::EventUnknown("e".into()),
        Problem::WrongId("a2".into(), "a".into()),
        Problem::WrongOutcome("b".into(), "Succeeded".into()),
        Problem::WrongOutcome("d".into(), "Failed".into()),
    ];
    assert_eq!(oracle.problems(), BTreeSet::from(problems));
}
