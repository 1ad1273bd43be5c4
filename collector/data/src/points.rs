//! Metric points of every kind. OTLP has five kinds of metrics and four kinds of points; code that needs only what all of
//! them share uses this module instead of its own `match`.

use std::ops::Range;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    NumberDataPoint, ResourceMetrics, Sum, Summary, SummaryDataPoint,
};

/// One point of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PointRef<'a> {
    /// A point of a gauge or a sum.
    Number(&'a NumberDataPoint),
    /// A point of a histogram with explicit bounds.
    Histogram(&'a HistogramDataPoint),
    /// A point of an exponential histogram.
    Exponential(&'a ExponentialHistogramDataPoint),
    /// A point of a summary.
    Summary(&'a SummaryDataPoint),
}

/// Evaluates an expression for a point of whatever kind.
macro_rules! each_kind {
    ($point:expr, $p:ident => $value:expr) => {
        match $point {
            PointRef::Number($p) => $value,
            PointRef::Histogram($p) => $value,
            PointRef::Exponential($p) => $value,
            PointRef::Summary($p) => $value,
        }
    };
}

/// Evaluates an expression for the data of a metric of whatever kind.
macro_rules! each_data {
    ($data:expr, $d:ident => $value:expr) => {
        match $data {
            Data::Gauge($d) => $value,
            Data::Sum($d) => $value,
            Data::Histogram($d) => $value,
            Data::ExponentialHistogram($d) => $value,
            Data::Summary($d) => $value,
        }
    };
}

impl<'a> PointRef<'a> {
    /// The attributes that identify the point's series within its metric.
    pub fn attributes(self) -> &'a [KeyValue] {
        each_kind!(self, p => &p.attributes)
    }

    /// The end of the interval, nanoseconds since 1970; 0 if unknown.
    pub fn time(self) -> u64 {
        each_kind!(self, p => p.time_unix_nano)
    }

    /// The start of the interval, nanoseconds since 1970; 0 if unknown.
    pub fn start(self) -> u64 {
        each_kind!(self, p => p.start_time_unix_nano)
    }

    /// The bits of [`DataPointFlags`].
    pub fn flags(self) -> u32 {
        each_kind!(self, p => p.flags)
    }

    /// False if the point only says that its series has ended.
    pub fn is_recorded(self) -> bool {
        self.flags() & DataPointFlags::NoRecordedValueMask as u32 == 0
    }
}

impl<'a> From<&'a NumberDataPoint> for PointRef<'a> {
    fn from(point: &'a NumberDataPoint) -> Self {
        PointRef::Number(point)
    }
}

impl<'a> From<&'a HistogramDataPoint> for PointRef<'a> {
    fn from(point: &'a HistogramDataPoint) -> Self {
        PointRef::Histogram(point)
    }
}

impl<'a> From<&'a ExponentialHistogramDataPoint> for PointRef<'a> {
    fn from(point: &'a ExponentialHistogramDataPoint) -> Self {
        PointRef::Exponential(point)
    }
}

impl<'a> From<&'a SummaryDataPoint> for PointRef<'a> {
    fn from(point: &'a SummaryDataPoint) -> Self {
        PointRef::Summary(point)
    }
}

/// The number of points.
pub fn count(data: &Data) -> usize {
    each_data!(data, d => d.data_points.len())
}

/// All points, in order.
pub fn points(data: &Data) -> impl ExactSizeIterator<Item = PointRef<'_>> {
    (0..count(data)).map(|index| each_data!(data, d => PointRef::from(&d.data_points[index])))
}

/// All points of all metrics, in order.
pub fn points_of(resources: &[ResourceMetrics]) -> impl Iterator<Item = PointRef<'_>> {
    data_of(resources).flat_map(points)
}

/// The data of all metrics that have some, in order.
pub(crate) fn data_of(resources: &[ResourceMetrics]) -> impl Iterator<Item = &Data> {
    let scopes = resources.iter().flat_map(|resource| &resource.scope_metrics);
    scopes
        .flat_map(|scope| &scope.metrics)
        .filter_map(|metric| metric.data.as_ref())
}

/// Removes the points for which `keep` is false.
pub fn retain(data: &mut Data, keep: impl Fn(PointRef<'_>) -> bool) {
    each_data!(data, d => d.data_points.retain(|point| keep(point.into())));
}

/// Changes the attributes of each point.
pub fn each_attributes(data: &mut Data, mut change: impl FnMut(&mut Vec<KeyValue>)) {
    each_data!(data, d => d.data_points.iter_mut().for_each(|point| change(&mut point.attributes)));
}

/// A copy with the points in this range only.
///
/// # Panics
/// If the range exceeds the number of points.
pub(crate) fn slice(data: &Data, range: Range<usize>) -> Data {
    match data {
        Data::Gauge(d) => Data::Gauge(Gauge {
            data_points: d.data_points[range].to_vec(),
        }),
        Data::Sum(d) => Data::Sum(Sum {
            data_points: d.data_points[range].to_vec(),
            aggregation_temporality: d.aggregation_temporality,
            is_monotonic: d.is_monotonic,
        }),
        Data::Histogram(d) => Data::Histogram(Histogram {
            data_points: d.data_points[range].to_vec(),
            aggregation_temporality: d.aggregation_temporality,
        }),
        Data::ExponentialHistogram(d) => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: d.data_points[range].to_vec(),
            aggregation_temporality: d.aggregation_temporality,
        }),
        Data::Summary(d) => Data::Summary(Summary {
            data_points: d.data_points[range].to_vec(),
        }),
    }
}

/// The number of the metric's [`AggregationTemporality`]; `None` for gauges and summaries, which have none.
///
/// [`AggregationTemporality`]: opentelemetry_proto::tonic::metrics::v1::AggregationTemporality
pub fn temporality(data: &Data) -> Option<i32> {
    match data {
        Data::Sum(d) => Some(d.aggregation_temporality),
        Data::Histogram(d) => Some(d.aggregation_temporality),
        Data::ExponentialHistogram(d) => Some(d.aggregation_temporality),
        Data::Gauge(_) | Data::Summary(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Data of each kind with a point at each of the times, in the order of OTLP.
    pub(crate) fn each_kind_at(times: &[u64]) -> [Data; 5] {
        macro_rules! points {
            ($kind:ident) => {
                times
                    .iter()
                    .map(|time| $kind {
                        start_time_unix_nano: time / 2,
                        time_unix_nano: *time,
                        flags: (*time % 2) as u32,
                        ..Default::default()
                    })
                    .collect()
            };
        }
        [
            Data::Gauge(Gauge {
                data_points: points!(NumberDataPoint),
            }),
            Data::Sum(Sum {
                data_points: points!(NumberDataPoint),
                aggregation_temporality: 1,
                is_monotonic: true,
            }),
            Data::Histogram(Histogram {
                data_points: points!(HistogramDataPoint),
                aggregation_temporality: 1,
            }),
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: points!(ExponentialHistogramDataPoint),
                aggregation_temporality: 1,
            }),
            Data::Summary(Summary {
                data_points: points!(SummaryDataPoint),
            }),
        ]
    }

    #[test]
    fn reads_the_points_of_every_kind() {
        for data in each_kind_at(&[4, 7]) {
            let read: Vec<_> = points(&data)
                .map(|p| (p.start(), p.time(), p.is_recorded(), p.attributes().len()))
                .collect();
            assert_eq!(read, [(2, 4, true, 0), (3, 7, false, 0)], "{data:?}");
            assert_eq!(count(&data), 2);
        }
    }

    #[test]
    fn retains_and_slices_the_points_of_every_kind() {
        let all = each_kind_at(&[1, 2, 3]);
        for ((mut retained, first), expected) in all.into_iter().zip(each_kind_at(&[1, 2])).zip(each_kind_at(&[2])) {
            assert_eq!(slice(&retained, 0..2), first);
            retain(&mut retained, |point| point.time() == 2);
            assert_eq!(retained, expected);
        }
    }

    #[test]
    fn changes_the_attributes_of_every_kind() {
        for mut data in each_kind_at(&[1, 2]) {
            each_attributes(&mut data, |attributes| attributes.push(KeyValue::default()));
            assert!(points(&data).all(|point| point.attributes().len() == 1), "{data:?}");
        }
    }

    #[test]
    fn only_sums_and_histograms_have_a_temporality() {
        let all = each_kind_at(&[]);
        assert_eq!(all.each_ref().map(temporality), [None, Some(1), Some(1), Some(1), None]);
    }
}
