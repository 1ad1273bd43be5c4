use job_event::attributes as attr;

use super::filter;
use crate::testing::{TestEvent as Event, TestWeb};
use crate::views::Filter;

/// The numbers of the Jobs whose events match, latest first.
fn matching(query: &str) -> Vec<String> {
    let web = TestWeb::of([
        Event::failed(1, "NonZeroExit", "09:00:00"),
        Event::failed(2, "OomKilled", "10:00:00").of("Workflow", "build"),
        Event::finished(3, "Succeeded", "11:00:00").with(attr::NAMESPACE_NAME, "billing"),
        Event::stalled(4, "ImagePull", "11:30:00"),
        Event::recovered(4, "Unschedulable,ImagePull", "11:45:00"),
    ]);
    let events = web.events(&filter(query), None, 100).unwrap().events;
    events.into_iter().map(|event| event.uid.into()).collect()
}

#[test]
fn every_key_filters_events() {
    for (query, expected) in [
        ("", &["4", "4", "3", "2", "1"][..]),
        ("namespace=billing", &["3"]),
        ("namespace=billing&namespace=none", &["3"]),
        ("kind=Workflow", &["2"]),
        ("owner=build", &["2"]),
        ("job=report-1", &["1"]),
        ("cause=NonZeroExit&cause=OomKilled", &["2", "1"]),
        ("cause=ImagePull", &["4", "4"]),
        ("cause=Unschedulable", &["4"]),
        ("category=application", &["2", "1"]),
        ("reason=BackoffLimitExceeded", &["2", "1"]),
        ("outcome=Succeeded", &["3"]),
        ("event=k8s.job.stalled", &["4"]),
        ("event=recovered&event=stalled", &["4", "4"]),
        ("since=45m", &["4", "4"]),
        ("since=2026-11-28T10:00:00Z", &["4", "4", "3", "2"]),
        ("q=BUILD", &["2"]),
        ("q=oomk", &["2"]),
        ("namespace=shop&outcome=Failed", &["2", "1"]),
        ("namespace=&q=&since=", &["4", "4", "3", "2", "1"]),
    ] {
        assert_eq!(matching(query), expected, "{query}");
    }
}

#[test]
fn a_filter_is_written_as_it_was_read() {
    for query in [
        "",
        "namespace=shop&namespace=a+b&kind=CronJob&owner=x&job=y&cause=A&category=c&reason=r&outcome=Failed&event=k8s.job.stalled\
         &since=6h&q=%22%3E%3Cscript%3E",
    ] {
        assert_eq!(filter(query).query(), query);
        assert_eq!(filter(query).is_empty(), query.is_empty());
    }
}

#[test]
fn an_invalid_query_names_what_is_expected() {
    for (query, parts) in [
        (
            "namspace=a",
            &["unknown query key \"namspace\"", "did you mean namespace?"][..],
        ),
        ("x=1", &["unknown query key \"x\""]),
        (
            "outcome=failed",
            &["outcome", "\"failed\"", "Succeeded, Failed, Deleted, Replaced"],
        ),
        ("event=done", &["event", "\"done\"", "k8s.job.finished"]),
        ("since=6", &["since", "\"6\"", "6h"]),
        ("since=-6h", &["since"]),
    ] {
        let error = Filter::parse(query, &["limit"]).unwrap_err();
        for part in parts {
            assert!(error.message.contains(part), "{query}: {}", error.message);
        }
        assert!(error.known.contains(&"namespace") && error.known.contains(&"limit"));
    }
}

#[test]
fn pages_are_disjoint_while_events_arrive() {
    let test = TestWeb::new();
    let keep = |number| test.web.keep(&Event::failed(number, "A", "09:00:00").payload());
    (1..=5).for_each(keep);
    let page = |cursor: Option<u64>| {
        let page = test.web.events(&filter(""), cursor, 2).unwrap();
        let uids: Vec<String> = page.events.into_iter().map(|event| event.uid.into()).collect();
        (uids.join(" "), page.next.map(|next| next.parse().unwrap()))
    };
    let (first, next) = page(None);
    keep(6);
    let (second, next_after) = page(next);
    let (last, end) = page(next_after);
    assert_eq!([&*first, &*second, &*last], ["5 4", "3 2", "1"]);
    assert_eq!(end, None);
}
