//! Sums of exponential histograms.

use std::collections::BTreeMap;
use std::time::Instant;

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogram, ExponentialHistogramDataPoint};
use proptest::prelude::*;

use super::{HOUR, data, payload};
use crate::temporality::exponential::add;
use crate::temporality::{Accumulator, CUMULATIVE, DELTA};

/// An exponential histogram of values in buckets at a scale: `(index, count)`.
fn histogram(
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

/// The buckets that are not empty.
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
    parts[1..].iter().for_each(|part| add(&mut total, part));
    total
}

#[test]
fn exponential_histograms_add_at_a_common_scale() {
    // Buckets -3 and 5 at scale 1 are -2 and 2 at scale 0.
    let total = added(&[
        histogram(1, &[(-3, 1), (5, 2)], 1, 0.0),
        histogram(0, &[(2, 4)], 2, 0.0),
    ]);
    assert_eq!((total.scale, total.zero_count), (0, 3));
    assert_eq!(filled(&total), BTreeMap::from([(-2, 1), (2, 6)]));
    // 0 and 1000 are too far apart for 160 buckets until halved three times: 0 and 125.
    let total = added(&[histogram(5, &[(0, 1)], 0, 0.0), histogram(5, &[(1000, 1)], 0, 0.0)]);
    assert_eq!((total.scale, filled(&total)), (2, BTreeMap::from([(0, 1), (125, 1)])));
    // A histogram without buckets does not make the other coarser.
    let total = added(&[histogram(20, &[(7, 1)], 0, 0.0), histogram(-5, &[], 3, 0.0)]);
    assert_eq!(
        (total.scale, total.zero_count, filled(&total)),
        (20, 3, BTreeMap::from([(7, 1)]))
    );
    let total = added(&[histogram(-5, &[], 3, 0.0), histogram(20, &[(7, 1)], 0, 0.0)]);
    assert_eq!(
        (total.scale, total.zero_count, filled(&total)),
        (20, 3, BTreeMap::from([(7, 1)]))
    );
}

#[test]
fn a_larger_zero_threshold_takes_whole_buckets() {
    // At scale 0: bucket 0 is (1, 2], 1 is (2, 4], 2 is (4, 8]. A threshold of 3 cuts bucket 1, so it becomes 4.
    let total = added(&[
        histogram(0, &[(0, 1), (1, 2), (2, 4)], 1, 0.0),
        histogram(0, &[(3, 8)], 16, 3.0),
    ]);
    assert_eq!((total.zero_threshold, total.zero_count), (4.0, 1 + 16 + 1 + 2));
    assert_eq!(filled(&total), BTreeMap::from([(2, 4), (3, 8)]));
}

#[test]
fn both_sides_of_zero_are_separate() {
    let negative = |offset, counts: &[u64]| ExponentialHistogramDataPoint {
        negative: Some(Buckets {
            offset,
            bucket_counts: counts.to_vec(),
        }),
        ..histogram(3, &[(1, 1)], 0, 0.0)
    };
    let total = added(&[negative(-2, &[1, 0, 2]), negative(0, &[5])]);
    assert_eq!(filled(&total), BTreeMap::from([(1, 2)]));
    let negative = total.negative.unwrap();
    assert_eq!((negative.offset, negative.bucket_counts), (-2, vec![1, 0, 7]));
}

#[test]
fn exponential_histograms_are_series() {
    let now = Instant::now();
    let mut state = Accumulator::new(HOUR).with_zero_points();
    let mut put = |interval: (u64, u64), values: Option<f64>| {
        let point = ExponentialHistogramDataPoint {
            start_time_unix_nano: interval.0,
            time_unix_nano: interval.1,
            sum: Some(values.unwrap_or_default()),
            min: values,
            max: values,
            ..histogram(0, if values.is_some() { &[(1, 1)] } else { &[] }, 0, 0.0)
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

proptest! {
    /// The sum of histograms has the buckets of all their values at its scale, which is the finest at which they fit.
    #[test]
    fn exponential_buckets_are_those_of_all_values(
        parts in prop::collection::vec((-8..=20_i32, prop::collection::vec((-300..300_i32, 1..9_u64), 0..6), 0..3_u64), 1..8)
    ) {
        // As from a writer: no part has too many buckets.
        let parts: Vec<_> = parts.into_iter().map(|(scale, buckets, zeros)| {
            let near: Vec<(i32, u64)> = buckets.iter().map(|(index, count)| (index % 80, *count)).collect();
            histogram(scale, &near, zeros, 0.0)
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
