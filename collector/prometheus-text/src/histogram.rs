//! Histograms of the text formats: cumulative buckets with upper bounds.
//!
//! The text formats have no exponential histograms; Prometheus accepts them over protobuf only. Each becomes a classic
//! histogram whose bounds are powers of two. Those are bounds of every exponential histogram of scale 0 and finer, so no
//! count is guessed, only added up. The bounds from 1 to 65,536 (in seconds: 18 hours) always exist, empty or not: a
//! bucket that appears later is a new series, and `rate()` misses its first value. Quantiles of a summary could not be
//! added up over several collectors.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, HistogramDataPoint};

/// The exponents of the bounds that every histogram has.
const ALWAYS: std::ops::RangeInclusive<i32> = 0..=16;

/// A histogram's buckets, count and sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Classic {
    /// Rising upper bounds with the number of values at or below each; without `+Inf`, which is `count`.
    pub buckets: Vec<(f64, u64)>,
    /// The number of values.
    pub count: u64,
    /// Their sum, if it is known.
    pub sum: Option<f64>,
}

impl Classic {
    /// From a histogram with explicit bounds.
    pub fn explicit(point: &HistogramDataPoint) -> Classic {
        let mut below = 0_u64;
        let buckets = point
            .explicit_bounds
            .iter()
            .zip(&point.bucket_counts)
            .map(|(bound, count)| {
                below = below.saturating_add(*count);
                (*bound, below)
            });
        Classic {
            // +Inf may be written as a bound; it is written once.
            buckets: buckets.filter(|(bound, _)| bound.is_finite()).collect(),
            count: point.count,
            sum: point.sum,
        }
    }

    /// From an exponential histogram, on powers of two.
    pub fn exponential(point: &ExponentialHistogramDataPoint) -> Classic {
        let mut counts: Vec<(f64, u64)> = ALWAYS.map(|exponent| (2_f64.powi(exponent), 0)).collect();
        if point.zero_count > 0 {
            counts.push((point.zero_threshold.max(0.0), point.zero_count));
        }
        // Bucket `index` covers (2^(index * 2^-scale), 2^((index + 1) * 2^-scale)], and the mirror of it.
        for (index, count) in indexed(point.positive.as_ref()) {
            counts.push((power(upper(index + 1, point.scale)), count));
        }
        for (index, count) in indexed(point.negative.as_ref()) {
            counts.push((-power(lower(index, point.scale)), count));
        }
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut buckets: Vec<(f64, u64)> = Vec::with_capacity(counts.len());
        let mut below = 0_u64;
        for (bound, count) in counts {
            below = below.saturating_add(count);
            match buckets.last_mut() {
                Some(last) if last.0 == bound => last.1 = below,
                _ => buckets.push((bound, below)),
            }
        }
        buckets.retain(|(bound, _)| bound.is_finite());
        Classic {
            buckets,
            count: point.count,
            sum: point.sum,
        }
    }

    /// The same bounds without values.
    pub fn empty(mut self) -> Classic {
        self.buckets.iter_mut().for_each(|(_, count)| *count = 0);
        self.count = 0;
        self.sum = self.sum.map(|_| 0.0);
        self
    }

    /// Adds another histogram; false if they have no common bounds.
    pub fn add(&mut self, other: &Classic) -> bool {
        let bounds = |classic: &Classic| classic.buckets.iter().map(|(bound, _)| *bound).collect::<Vec<_>>();
        let (own, others) = (bounds(self), bounds(other));
        let common: Vec<f64> = own.iter().copied().filter(|bound| others.contains(bound)).collect();
        // A bound that only one of them has is left out: the number of values of the other below it is unknown.
        if common.is_empty() && !(own.is_empty() && others.is_empty()) {
            return false;
        }
        self.buckets.retain(|(bound, _)| common.contains(bound));
        for (bound, count) in &mut self.buckets {
            let more = other.buckets.iter().find(|(other, _)| other == bound);
            *count = count.saturating_add(more.map_or(0, |(_, count)| *count));
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.zip(other.sum).map(|(a, b)| a + b);
        true
    }
}

/// Indexes and counts, also of empty buckets: bounds must not come and go.
fn indexed(buckets: Option<&Buckets>) -> impl Iterator<Item = (i64, u64)> + '_ {
    buckets.into_iter().flat_map(|buckets| {
        let places = buckets.bucket_counts.iter().enumerate();
        places.map(|(place, count)| (i64::from(buckets.offset) + place as i64, *count))
    })
}

/// The exponent of the smallest power of two at or above the bound with that index.
fn upper(index: i64, scale: i32) -> i64 {
    match scale {
        0.. => -((-index) >> scale.min(62)),
        _ => index.saturating_mul(1 << (-scale).min(11)),
    }
}

/// The exponent of the largest power of two at or below the bound with that index.
fn lower(index: i64, scale: i32) -> i64 {
    match scale {
        0.. => index >> scale.min(62),
        _ => index.saturating_mul(1 << (-scale).min(11)),
    }
}

fn power(exponent: i64) -> f64 {
    2_f64.powi(exponent.clamp(-1100, 1100) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(scale: i32, offset: i32, counts: &[u64]) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            scale,
            count: counts.iter().sum(),
            sum: Some(1.5),
            positive: Some(Buckets {
                offset,
                bucket_counts: counts.to_vec(),
            }),
            ..Default::default()
        }
    }

    fn at(classic: &Classic, bound: f64) -> u64 {
        let found = classic.buckets.iter().find(|(b, _)| *b == bound);
        found.unwrap_or_else(|| panic!("no bound {bound} in {classic:?}")).1
    }

    #[test]
    fn finer_buckets_are_added_up_between_powers_of_two() {
        // Scale 2: four buckets between 1 and 2, four between 2 and 4.
        let classic = Classic::exponential(&exponential(2, 0, &[1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!((at(&classic, 1.0), at(&classic, 2.0), at(&classic, 4.0)), (0, 10, 36));
        assert_eq!(at(&classic, 65_536.0), 36);
        assert_eq!(classic.buckets.len(), 17, "the bounds do not depend on the values");
        assert_eq!((classic.count, classic.sum), (36, Some(1.5)));
    }

    #[test]
    fn small_and_large_values_and_coarse_scales_add_bounds() {
        // (2^-3, 2^-2] and what is above.
        let classic = Classic::exponential(&exponential(0, -3, &[1, 1, 1, 1]));
        assert_eq!(
            (
                at(&classic, 0.25),
                at(&classic, 0.5),
                at(&classic, 1.0),
                at(&classic, 2.0)
            ),
            (1, 2, 3, 4)
        );
        // Scale -2: (1, 16], (16, 256].
        let classic = Classic::exponential(&exponential(-2, 0, &[1, 2]));
        assert_eq!((at(&classic, 8.0), at(&classic, 16.0), at(&classic, 256.0)), (0, 1, 3));
        let classic = Classic::exponential(&exponential(0, 20, &[1]));
        assert_eq!((at(&classic, 65_536.0), at(&classic, 2_097_152.0)), (0, 1));
        // A bound that no number can be is +Inf, which is not written as a bucket of its own.
        assert_eq!(Classic::exponential(&exponential(-11, 0, &[1])).buckets.len(), 17);
    }

    #[test]
    fn zero_and_negative_values() {
        let mut point = exponential(0, 0, &[1]);
        point.zero_count = 2;
        point.negative = Some(Buckets {
            offset: 1,
            bucket_counts: vec![4],
        });
        point.count = 7;
        let classic = Classic::exponential(&point);
        assert_eq!(
            (
                at(&classic, -2.0),
                at(&classic, 0.0),
                at(&classic, 1.0),
                at(&classic, 2.0)
            ),
            (4, 6, 6, 7)
        );
    }

    #[test]
    fn explicit_bounds_become_cumulative_and_are_added() {
        let point = HistogramDataPoint {
            explicit_bounds: vec![1.0, 5.0],
            bucket_counts: vec![1, 2, 3],
            count: 6,
            sum: Some(20.0),
            ..Default::default()
        };
        let mut classic = Classic::explicit(&point);
        assert_eq!(classic.buckets, [(1.0, 1), (5.0, 3)]);
        let other = Classic {
            buckets: vec![(5.0, 1), (9.0, 1)],
            count: 2,
            sum: Some(1.0),
        };
        assert!(classic.add(&other));
        let sum = Classic {
            buckets: vec![(5.0, 4)],
            count: 8,
            sum: Some(21.0),
        };
        assert_eq!(classic, sum);
        let strange = Classic {
            buckets: vec![(7.0, 1)],
            count: 1,
            sum: None,
        };
        assert!(!classic.add(&strange));
        assert_eq!(classic, sum);
    }
}
