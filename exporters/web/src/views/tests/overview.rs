use jiff::SignedDuration;

use super::filter;
use crate::testing::{TestEvent as Event, TestWeb, at};
use crate::views::Overview;

fn overview(events: impl IntoIterator<Item = Event>, query: &str) -> Overview {
    TestWeb::of(events).overview(&filter(query)).unwrap()
}

/// Cause and number of runs of each failing group.
fn failing(events: impl IntoIterator<Item = Event>, query: &str) -> Vec<(String, usize)> {
    let groups = overview(events, query).failing.items.into_iter();
    groups
        .map(|group| (format!("{} {}", group.owner.name, group.cause), group.runs))
        .collect()
}

fn group(name: &str, runs: usize) -> (String, usize) {
    (name.into(), runs)
}

#[test]
fn failed_runs_are_grouped_by_owner_and_cause() {
    let events = [
        Event::failed(1, "NonZeroExit", "09:00:00"),
        Event::failed(2, "NonZeroExit", "10:00:00"),
        Event::failed(3, "OomKilled", "11:00:00"),
        Event::failed(4, "NonZeroExit", "09:30:00").of("Workflow", "build"),
    ];
    let expected = [
        group("report OomKilled", 1),
        group("report NonZeroExit", 2),
        group("build NonZeroExit", 1),
    ];
    assert_eq!(failing(events.clone(), ""), expected);
    let first = &overview(events, "").failing.items[1];
    assert_eq!((first.first, first.latest.time), (at("09:00:00"), at("10:00:00")));
    assert_eq!(&*first.latest.name, "report-2");
}

#[test]
fn an_owner_is_failing_until_a_run_succeeds() {
    let failed = [Event::failed(1, "A", "09:00:00"), Event::failed(2, "A", "10:00:00")];
    let succeeded = |time: &str| Event::finished(3, "Succeeded", time);
    let with = |event: Event| failed.iter().cloned().chain([event]).collect::<Vec<_>>();
    assert_eq!(failing(with(succeeded("10:30:00")), ""), []);
    assert_eq!(failing(with(succeeded("09:30:00")), ""), [group("report A", 1)]);
}

#[test]
fn deleted_and_replaced_runs_decide_nothing() {
    for outcome in ["Deleted", "Replaced"] {
        let after = Event::finished(2, outcome, "10:00:00");
        assert_eq!(
            failing([Event::failed(1, "A", "09:00:00"), after.clone()], ""),
            [group("report A", 1)]
        );
        let succeeded = Event::finished(1, "Succeeded", "09:00:00");
        assert_eq!(failing([succeeded, after.clone()], ""), []);
        let totals = overview([after], "").totals;
        assert_eq!((totals.failed, totals.succeeded, totals.deleted), (0, 0, 1));
    }
}

#[test]
fn late_events_do_not_change_what_fails() {
    // A run of 9 o'clock that succeeded is reported after the failure of 10 o'clock.
    let events = [
        Event::failed(2, "A", "10:00:00"),
        Event::finished(1, "Succeeded", "09:00:00"),
    ];
    assert_eq!(failing(events, ""), [group("report A", 1)]);
}

#[test]
fn a_filter_does_not_change_what_fails() {
    let recovered = [
        Event::failed(1, "A", "09:00:00"),
        Event::finished(2, "Succeeded", "10:00:00"),
    ];
    for query in ["outcome=Failed", "cause=A", "q=report-1"] {
        assert_eq!(failing(recovered.clone(), query), [], "{query}");
    }
    let failed = [Event::failed(1, "A", "09:00:00"), Event::failed(2, "B", "10:00:00")];
    for (query, expected) in [
        ("cause=A", vec![group("report A", 1)]),
        ("outcome=Succeeded", vec![]),
        ("namespace=other", vec![]),
        ("event=stalled", vec![]),
        ("since=90m", vec![]),
        ("since=150m", vec![group("report B", 1)]),
    ] {
        assert_eq!(failing(failed.clone(), query), expected, "{query}");
    }
}

#[test]
fn missed_runs_are_grouped_by_owner_and_reason() {
    let events = [
        Event::missed(2, "ConcurrencyForbidden", "09:00:00"),
        Event::missed(3, "ConcurrencyForbidden", "10:00:00"),
        Event::missed(1, "ControllerLate", "11:00:00"),
    ];
    let missed = overview(events, "").missed.items;
    let found: Vec<_> = missed
        .iter()
        .map(|group| (&*group.owner.kind, &*group.reason, group.runs))
        .collect();
    assert_eq!(
        found,
        [("CronJob", "ControllerLate", 1), ("CronJob", "ConcurrencyForbidden", 5)]
    );
    assert_eq!(&*missed[0].namespace, "shop");
}

#[test]
fn the_window_is_a_day_or_the_filter() {
    let test = TestWeb::new();
    for (number, time) in [(1, "00:10:00"), (2, "11:00:00")] {
        test.web.keep(&Event::failed(number, "A", time).payload());
        test.web
            .keep(&Event::missed(i64::from(number), "ControllerLate", time).payload());
    }
    let tomorrow = at("10:00:00") + SignedDuration::from_hours(24);
    *test.now.lock().unwrap() = tomorrow;
    let day = test.web.overview(&filter("")).unwrap();
    assert_eq!((day.totals.failed, day.totals.missed, day.totals.kept), (1, 2, 4));
    assert_eq!(day.missed.items[0].runs, 2);
    assert_eq!(day.failing.items[0].runs, 2, "an owner fails for as long as it fails");
    let all = test.web.overview(&filter("since=48h")).unwrap();
    assert_eq!((all.totals.failed, all.totals.missed), (2, 3));
    let counted: u32 = day.timeline.buckets.iter().map(|bucket| bucket.failed).sum();
    assert_eq!(counted, 1);
}

#[test]
fn the_timeline_ends_after_now() {
    let test = TestWeb::new();
    *test.now.lock().unwrap() = at("12:00:00");
    for (number, time) in [(1, "11:59:59"), (2, "12:00:00"), (3, "12:29:59")] {
        test.web.keep(&Event::failed(number, "A", time).payload());
    }
    let timeline = test.web.overview(&filter("")).unwrap().timeline;
    assert_eq!((timeline.end, timeline.buckets.len()), (at("12:30:00"), 48));
    let last: Vec<u32> = timeline.buckets[46..].iter().map(|bucket| bucket.failed).collect();
    assert_eq!(last, [1, 2]);
    assert_eq!(timeline.buckets[47].start, at("12:00:00"));
}

#[test]
fn events_after_now_count_as_new() {
    let test = TestWeb::new();
    test.web.keep(&Event::failed(1, "A", "11:00:00").payload());
    test.web.keep(&Event::stalled(2, "ImagePull", "11:00:00").payload());
    // The clock of this machine is set back by three hours.
    *test.now.lock().unwrap() = at("08:00:00");
    let overview = test.web.overview(&filter("since=1h")).unwrap();
    assert_eq!(overview.timeline.buckets[47].failed, 1);
    assert_eq!(overview.failing.total, 1);
    assert_eq!(overview.stalled.items[0].stalled_for, 0.0);
}

#[test]
fn lists_are_shortened_and_say_so() {
    let events = (0..150).map(|number| Event::failed(number, "A", "11:00:00").of("Workflow", &format!("w{number}")));
    let overview = overview(events, "");
    assert_eq!((overview.failing.items.len(), overview.failing.total), (100, 150));
    assert_eq!(overview.totals.failing_owners, 150);
}
