//! Totals against the sum of the deltas, over any order of series, resends, pauses and scales.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, Gauge, Histogram, Metric, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;

use super::*;

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
fn sums_add_up_per_series_whatever_the_order_of_attributes() {
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
fn what_comes_again_is_not_added_and_its_total_is_told_again() {
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
fn a_series_starts_anew_when_its_time_is_counted_already_or_a_number_is_full() {
    let (mut state, now) = accumulator();
    let mut put =
        |interval, value| totals(&state.convert(payload("x", vec![sum(vec![number(&[], interval, value)])]), now));
    put((1000, 1010), 1);
    // The clock was set back.
    assert_eq!(put((500, 510), 2), [(500, 510, 2)]);
    assert_eq!(put((510, 520), 3), [(500, 520, 5)]);
    assert_eq!(put((520, 530), i64::MAX), [(520, 530, i64::MAX)]);
    // Where a delta does not say where it starts, nothing before its end is known.
    assert_eq!(put((0, 540), 1), [(540, 540, 1)]);
    assert_eq!(put((0, 550), 1), [(540, 550, 2)]);
}

#[test]
fn an_idle_series_is_forgotten_and_starts_anew_later() {
    let (mut state, now) = accumulator();
    let delta = |interval| payload("x", vec![sum(vec![number(&[], interval, 1)])]);
    state.convert(delta((10, 20)), now);
    let busy = now + HOUR - Duration::from_secs(1);
    assert_eq!(totals(&state.convert(delta((20, 30)), busy)), [(10, 30, 2)]);
    assert_eq!(totals(&state.convert(delta((90, 99)), busy + HOUR)), [(90, 99, 1)]);
    // What is forgotten takes no memory either.
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
fn a_zero_stands_before_the_first_point_of_each_series_and_of_each_new_start() {
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
fn only_deltas_are_changed_and_what_holds_none_is_not_copied() {
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

/// An exponential histogram of values in buckets at a scale: `(index, count)`.
fn exponential(
    scale: i32,
    positive: &[(i32, u64)],
    zero_count: u64,
    zero_threshold: f64,
) -> ExponentialHistogramDataPoint {
    let offset = positive.iter().map(|(index, _)| *index).min().unwrap_or(0);
    let last = positive.iter().map(|(index, _)| *index).max().unwrap_or(-1);
    let mut bucket_counts = vec![0; (i64::from(last) - i64::from(offset) + 1).max(0) as usize];
    for (index, count) in positive {
        bucket_counts[(index - offset) as usize] += count;
    }
    ExponentialHistogramDataPoint {
        scale,
        count: positive.iter().map(|(_, count)| count).sum::<u64>() + zero_count,
        zero_count,
        zero_threshold,
        positive: Some(Buckets { offset, bucket_counts }),
        ..Default::default()
    }
}

/// The buckets that hold something.
fn filled(point: &ExponentialHistogramDataPoint) -> BTreeMap<i64, u64> {
    let Some(buckets) = &point.positive else {
        return BTreeMap::new();
    };
    let counts = buckets.bucket_counts.iter().enumerate();
    let counts = counts.map(|(place, count)| (i64::from(buckets.offset) + place as i64, *count));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn added(parts: &[ExponentialHistogramDataPoint]) -> ExponentialHistogramDataPoint {
    let mut total = parts[0].clone();
    parts[1..].iter().for_each(|part| exponential::add(&mut total, part));
    total
}

#[test]
fn exponential_histograms_meet_at_a_scale_at_which_they_fit() {
    // Buckets -3 and 5 at scale 1 are -2 and 2 at scale 0.
    let total = added(&[
        exponential(1, &[(-3, 1), (5, 2)], 1, 0.0),
        exponential(0, &[(2, 4)], 2, 0.0),
    ]);
    assert_eq!((total.scale, total.zero_count), (0, 3));
    assert_eq!(filled(&total), BTreeMap::from([(-2, 1), (2, 6)]));
    // 0 and 1000 are too far apart for 160 buckets until halved three times: 0 and 125.
    let total = added(&[exponential(5, &[(0, 1)], 0, 0.0), exponential(5, &[(1000, 1)], 0, 0.0)]);
    assert_eq!((total.scale, filled(&total)), (2, BTreeMap::from([(0, 1), (125, 1)])));
    // One without buckets does not make the other coarser.
    let total = added(&[exponential(20, &[(7, 1)], 0, 0.0), exponential(-5, &[], 3, 0.0)]);
    assert_eq!(
        (total.scale, total.zero_count, filled(&total)),
        (20, 3, BTreeMap::from([(7, 1)]))
    );
    let total = added(&[exponential(-5, &[], 3, 0.0), exponential(20, &[(7, 1)], 0, 0.0)]);
    assert_eq!(
        (total.scale, total.zero_count, filled(&total)),
        (20, 3, BTreeMap::from([(7, 1)]))
    );
}

#[test]
fn a_larger_zero_threshold_takes_whole_buckets() {
    // At scale 0: bucket 0 is (1, 2], 1 is (2, 4], 2 is (4, 8]. A threshold of 3 cuts bucket 1, so it becomes 4.
    let total = added(&[
        exponential(0, &[(0, 1), (1, 2), (2, 4)], 1, 0.0),
        exponential(0, &[(3, 8)], 16, 3.0),
    ]);
    assert_eq!((total.zero_threshold, total.zero_count), (4.0, 1 + 16 + 1 + 2));
    assert_eq!(filled(&total), BTreeMap::from([(2, 4), (3, 8)]));
}

#[test]
fn both_sides_of_zero_are_kept_apart() {
    let negative = |offset, counts: &[u64]| ExponentialHistogramDataPoint {
        negative: Some(Buckets {
            offset,
            bucket_counts: counts.to_vec(),
        }),
        ..exponential(3, &[(1, 1)], 0, 0.0)
    };
    let total = added(&[negative(-2, &[1, 0, 2]), negative(0, &[5])]);
    assert_eq!(filled(&total), BTreeMap::from([(1, 2)]));
    let negative = total.negative.unwrap();
    assert_eq!((negative.offset, negative.bucket_counts), (-2, vec![1, 0, 7]));
}

#[test]
fn exponential_histograms_go_through_as_series() {
    let now = Instant::now();
    let mut state = Accumulator::new(HOUR).with_zero_points();
    let mut put = |interval: (u64, u64), values: Option<f64>| {
        let point = ExponentialHistogramDataPoint {
            start_time_unix_nano: interval.0,
            time_unix_nano: interval.1,
            sum: Some(values.unwrap_or_default()),
            min: values,
            max: values,
            ..exponential(0, if values.is_some() { &[(1, 1)] } else { &[] }, 0, 0.0)
        };
        let histogram = ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: DELTA,
        };
        match data(&state.convert(payload("x", vec![Data::ExponentialHistogram(histogram)]), now)).remove(0) {
            Data::ExponentialHistogram(histogram) => {
                assert_eq!(histogram.aggregation_temporality, CUMULATIVE);
                histogram.data_points
            }
            other => panic!("{other:?}"),
        }
    };
    let first = put((10, 20), Some(3.0));
    assert_eq!(
        (first.len(), first[0].count, first[0].sum, first[0].time_unix_nano),
        (2, 0, Some(0.0), 10)
    );
    assert_eq!(first[1].count, 1);
    put((20, 30), None);
    let last = put((30, 40), Some(2.5)).remove(0);
    assert_eq!((last.count, last.sum), (2, Some(5.5)));
    assert_eq!(
        (last.min, last.max),
        (Some(2.5), Some(3.0)),
        "an empty point has neither"
    );
    assert_eq!((last.start_time_unix_nano, last.time_unix_nano), (10, 40));
}

/// What happens to one of a few series.
#[derive(Clone, Debug)]
enum Step {
    /// A delta over the next interval.
    Delta { series: u8, value: i64 },
    /// A delta that has been sent comes again.
    Again { series: u8, back: usize },
    /// Nothing for this long, seconds.
    Pause(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_u8, 0..1000_i64).prop_map(|(series, value)| Step::Delta { series, value }),
        2 => (0..4_u8, 0..20_usize).prop_map(|(series, back)| Step::Again { series, back }),
        1 => (0..5000_u64).prop_map(Step::Pause),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// A reader that knows of resets (a later start time) counts exactly what was sent: each delta once.
    #[test]
    fn totals_are_the_sum_of_the_deltas(steps in steps()) {
        let (mut state, begin) = accumulator();
        let mut clock = 10_u64;
        let mut sent: BTreeMap<u8, Vec<(u64, u64, i64)>> = BTreeMap::new();
        // By series: what ended at each reset, and the last point.
        let mut read: BTreeMap<u8, (i64, (u64, u64, i64))> = BTreeMap::new();
        for step in steps {
            let (series, (start, end, value)) = match step {
                Step::Pause(seconds) => {
                    clock += seconds;
                    continue;
                }
                Step::Delta { series, value } => {
                    let interval = (clock, clock + 10, value);
                    clock += 10;
                    sent.entry(series).or_default().push(interval);
                    (series, interval)
                }
                Step::Again { series, back } => {
                    let of_series = sent.get(&series).map_or(&[][..], Vec::as_slice);
                    // What was forgotten cannot be known again.
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

    /// Adding histograms one by one is the same as putting all their values into the buckets of the scale that came out,
    /// and that scale is the finest at which they fit.
    #[test]
    fn exponential_buckets_are_those_of_all_values(
        parts in prop::collection::vec((-8..=20_i32, prop::collection::vec((-300..300_i32, 1..9_u64), 0..6), 0..3_u64), 1..8)
    ) {
        // As a writer would: no part has more buckets than it may.
        let parts: Vec<_> = parts.into_iter().map(|(scale, buckets, zeros)| {
            let near: Vec<(i32, u64)> = buckets.iter().map(|(index, count)| (index % 80, *count)).collect();
            exponential(scale, &near, zeros, 0.0)
        }).collect();
        let total = added(&parts);
        let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
        let mut finer: BTreeMap<i64, u64> = BTreeMap::new();
        for part in &parts {
            for (index, count) in filled(part) {
                prop_assert!(part.scale >= total.scale);
                *expected.entry(index >> (part.scale - total.scale)).or_default() += count;
                if part.scale > total.scale {
                    *finer.entry(index >> (part.scale - total.scale - 1)).or_default() += count;
                }
            }
        }
        prop_assert_eq!(filled(&total), expected);
        prop_assert_eq!(total.zero_count, parts.iter().map(|part| part.zero_count).sum::<u64>());
        prop_assert!(total.positive.as_ref().map_or(0, |buckets| buckets.bucket_counts.len()) <= 160);
        let with_buckets = || parts.iter().filter(|part| !filled(part).is_empty());
        if with_buckets().count() > 0 && with_buckets().all(|part| part.scale > total.scale) {
            let (first, last) = (finer.keys().next().copied().unwrap_or(0), finer.keys().last().copied().unwrap_or(0));
            prop_assert!(last - first + 1 > 160, "scale {} was not needed", total.scale);
        }
    }
}
