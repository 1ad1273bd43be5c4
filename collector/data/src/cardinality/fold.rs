//! Points that become one point.

use opentelemetry_proto::tonic::common::v1::any_value::Value as AttributeValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogram, Gauge, Histogram, NumberDataPoint, Sum, Summary};

use super::OVERFLOW;
use crate::temporality::{DeltaPoint, double};

/// How the points of a gauge are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// Removes and returns the points with a value for whose attributes `is_beyond` is true. Summaries cannot be joined and
/// stay.
pub(super) fn remove(data: &mut Data, is_beyond: impl FnMut(&[KeyValue]) -> bool) -> Data {
    fn split<P: DeltaPoint>(points: &mut Vec<P>, mut is_beyond: impl FnMut(&[KeyValue]) -> bool) -> Vec<P> {
        let beyond = |point: &mut P| point.is_recorded() && is_beyond(point.attributes());
        points.extract_if(.., beyond).collect()
    }
    match data {
        Data::Gauge(d) => Data::Gauge(Gauge {
            data_points: split(&mut d.data_points, is_beyond),
        }),
        Data::Sum(d) => Data::Sum(Sum {
            data_points: split(&mut d.data_points, is_beyond),
            ..*d
        }),
        Data::Histogram(d) => Data::Histogram(Histogram {
            data_points: split(&mut d.data_points, is_beyond),
            ..*d
        }),
        Data::ExponentialHistogram(d) => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: split(&mut d.data_points, is_beyond),
            ..*d
        }),
        Data::Summary(_) => Data::Summary(Summary::default()),
    }
}

/// Adds points of the same kind to the one point of `total`.
pub(super) fn join(total: &mut Data, points: Data, gauges: Join) {
    match (total, points) {
        (Data::Gauge(total), Data::Gauge(points)) => {
            let join = |total: &mut NumberDataPoint, point: &NumberDataPoint| join_gauge(total, point, gauges);
            each(&mut total.data_points, points.data_points, join);
        }
        (Data::Sum(total), Data::Sum(points)) => each(&mut total.data_points, points.data_points, DeltaPoint::add),
        (Data::Histogram(total), Data::Histogram(points)) => {
            each(&mut total.data_points, points.data_points, DeltaPoint::add);
        }
        (Data::ExponentialHistogram(total), Data::ExponentialHistogram(points)) => {
            each(&mut total.data_points, points.data_points, DeltaPoint::add);
        }
        _ => {}
    }
}

/// Joins each point with the first total that it is compatible with: histograms may have other bounds.
fn each<P: DeltaPoint>(totals: &mut Vec<P>, points: Vec<P>, mut join: impl FnMut(&mut P, &P) -> bool) {
    for mut point in points {
        let (start, end) = point.interval();
        let joined = totals.iter_mut().find_map(|total| join(total, &point).then_some(total));
        match joined {
            Some(total) => {
                let (first, last) = total.interval();
                total.place(start.min(first), end.max(last));
            }
            None => {
                point.identify(vec![overflow()]);
                totals.push(point);
            }
        }
    }
}

fn join_gauge(total: &mut NumberDataPoint, point: &NumberDataPoint, join: Join) -> bool {
    let (Some(old), Some(new)) = (total.value, point.value) else {
        return false;
    };
    let number = |value: Value| double(value);
    match join {
        Join::Sum => return total.add(point),
        Join::Max if number(new) > number(old) => total.value = Some(new),
        Join::Min if number(new) < number(old) => total.value = Some(new),
        Join::Max | Join::Min => {}
    }
    true
}

fn overflow() -> KeyValue {
    KeyValue {
        key: OVERFLOW.into(),
        value: Some(AnyValue {
            value: Some(AttributeValue::BoolValue(true)),
        }),
        ..Default::default()
    }
}
