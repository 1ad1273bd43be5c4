use job_event::attributes as attr;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;

use collector_data::Payload;

use super::filter;
use crate::testing::{TestEvent as Event, TestWeb, at, text};

/// The causes of the open stalls.
fn open(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let overview = TestWeb::of(events).overview(&filter("")).unwrap();
    overview
        .stalled
        .items
        .into_iter()
        .map(|stall| stall.event.cause.into())
        .collect()
}

#[test]
fn a_stall_is_over_after_its_recovery() {
    let stalls = [
        Event::stalled(1, "ImagePull", "09:00:00"),
        Event::stalled(1, "OomKilled", "10:00:00"),
    ];
    assert_eq!(open(stalls.clone()), ["OomKilled", "ImagePull"]);
    let with = |event: Event| open(stalls.iter().cloned().chain([event]));
    assert_eq!(with(Event::recovered(1, "ImagePull", "11:00:00")), ["OomKilled"]);
    assert_eq!(with(Event::recovered(1, "ImagePull,OomKilled", "11:00:00")), [""; 0]);
    assert_eq!(
        with(Event::recovered(2, "ImagePull", "11:00:00")),
        ["OomKilled", "ImagePull"]
    );
    let without_causes = Event::recovered(1, "ImagePull", "11:00:00").without(attr::STALL_CAUSE);
    assert_eq!(with(without_causes), [""; 0]);
}

#[test]
fn a_stall_is_over_after_the_end_of_its_job() {
    for outcome in ["Succeeded", "Failed", "Deleted", "Replaced"] {
        let events = [
            Event::stalled(1, "ImagePull", "09:00:00"),
            Event::finished(1, outcome, "10:00:00"),
        ];
        assert_eq!(open(events), [""; 0], "{outcome}");
    }
    let ended = Event::recovered(1, "OomKilled", "10:00:00").with(attr::OUTCOME, "Failed");
    assert_eq!(open([Event::stalled(1, "ImagePull", "09:00:00"), ended]), [""; 0]);
}

#[test]
fn a_recovery_counts_whatever_its_time() {
    // The clock was set back between the two.
    let events = [
        Event::stalled(1, "ImagePull", "10:00:00"),
        Event::recovered(1, "ImagePull", "09:00:00"),
    ];
    assert_eq!(open(events), [""; 0]);
}

#[test]
fn a_stall_of_a_recreated_job_is_its_own() {
    let again = Event::stalled(2, "ImagePull", "11:00:00").with(attr::JOB_NAME, "report-1");
    let events = [
        Event::stalled(1, "ImagePull", "09:00:00"),
        Event::finished(1, "Deleted", "10:00:00"),
        again,
    ];
    assert_eq!(open(events), ["ImagePull"]);
}

/// The gauge of stalled Jobs of the CronJob `report`.
fn gauge(cause: &str, jobs: i64, time: &str) -> Payload {
    let point = NumberDataPoint {
        attributes: vec![text(attr::POINT_CAUSE, cause)],
        time_unix_nano: u64::try_from(at(time).as_nanosecond()).unwrap(),
        value: Some(Value::AsInt(jobs)),
        ..Default::default()
    };
    Payload::Metrics(vec![ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![text(attr::NAMESPACE_NAME, "shop"), text(attr::CRONJOB_NAME, "report")],
            ..Default::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            metrics: vec![Metric {
                name: attr::METRIC_STALLED.into(),
                data: Some(Data::Gauge(Gauge {
                    data_points: vec![point],
                })),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

#[test]
fn a_gauge_of_zero_ends_a_stall_without_recovery() {
    for (cause, jobs, time, is_open) in [
        ("ImagePull", 0, "10:00:00", false),
        ("ImagePull", 0, "08:00:00", true),
        ("ImagePull", 1, "10:00:00", true),
        ("OomKilled", 0, "10:00:00", true),
    ] {
        let web = TestWeb::of([Event::stalled(1, "ImagePull", "09:00:00")]);
        web.keep(&gauge(cause, jobs, time));
        let stalled = web.overview(&filter("")).unwrap().stalled;
        assert_eq!(stalled.total == 1, is_open, "{cause} {jobs} {time}");
    }
}

#[test]
fn a_stall_shows_how_long_it_lasts() {
    let web = TestWeb::of([Event::stalled(1, "ImagePull", "11:00:00")]);
    let overview = web.overview(&filter("")).unwrap();
    assert_eq!(overview.stalled.items[0].stalled_for, 3600.0);
}
