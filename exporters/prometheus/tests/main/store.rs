//! Totals of deltas, as scrapes see them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::*;
use collector_data::Payload;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogram, ExponentialHistogramDataPoint,
};
use prometheus_exporter::store::Store;
use prometheus_text::{Format, Options};

const EXPIRATION: Duration = Duration::from_secs(300);

struct Scene {
    store: Store,
    began: Instant,
}

impl Scene {
    fn new(start_at_zero: u64) -> Self {
        Scene {
            store: Store::new(EXPIRATION, Duration::from_secs(start_at_zero)),
            began: Instant::now(),
        }
    }

    fn at(&self, second: u64) -> Instant {
        self.began + Duration::from_secs(second)
    }

    fn send(&mut self, second: u64, metrics: Vec<opentelemetry_proto::tonic::metrics::v1::Metric>) {
        let now = self.at(second);
        let metrics = of(&[("k8s.job.name", "a")], "", metrics);
        self.store.add(Arc::new(Payload::Metrics(vec![metrics])), now);
    }

    /// A delta of `value` that ends in that second.
    fn count(&mut self, second: u64, value: i64) {
        let points = vec![point(&[("reason", "r")], value, second - 1, second)];
        let delta = sum(points, AggregationTemporality::Delta);
        self.send(second, vec![metric("fails", "{job}", delta)]);
    }

    fn shown(&self, second: u64) -> String {
        let options = Options {
            target_info: false,
            ..Options::default()
        };
        let (text, _) = text(&self.store.metrics(self.at(second)), &options, Format::OpenMetrics);
        samples(&text).join("\n")
    }
}

#[test]
fn adds_deltas_and_resets_after_expiration() {
    let mut scene = Scene::new(0);
    scene.count(10, 2);
    scene.count(20, 3);
    assert_eq!(
        scene.shown(21),
        "fails_total{reason=\"r\"} 5\nfails_created{reason=\"r\"} 9.000"
    );
    assert_eq!(scene.shown(319), scene.shown(21));
    assert_eq!(scene.shown(320), "", "five minutes after the last delta");
    scene.count(400, 1);
    assert_eq!(
        scene.shown(401),
        "fails_total{reason=\"r\"} 1\nfails_created{reason=\"r\"} 399.000"
    );
    assert_eq!(scene.store.series(), 1);
}

#[test]
fn counts_a_repeated_delta_once() {
    let mut scene = Scene::new(0);
    scene.count(10, 2);
    scene.count(10, 2);
    assert!(scene.shown(11).starts_with("fails_total{reason=\"r\"} 2\n"));
}

#[test]
fn a_new_count_is_zero_first() {
    let mut scene = Scene::new(60);
    scene.count(10, 1);
    assert!(scene.shown(11).starts_with("fails_total{reason=\"r\"} 0\n"));
    scene.count(30, 1);
    assert!(scene.shown(69).starts_with("fails_total{reason=\"r\"} 0\n"));
    assert!(scene.shown(70).starts_with("fails_total{reason=\"r\"} 2\n"));
    // A total counted elsewhere was not zero before.
    let total = sum(vec![point(&[], 9, 1, 80)], AggregationTemporality::Cumulative);
    scene.send(80, vec![metric("others", "", total)]);
    assert!(scene.shown(81).contains("others_total 9\n"), "{}", scene.shown(81));
}

#[test]
fn a_histogram_at_zero_has_its_later_buckets() {
    let mut scene = Scene::new(60);
    let histogram = ExponentialHistogram {
        data_points: vec![ExponentialHistogramDataPoint {
            scale: 0,
            count: 1,
            sum: Some(0.3),
            start_time_unix_nano: 9_000_000_000,
            time_unix_nano: 10_000_000_000,
            positive: Some(Buckets {
                offset: -2,
                bucket_counts: vec![1],
            }),
            ..Default::default()
        }],
        aggregation_temporality: AggregationTemporality::Delta as i32,
    };
    scene.send(10, vec![metric("took", "s", Data::ExponentialHistogram(histogram))]);
    let (zero, counted) = (scene.shown(11), scene.shown(70));
    assert!(
        zero.contains("took_seconds_bucket{le=\"0.5\"} 0\n") && zero.contains("took_seconds_sum 0\n"),
        "{zero}"
    );
    assert!(counted.contains("took_seconds_bucket{le=\"0.5\"} 1\n"), "{counted}");
    assert_eq!(zero.lines().count(), counted.lines().count());
}

#[test]
fn serves_the_latest_gauge_until_it_ends() {
    let mut scene = Scene::new(60);
    scene.send(10, vec![gauge("pods", vec![point(&[("x", "y")], 3, 0, 10)])]);
    scene.send(20, vec![gauge("pods", vec![point(&[("x", "y")], 1, 0, 20)])]);
    // One that was overtaken.
    scene.send(21, vec![gauge("pods", vec![point(&[("x", "y")], 7, 0, 15)])]);
    assert_eq!(scene.shown(22), "pods{x=\"y\"} 1");
    let mut end = point(&[("x", "y")], 0, 0, 30);
    end.flags = DataPointFlags::NoRecordedValueMask as u32;
    scene.send(30, vec![gauge("pods", vec![end])]);
    assert_eq!(scene.shown(31), "");
}
