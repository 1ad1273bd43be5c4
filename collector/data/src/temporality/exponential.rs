//! The sum of two exponential histograms.
//!
//! Source: OpenTelemetry metrics data model, "ExponentialHistogram": "Exponential Scale", "Zero Count and Zero
//! Threshold", "Merging". At scale `s`, bucket `i` holds the values in `(2^(i * 2^-s), 2^((i + 1) * 2^-s)]`; a scale
//! that is smaller by one maps bucket `i` to `i >> 1`.

use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;

/// The most buckets of a sum on each side of zero, unless one of the addends has more.
const MAX_BUCKETS: usize = 160;

/// Adds the buckets and the zero count of `delta`, at the finest scale at which they fit.
pub(super) fn add(total: &mut ExponentialHistogramDataPoint, delta: &ExponentialHistogramDataPoint) {
    let mut delta = Sides::of(delta);
    let mut sum = Sides::of(total);
    let threshold = common_threshold(&sum, &delta);
    sum.fold(threshold);
    delta.fold(threshold);

    let most = [&sum.positive, &sum.negative, &delta.positive, &delta.negative];
    let most = most
        .iter()
        .map(|side| side.counts.len())
        .max()
        .unwrap_or(0)
        .max(MAX_BUCKETS);
    let mut scale = match (sum.has_buckets(), delta.has_buckets()) {
        (true, true) => sum.scale.min(delta.scale),
        (false, true) => delta.scale,
        (true, false) | (false, false) => sum.scale,
    };
    let width = |scale: i32| {
        let at = |side: &Side, from: i32| side.range(from.saturating_sub(scale));
        let positive = joined(at(&sum.positive, sum.scale), at(&delta.positive, delta.scale));
        let negative = joined(at(&sum.negative, sum.scale), at(&delta.negative, delta.scale));
        positive.max(negative)
    };
    while width(scale) > most as i64 && scale > i32::MIN {
        scale -= 1;
    }
    sum.coarsen(scale);
    delta.coarsen(scale);
    sum.positive.add(&delta.positive);
    sum.negative.add(&delta.negative);

    total.scale = scale;
    total.zero_threshold = threshold;
    total.zero_count = sum.zero_count.saturating_add(delta.zero_count);
    total.positive = sum.positive.into_buckets();
    total.negative = sum.negative.into_buckets();
}

/// The buckets of a point.
struct Sides {
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: Side,
    negative: Side,
}

/// The buckets on one side of zero, none empty at either end.
#[derive(Default)]
struct Side {
    /// The index of the first bucket. Wider than in OTLP, so that no sum of indexes overflows.
    offset: i64,
    counts: Vec<u64>,
}

impl Sides {
    fn of(point: &ExponentialHistogramDataPoint) -> Sides {
        Sides {
            scale: point.scale,
            zero_count: point.zero_count,
            zero_threshold: point.zero_threshold,
            positive: Side::of(point.positive.as_ref()),
            negative: Side::of(point.negative.as_ref()),
        }
    }

    fn has_buckets(&self) -> bool {
        !self.positive.counts.is_empty() || !self.negative.counts.is_empty()
    }

    /// Moves the buckets within the threshold to the zero count.
    fn fold(&mut self, threshold: f64) {
        if threshold == 0.0 {
            return;
        }
        for side in [&mut self.positive, &mut self.negative] {
            let upper = |place: usize| bound(side.offset + place as i64 + 1, self.scale);
            let within = (0..side.counts.len())
                .take_while(|place| upper(*place) <= threshold)
                .count();
            let folded: u64 = side.counts.drain(..within).sum();
            side.offset += within as i64;
            side.trim();
            self.zero_count = self.zero_count.saturating_add(folded);
        }
    }

    fn coarsen(&mut self, scale: i32) {
        // A histogram without buckets may have a coarser scale.
        let halvings = self.scale.saturating_sub(scale).max(0);
        self.positive.coarsen(halvings);
        self.negative.coarsen(halvings);
        self.scale = scale;
    }
}

impl Side {
    fn of(buckets: Option<&Buckets>) -> Side {
        let mut side = buckets.map_or_else(Side::default, |buckets| Side {
            offset: buckets.offset.into(),
            counts: buckets.bucket_counts.clone(),
        });
        side.trim();
        side
    }

    fn trim(&mut self) {
        let last = self.counts.iter().rposition(|count| *count > 0);
        self.counts.truncate(last.map_or(0, |last| last + 1));
        let empty = self.counts.iter().take_while(|count| **count == 0).count();
        self.counts.drain(..empty);
        self.offset += empty as i64;
    }

    /// The first and the last index after that many halvings.
    fn range(&self, halvings: i32) -> Option<(i64, i64)> {
        let last = self.offset + self.counts.len() as i64 - 1;
        let halved = |index: i64| index >> halvings.clamp(0, 63);
        (!self.counts.is_empty()).then(|| (halved(self.offset), halved(last)))
    }

    fn coarsen(&mut self, halvings: i32) {
        let Some((first, last)) = self.range(halvings) else {
            return;
        };
        let mut counts = vec![0_u64; (last - first) as usize + 1];
        for (place, count) in self.counts.iter().enumerate() {
            let target = ((self.offset + place as i64) >> halvings.clamp(0, 63)) - first;
            counts[target as usize] += count;
        }
        (self.offset, self.counts) = (first, counts);
    }

    /// Adds buckets of the same scale.
    fn add(&mut self, other: &Side) {
        let Some((first, last)) = other.range(0) else { return };
        let Some((own_first, own_last)) = self.range(0) else {
            (self.offset, self.counts) = (first, other.counts.clone());
            return;
        };
        let (low, high) = (first.min(own_first), last.max(own_last));
        self.counts
            .splice(0..0, std::iter::repeat_n(0, (own_first - low) as usize));
        self.counts.resize((high - low) as usize + 1, 0);
        self.offset = low;
        for (place, count) in other.counts.iter().enumerate() {
            let total = &mut self.counts[(first - low) as usize + place];
            *total = total.saturating_add(*count);
        }
    }

    fn into_buckets(self) -> Option<Buckets> {
        (!self.counts.is_empty()).then(|| Buckets {
            // Every index came from one of 32 bits, and only became smaller.
            offset: i32::try_from(self.offset).unwrap_or_default(),
            bucket_counts: self.counts,
        })
    }
}

/// The number of buckets from the first to the last of both.
fn joined(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> i64 {
    match (a, b) {
        (Some(a), Some(b)) => a.1.max(b.1) - a.0.min(b.0) + 1,
        (Some(one), None) | (None, Some(one)) => one.1 - one.0 + 1,
        (None, None) => 0,
    }
}

/// The lower bound of a bucket.
fn bound(index: i64, scale: i32) -> f64 {
    (index as f64 * (-f64::from(scale)).exp2()).exp2()
}

/// The larger of the two thresholds; if it cuts a bucket that is not empty, the upper bound of that bucket.
fn common_threshold(a: &Sides, b: &Sides) -> f64 {
    let mut threshold = a.zero_threshold.max(b.zero_threshold);
    if a.zero_threshold.to_bits() == b.zero_threshold.to_bits() {
        return threshold;
    }
    loop {
        let sides = [
            (&a.positive, a.scale),
            (&a.negative, a.scale),
            (&b.positive, b.scale),
            (&b.negative, b.scale),
        ];
        let cut = sides.iter().find_map(|(side, scale)| {
            side.counts.iter().enumerate().find_map(|(place, count)| {
                let index = side.offset + place as i64;
                let (low, high) = (bound(index, *scale), bound(index + 1, *scale));
                (*count > 0 && low < threshold && threshold < high).then_some(high)
            })
        });
        match cut {
            Some(higher) => threshold = higher,
            None => return threshold,
        }
    }
}
