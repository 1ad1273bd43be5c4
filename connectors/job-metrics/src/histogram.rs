//! An exponential histogram with base 2, for values that are not negative.
//!
//! Source: section "ExponentialHistogram" of the OpenTelemetry metrics data model. At scale `s` the base is
//! `2^(2^-s)`, and bucket `i` holds the values in `(base^i, base^(i+1)]`. It begins at the finest scale and halves
//! its resolution each time its buckets would become more than it may have.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;

/// The finest scale: 2^20 buckets for each doubling. Finer scales exceed the precision of a double's logarithm.
pub const MAX_SCALE: i32 = 20;
/// The coarsest scale: all positive doubles fit into two buckets.
pub const MIN_SCALE: i32 = -10;
/// The most buckets unless configured otherwise; the OpenTelemetry SDKs' default.
pub const DEFAULT_MAX_SIZE: usize = 160;

/// An exponential histogram of one series and one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    max_size: usize,
    scale: i32,
    /// The index of the first bucket.
    offset: i32,
    counts: Vec<u64>,
    zero_count: u64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Histogram {
    /// An empty histogram of at most `max_size` buckets; below 2 is taken as 2, which always suffices.
    pub fn new(max_size: usize) -> Self {
        Histogram {
            max_size: max_size.max(2),
            scale: MAX_SCALE,
            offset: 0,
            counts: Vec::new(),
            zero_count: 0,
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    /// Records a value. A negative value (clocks that disagree) counts as zero; one that is not finite is ignored.
    pub fn record(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = value.max(0.0);
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zero_count += 1;
        } else {
            self.record_positive(value);
        }
    }

    fn record_positive(&mut self, value: f64) {
        let mut index = bucket_index(value, self.scale);
        if self.counts.is_empty() {
            self.offset = index;
        }
        let last = self.offset + self.counts.len() as i32 - 1;
        let (mut low, mut high) = (self.offset.min(index), last.max(index));
        let mut halvings = 0;
        while (high - low) as usize >= self.max_size && self.scale - halvings > MIN_SCALE {
            // Halving the resolution maps bucket `i` to `i >> 1`, also below zero.
            (low, high) = (low >> 1, high >> 1);
            halvings += 1;
        }
        self.coarsen(halvings);
        index >>= halvings;
        self.grow(low, high);
        self.counts[(index - self.offset) as usize] += 1;
    }

    /// Halves the resolution that many times.
    fn coarsen(&mut self, halvings: i32) {
        if halvings == 0 {
            return;
        }
        let offset = self.offset >> halvings;
        let mut counts: Vec<u64> = Vec::new();
        for (place, count) in self.counts.iter().enumerate() {
            let target = (((self.offset + place as i32) >> halvings) - offset) as usize;
            counts.resize(counts.len().max(target + 1), 0);
            counts[target] += count;
        }
        (self.offset, self.counts) = (offset, counts);
        self.scale -= halvings;
    }

    /// Makes room for the buckets from `low` to `high`.
    fn grow(&mut self, low: i32, high: i32) {
        let missing_below = (self.offset - low) as usize;
        if missing_below > 0 {
            self.counts.splice(0..0, std::iter::repeat_n(0, missing_below));
            self.offset = low;
        }
        self.counts.resize((high - self.offset) as usize + 1, 0);
    }

    /// The point of this series and window. Times in nanoseconds since 1970.
    pub fn into_point(self, attributes: Vec<KeyValue>, start: u64, time: u64) -> ExponentialHistogramDataPoint {
        let some = self.count > 0;
        ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            count: self.count,
            sum: Some(self.sum),
            scale: self.scale,
            zero_count: self.zero_count,
            positive: Some(Buckets {
                offset: self.offset,
                bucket_counts: self.counts,
            }),
            negative: None,
            min: some.then_some(self.min),
            max: some.then_some(self.max),
            zero_threshold: 0.0,
            ..Default::default()
        }
    }
}

/// The bucket of a positive, finite value at a scale: the `i` with `base^i < value <= base^(i+1)`.
///
/// Exact for powers of two at every scale and for every value at scales of zero and below; between them the
/// logarithm may err by one bucket right at a boundary, as the data model allows.
pub fn bucket_index(value: f64, scale: i32) -> i32 {
    // Subnormal values share the bucket of the smallest normal one.
    let bits = value.max(f64::MIN_POSITIVE).to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let is_power_of_two = bits & ((1 << 52) - 1) == 0;
    if scale <= 0 {
        // The upper bound is part of a bucket, so a power of two belongs to the one below.
        return (if is_power_of_two { exponent - 1 } else { exponent }) >> -scale;
    }
    if is_power_of_two {
        return (exponent << scale) - 1;
    }
    let index = (value.log2() * f64::from(1 << scale)).ceil() as i32 - 1;
    index.clamp(exponent << scale, ((exponent + 1) << scale) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(max_size: usize, values: &[f64]) -> ExponentialHistogramDataPoint {
        let mut histogram = Histogram::new(max_size);
        for value in values {
            histogram.record(*value);
        }
        histogram.into_point(vec![], 1, 2)
    }

    fn buckets(point: &ExponentialHistogramDataPoint) -> (i32, i32, Vec<u64>) {
        let positive = point.positive.clone().unwrap();
        (point.scale, positive.offset, positive.bucket_counts)
    }

    #[test]
    fn bucket_indexes_follow_the_data_model() {
        // Scale 0, base 2: (1, 2] is bucket 0, (2, 4] bucket 1, (0.5, 1] bucket -1.
        for (value, index) in [
            (1.0, -1),
            (1.5, 0),
            (2.0, 0),
            (2.1, 1),
            (4.0, 1),
            (4.1, 2),
            (0.5, -2),
            (0.6, -1),
        ] {
            assert_eq!(bucket_index(value, 0), index, "{value}");
        }
        // Scale 1, base sqrt 2: (1, 1.414] is 0, (1.414, 2] is 1, (2, 2.828] is 2.
        for (value, index) in [
            (1.0, -1),
            (1.4, 0),
            (1.42, 1),
            (2.0, 1),
            (2.8, 2),
            (2.9, 3),
            (4.0, 3),
            (0.9, -1),
        ] {
            assert_eq!(bucket_index(value, 1), index, "{value}");
        }
        // Scale -1, base 4: (1, 4] is 0, (4, 16] is 1, (0.25, 1] is -1.
        for (value, index) in [
            (1.0, -1),
            (2.0, 0),
            (4.0, 0),
            (4.1, 1),
            (16.0, 1),
            (17.0, 2),
            (0.25, -2),
            (0.3, -1),
        ] {
            assert_eq!(bucket_index(value, -1), index, "{value}");
        }
        assert_eq!(bucket_index(1024.0, 20), (10 << 20) - 1);
        assert_eq!(bucket_index(f64::MAX, -10), 0);
        assert_eq!(bucket_index(f64::MIN_POSITIVE / 8.0, -10), -1);
    }

    #[test]
    fn every_value_lies_within_the_bounds_of_its_bucket() {
        for scale in [-2, 0, 1, 3, 7] {
            let base = 2f64.powf(2f64.powi(-scale));
            for step in 1..4000 {
                let value = f64::from(step) * 0.37;
                let index = bucket_index(value, scale);
                let (low, high) = (base.powi(index), base.powi(index + 1));
                let slack = 1e-9 * high;
                assert!(
                    low - slack < value && value <= high + slack,
                    "{value} in ({low}, {high}] at {scale}"
                );
            }
        }
    }

    #[test]
    fn a_single_value_stays_at_the_finest_scale() {
        let point = of(160, &[10.0]);
        assert_eq!(
            (point.count, point.sum, point.min, point.max),
            (1, Some(10.0), Some(10.0), Some(10.0))
        );
        let (scale, offset, counts) = buckets(&point);
        assert_eq!((scale, counts), (20, vec![1]));
        // 10 = 2^3.3219280948873626; 3.3219280948873626 * 2^20 = 3483294.07, so bucket 3483294.
        assert_eq!(offset, 3_483_294);
    }

    #[test]
    fn hand_computed_values_share_the_buckets_they_should() {
        // Four buckets at most for 1, 2, 4, 8 and 16: at scale 0 they are -1, 0, 1, 2, 3, five buckets, so scale -1:
        // 1 is in (1/4, 1], 2 and 4 in (1, 4], 8 and 16 in (4, 16].
        assert_eq!(buckets(&of(4, &[1.0, 2.0, 4.0, 8.0, 16.0])), (-1, -1, vec![1, 2, 2]));
        // The order must not matter.
        assert_eq!(buckets(&of(4, &[16.0, 1.0, 8.0, 4.0, 2.0])), (-1, -1, vec![1, 2, 2]));
        // Five fit without loss.
        assert_eq!(
            buckets(&of(5, &[1.0, 2.0, 4.0, 8.0, 16.0])),
            (0, -1, vec![1, 1, 1, 1, 1])
        );
        // Three buckets for 3 and 5 at scale 1: 3 = 2^1.585 is bucket ceil(3.17)-1 = 3, 5 = 2^2.32 is ceil(4.64)-1 = 4;
        // at scale 2: ceil(6.34)-1 = 6 and ceil(9.29)-1 = 9, four buckets, too many.
        assert_eq!(buckets(&of(3, &[3.0, 5.0])), (1, 3, vec![1, 1]));
    }

    #[test]
    fn zero_negative_and_infinite_values() {
        let point = of(160, &[0.0, -1.0, f64::NAN, f64::INFINITY, 4.0]);
        assert_eq!((point.count, point.zero_count, point.sum), (3, 2, Some(4.0)));
        assert_eq!((point.min, point.max), (Some(0.0), Some(4.0)));
        assert_eq!(buckets(&point).2, [1]);
        let empty = of(160, &[]);
        assert_eq!((empty.count, empty.min, empty.max), (0, None, None));
    }

    #[test]
    fn extremes_fit_into_two_buckets() {
        let point = of(2, &[f64::MIN_POSITIVE, f64::MAX, 1.0, f64::MIN_POSITIVE / 4.0]);
        let (scale, offset, counts) = buckets(&point);
        assert_eq!((scale, offset, counts), (-10, -1, vec![3, 1]));
    }

    #[test]
    fn counts_add_up_and_size_is_kept_for_any_values() {
        // A fixed linear congruential sequence over thirty decades.
        let mut state = 12_345_u64;
        let mut histogram = Histogram::new(20);
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            histogram.record(10f64.powf((state >> 33) as f64 / (1u64 << 31) as f64 * 30.0 - 15.0));
            assert!(histogram.counts.len() <= 20);
            assert_eq!(histogram.counts.iter().sum::<u64>(), histogram.count);
        }
    }
}
