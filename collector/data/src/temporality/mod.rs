//! From delta to cumulative: metrics say what happened since the last point; some backends want to know what happened
//! since the start. Pure; the time is passed in.
//!
//! An exporter gives every batch to its [`Accumulator`] before anything of it is queued, so that retries and splits
//! happen to points that already hold totals. What it promises:
//!
//! * **Each delta is added once.** A point that comes again (same series, same interval) is not added again; the
//!   series' total takes its place, so whoever waits for its delivery still waits for the right thing.
//! * **The start is honest.** A series starts where its first delta started. It starts anew, with a later start time, when
//!   it was expired, when the process was restarted, when the clock was set back, when bucket bounds changed, and when an
//!   integer would overflow. Nothing is lost by that: a reader who knows of resets adds the totals up.
//! * **Only deltas are changed.** Gauges, summaries, cumulative points and points without temporality stay as they are.
//!
//! It takes for granted that there is one writer for each series (OpenTelemetry metrics data model, "Single-Writer").

mod exponential;
mod key;
mod point;
mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, ResourceMetrics,
};

use crate::{Payload, points};
use table::Table;

/// How long a series may be idle before it is forgotten, unless configured otherwise. The same as Datadog's Agent
/// keeps a series: long enough for Jobs that run every few minutes to keep one start time, and short enough for Jobs
/// that have a series of their own, since nothing tells that such a series has ended.
pub const DEFAULT_MAX_STALE: Duration = Duration::from_secs(3600);

const DELTA: i32 = AggregationTemporality::Delta as i32;
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// The totals of every series that has come by.
#[derive(Debug)]
pub struct Accumulator {
    rules: Rules,
    next_sweep: Option<Instant>,
    numbers: Table<NumberDataPoint>,
    histograms: Table<HistogramDataPoint>,
    exponentials: Table<ExponentialHistogramDataPoint>,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    /// `None`: never forget.
    max_stale: Option<Duration>,
    zero_points: bool,
}

impl Accumulator {
    /// Without any series. One that had no delta for `max_stale` is forgotten; zero: never.
    pub fn new(max_stale: Duration) -> Self {
        Accumulator {
            rules: Rules {
                max_stale: (!max_stale.is_zero()).then_some(max_stale),
                zero_points: false,
            },
            next_sweep: None,
            numbers: Table::default(),
            histograms: Table::default(),
            exponentials: Table::default(),
        }
    }

    /// Puts a point with nothing in it, at the start time, before the first point of each series. A reader that
    /// compares points, and does not look at start times, would otherwise never see what the first one counted; and a
    /// Job that fails once has only one.
    #[must_use]
    pub fn with_zero_points(mut self) -> Self {
        self.rules.zero_points = true;
        self
    }

    /// The same data with every delta replaced by its series' total; what holds no delta is not copied.
    pub fn convert(&mut self, mut payload: Arc<Payload>, now: Instant) -> Arc<Payload> {
        self.sweep(now);
        let Payload::Metrics(metrics) = &*payload else {
            return payload;
        };
        if !points::data_of(metrics).any(|data| points::temporality(data) == Some(DELTA)) {
            return payload;
        }
        if let Payload::Metrics(metrics) = Arc::make_mut(&mut payload) {
            self.convert_metrics(metrics, now);
        }
        payload
    }

    fn convert_metrics(&mut self, metrics: &mut [ResourceMetrics], now: Instant) {
        let rules = self.rules;
        for resource_metrics in metrics {
            let resource = key::of_resource(resource_metrics.resource.as_ref());
            for scope_metrics in &mut resource_metrics.scope_metrics {
                let scope = key::of_scope(&resource, scope_metrics.scope.as_ref());
                for metric in &mut scope_metrics.metrics {
                    let Some(data) = metric.data.as_mut() else { continue };
                    let stream = |kind: u8| key::of_metric(&scope, &metric.name, &metric.unit, kind);
                    match data {
                        Data::Sum(sum) if sum.aggregation_temporality == DELTA => {
                            sum.aggregation_temporality = CUMULATIVE;
                            let stream = stream(u8::from(sum.is_monotonic));
                            self.numbers.convert(stream, &mut sum.data_points, rules, now);
                        }
                        Data::Histogram(histogram) if histogram.aggregation_temporality == DELTA => {
                            histogram.aggregation_temporality = CUMULATIVE;
                            let points = &mut histogram.data_points;
                            self.histograms.convert(stream(2), points, rules, now);
                        }
                        Data::ExponentialHistogram(histogram) if histogram.aggregation_temporality == DELTA => {
                            histogram.aggregation_temporality = CUMULATIVE;
                            let points = &mut histogram.data_points;
                            self.exponentials.convert(stream(3), points, rules, now);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// How many series are remembered.
    pub fn series(&self) -> usize {
        self.numbers.series() + self.histograms.series() + self.exponentials.series()
    }

    /// Frees what has expired, now and then; that it has expired is seen without this, too.
    fn sweep(&mut self, now: Instant) {
        let Some(max_stale) = self.rules.max_stale else { return };
        if self.next_sweep.is_some_and(|next| now < next) {
            return;
        }
        self.next_sweep = Some(now + max_stale / 8);
        self.numbers.sweep(max_stale, now);
        self.histograms.sweep(max_stale, now);
        self.exponentials.sweep(max_stale, now);
    }
}
