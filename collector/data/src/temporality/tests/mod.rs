//! Totals against the sum of the deltas, over any order of series, resends, pauses and scales.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Histogram, Metric, ScopeMetrics, Sum, Summary, SummaryDataPoint};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;

use super::*;

mod exponential;

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.into())),
        }),
        ..Default::default()
    }
}

fn payload(resource: &str, data: Vec<Data>) -> Arc<Payload> {
    let metric = |data| Metric {
        name: "m".into(),
        data: Some(data),
        ..Default::default()
    };
    Arc::new(Payload::Metrics(vec![ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![attribute("r", resource)],
            ..Default::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            metrics: data.into_iter().map(metric).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }]))
}

fn data(payload: &Payload) -> Vec<Data> {
    let Payload::Metrics(metrics) = payload else { panic!() };
    let metrics = metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = metrics.flat_map(|scope| &scope.metrics);
    metrics.map(|metric| metric.data.clone().unwrap()).collect()
}

fn number(attributes: &[(&str, &str)], (start, end): (u64, u64), value: i64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        start_time_unix_nano: start,
        time_unix_nano: end,
        value: Some(Value::AsInt(value)),
        ..Default::default()
    }
}

fn sum(points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum {
        data_points: points,
        aggregation_temporality: DELTA,
        is_monotonic: true,
    })
}

/// Start, end and value of every point of every sum, which must be cumulative now.
fn totals(payload: &Payload) -> Vec<(u64, u64, i64)> {
    let sums = data(payload).into_iter().map(|data| match data {
        Data::Sum(sum) => sum,
        other => panic!("{other:?}"),
    });
    let points = sums.flat_map(|sum| {
        assert_eq!(sum.aggregation_temporality, CUMULATIVE);
        sum.data_points
    });
    let total = |point: NumberDataPoint| match point.value {
        Some(Value::AsInt(value)) => (point.start_time_unix_nano, point.time_unix_nano, value),
        other => panic!("{other:?}"),
    };
    points.map(total).collect()
}

const HOUR: Duration = Duration::from_secs(3600);

fn accumulator() -> (Accumulator, Instant) {
    (Accumulator::new(HOUR), Instant::now())
}

#[test]
fn sums_add_up_in_any_order_of_attributes() {
    let (mut state, now) = accumulator();
    let mut put = |resource, points| totals(&state.convert(payload(resource, vec![sum(points)]), now));
    let (a, turned, b) = (
        [("k", "a"), ("l", "1")],
        [("l", "1"), ("k", "a")],
        [("k", "b"), ("l", "1")],
    );
    let first = put("x", vec![number(&a, (10, 20), 1), number(&b, (10, 20), 5)]);
    assert_eq!(first, [(10, 20, 1), (10, 20, 5)]);
    assert_eq!(put("x", vec![number(&turned, (20, 30), 2)]), [(10, 30, 3)]);
    assert_eq!(
        put("y", vec![number(&a, (20, 30), 7)]),
        [(20, 30, 7)],
        "another resource"
    );
    assert_eq!(put("x", vec![number(&b, (50, 60), 1)]), [(10, 60, 6)], "with a gap");
    assert_eq!(state.series(), 3);
}

#[test]
fn a_repeated_point_becomes_the_total_and_is_not_added() {
    let (mut state, now) = accumulator();
    let mut put =
        |interval, value| totals(&state.convert(payload("x", vec![sum(vec![number(&[], interval, value)])]), now));
    put((10, 20), 1);
    put((20, 30), 2);
    assert_eq!(put((10, 20), 1), [(10, 30, 3)]);
    assert_eq!(put((20, 30), 2), [(10, 30, 3)]);
    assert_eq!(put((30, 40), 4), [(10, 40, 7)]);
}

#[test]
fn a_series_starts_again_after_overlap_or_overflow() {
    let (mut state, now) = accumulator();
    let mut put =
        |interval, value| totals(&state.convert(payload("x", vec![sum(vec![number(&[], interval, value)])]), now));
    put((1000, 1010), 1);
    // The clock was set back.
    assert_eq!(put((500, 510), 2), [(500, 510, 2)]);
    assert_eq!(put((510, 520), 3), [(500, 520, 5)]);
    assert_eq!(put((520, 530), i64::MAX), [(520, 530, i64::MAX)]);
    // Without a start, nothing is known before the end of a delta.
    assert_eq!(put((0, 540), 1), [(540, 540, 1)]);
    assert_eq!(put((0, 550), 1), [(540, 550, 2)]);
}

#[test]
fn an_idle_series_expires_and_starts_again() {
    let (mut state, now) = accumulator();
    let delta = |interval| payload("x", vec![sum(vec![number(&[], interval, 1)])]);
    state.convert(delta((10, 20)), now);
    let busy = now + HOUR - Duration::from_secs(1);
    assert_eq!(totals(&state.convert(delta((20, 30)), busy)), [(10, 30, 2)]);
    assert_eq!(totals(&state.convert(delta((90, 99)), busy + HOUR)), [(90, 99, 1)]);
    // An expired series uses no memory.
    let other = payload("y", vec![sum(vec![number(&[], (200, 210), 1)])]);
    state.convert(other, busy + HOUR * 3);
    assert_eq!(state.series(), 1);
    let mut forever = Accumulator::new(Duration::ZERO);
    forever.convert(delta((10, 20)), now);
    assert_eq!(
        totals(&forever.convert(delta((20, 30)), now + HOUR * 9999)),
        [(10, 30, 2)]
    );
}

#[test]
fn a_zero_point_precedes_each_start_of_a_series() {
    let now = Instant::now();
    let mut state = Accumulator::new(HOUR).with_zero_points();
    let mut put = |points| totals(&state.convert(payload("x", vec![sum(points)]), now));
    let (a, b) = ([("k", "a")], [("k", "b")]);
    assert_eq!(
        put(vec![number(&a, (10, 20), 1), number(&b, (10, 20), 2)]),
        [(10, 10, 0), (10, 20, 1), (10, 10, 0), (10, 20, 2)]
    );
    assert_eq!(put(vec![number(&a, (20, 30), 1)]), [(10, 30, 2)]);
    assert_eq!(put(vec![number(&a, (5, 6), 1)]), [(5, 5, 0), (5, 6, 1)]);
}

#[test]
fn data_without_deltas_is_not_copied() {
    let (mut state, now) = accumulator();
    let cumulative = Data::Sum(Sum {
        data_points: vec![number(&[], (1, 2), 3)],
        aggregation_temporality: CUMULATIVE,
        is_monotonic: true,
    });
    let unspecified = Data::Sum(Sum {
        data_points: vec![number(&[], (1, 2), 3)],
        ..Default::default()
    });
    let gauge = Data::Gauge(Gauge {
        data_points: vec![number(&[], (1, 2), 3)],
    });
    let summary = Data::Summary(Summary {
        data_points: vec![SummaryDataPoint::default()],
    });
    let untouched = vec![cumulative, unspecified, gauge, summary];
    let before = payload("x", untouched.clone());
    assert!(Arc::ptr_eq(&before, &state.convert(Arc::clone(&before), now)));

    let mut mixed = untouched.clone();
    mixed.push(sum(vec![number(&[], (1, 2), 3)]));
    let before = payload("x", mixed);
    let after = state.convert(Arc::clone(&before), now);
    assert_eq!(data(&after)[..4], untouched[..]);
    assert!(
        matches!(&data(&before)[4], Data::Sum(sum) if sum.aggregation_temporality == DELTA),
        "others still see it"
    );
    let no_value = NumberDataPoint {
        flags: 1,
        ..number(&[], (2, 3), 0)
    };
    let after = state.convert(payload("x", vec![sum(vec![no_value.clone()])]), now);
    assert!(matches!(&data(&after)[0], Data::Sum(sum) if sum.data_points == [no_value]));
}

#[test]
fn histograms_add_up_while_their_bounds_stay() {
    let (mut state, now) = accumulator();
    let mut put = |interval: (u64, u64), bounds: &[f64], counts: &[u64], value: f64| {
        let point = HistogramDataPoint {
            start_time_unix_nano: interval.0,
            time_unix_nano: interval.1,
            count: counts.iter().sum(),
            sum: Some(value),
            bucket_counts: counts.to_vec(),
            explicit_bounds: bounds.to_vec(),
            min: Some(value),
            max: Some(value),
            ..Default::default()
        };
        let histogram = Histogram {
            data_points: vec![point],
            aggregation_temporality: DELTA,
        };
        match data(&state.convert(payload("x", vec![Data::Histogram(histogram)]), now)).remove(0) {
            Data::Histogram(histogram) => histogram.data_points[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    put((10, 20), &[1.0, 5.0], &[1, 0, 2], 4.0);
    let total = put((20, 30), &[1.0, 5.0], &[0, 3, 1], 2.0);
    assert_eq!(
        (total.start_time_unix_nano, total.time_unix_nano, total.count),
        (10, 30, 7)
    );
    assert_eq!((total.bucket_counts, total.sum), (vec![1, 3, 3], Some(6.0)));
    assert_eq!((total.min, total.max), (Some(2.0), Some(4.0)));
    let other = put((30, 40), &[1.0], &[1, 1], 9.0);
    assert_eq!((other.start_time_unix_nano, other.count, other.sum), (30, 2, Some(9.0)));
}

/// A step in the life of a few series.
#[derive(Clone, Debug)]
enum DeltaStep {
    /// A delta over the next interval.
    Delta { series: u8, value: i64 },
    /// A delta that was sent before.
    Again { series: u8, back: usize },
    /// A pause in seconds.
    Pause(u64),
}

fn steps() -> impl Strategy<Value = Vec<DeltaStep>> {
    let step = prop_oneof![
        6 => (0..4_u8, 0..1000_i64).prop_map(|(series, value)| DeltaStep::Delta { series, value }),
        2 => (0..4_u8, 0..20_usize).prop_map(|(series, back)| DeltaStep::Again { series, back }),
        1 => (0..5000_u64).prop_map(DeltaStep::Pause),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// A reader that handles resets (a later start time) counts exactly the deltas, each once.
    #[test]
    fn totals_are_the_sum_of_the_deltas(steps in steps()) {
        let (mut state, begin) = accumulator();
        let mut clock = 10_u64;
        let mut sent: BTreeMap<u8, Vec<(u64, u64, i64)>> = BTreeMap::new();
        // By series: what ended at each reset, and the last point.
        let mut read: BTreeMap<u8, (i64, (u64, u64, i64))> = BTreeMap::new();
        for step in steps {
            let (series, (start, end, value)) = match step {
                DeltaStep::Pause(seconds) => {
                    clock += seconds;
                    continue;
                }
                DeltaStep::Delta { series, value } => {
                    let interval = (clock, clock + 10, value);
                    clock += 10;
                    sent.entry(series).or_default().push(interval);
                    (series, interval)
                }
                DeltaStep::Again { series, back } => {
                    let of_series = sent.get(&series).map_or(&[][..], Vec::as_slice);
                    // An expired interval is not recognized.
                    let Some(again) = of_series.iter().rev().nth(back).copied() else { continue };
                    let last = of_series.last().map_or(0, |last| last.1);
                    if clock - last >= 3000 || read[&series].1.0 > again.0 {
                        continue;
                    }
                    (series, again)
                }
            };
            let now = begin + Duration::from_secs(clock);
            let label = series.to_string();
            let point = number(&[("series", &label)], (start, end), value);
            let [seen] = totals(&state.convert(payload("x", vec![sum(vec![point])]), now))[..] else { panic!() };
            match read.get_mut(&series) {
                Some((_, last)) if last.0 == seen.0 => {
                    prop_assert!(seen.1 >= last.1 && seen.2 >= last.2, "{:?} after {:?}", seen, last);
                    *last = seen;
                }
                Some((before, last)) => {
                    prop_assert!(seen.0 >= last.1, "the start {:?} lies in {:?}", seen, last);
                    *before += last.2;
                    *last = seen;
                }
                None => {
                    read.insert(series, (0, seen));
                }
            }
            let (before, last) = read[&series];
            let expected: i64 = sent[&series].iter().map(|(_, _, value)| value).sum();
            prop_assert_eq!(before + last.2, expected);
        }
    }
}
