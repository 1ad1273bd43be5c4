//! From delta to cumulative: some backends need totals since the start instead of changes since the last point. Pure; the
//! time is passed in.
//!
//! An exporter gives every batch to its [`Accumulator`] before it is queued, so that retries and splits apply to finished
//! totals. Guarantees:
//!
//! * **Each delta is added once.** A repeated point (same series, same interval) is not added again; the total of the series
//!   takes its place, so its acknowledgement still belongs to the right data.
//! * **The start is honest.** A series starts where its first delta started. It starts again, with a later start time, after
//!   its expiry, after a restart of the process, after the clock was set back, after a change of bucket bounds, and on integer
//!   overflow. A reader that handles resets loses nothing.
//! * **Only deltas are changed.** Gauges, summaries, cumulative points and points without temporality stay as they are.
//!
//! It assumes one writer for each series (OpenTelemetry metrics data model, "Single-Writer").

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

pub(crate) use point::{DeltaPoint, double};

/// The default expiry of an idle series, as in Datadog's Agent: long enough for one start time of Jobs that run every few
/// minutes, and short enough for Jobs with their own series, whose end is never reported.
pub const DEFAULT_MAX_STALE: Duration = Duration::from_secs(3600);

const DELTA: i32 = AggregationTemporality::Delta as i32;
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// The totals of every series.
#[derive(Debug)]
pub struct Accumulator {
    rules: AccumulatorRules,
    next_sweep: Option<Instant>,
    numbers: Table<NumberDataPoint>,
    histograms: Table<HistogramDataPoint>,
    exponentials: Table<ExponentialHistogramDataPoint>,
}

#[derive(Clone, Copy, Debug)]
struct AccumulatorRules {
    /// `None`: never.
    max_stale: Option<Duration>,
    zero_points: bool,
}

impl Accumulator {
    /// An accumulator without series. A series expires after `max_stale` without a delta; zero: never.
    pub fn new(max_stale: Duration) -> Self {
        Accumulator {
            rules: AccumulatorRules {
                max_stale: (!max_stale.is_zero()).then_some(max_stale),
                zero_points: false,
            },
            next_sweep: None,
            numbers: Table::default(),
            histograms: Table::default(),
            exponentials: Table::default(),
        }
    }

    /// Adds a zero point, at the start time, before the first point of each series. A reader that compares points and
    /// ignores start times would otherwise miss the first one; a Job that fails once has only that one.
    #[must_use]
    pub fn with_zero_points(mut self) -> Self {
        self.rules.zero_points = true;
        self
    }

    /// The same data with every delta replaced by the total of its series. Data without a delta is not copied.
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

    /// The number of series.
    pub fn series(&self) -> usize {
        self.numbers.series() + self.histograms.series() + self.exponentials.series()
    }

    /// Frees expired series from time to time; a lookup ignores them before that, too.
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
