//! Paths of data points.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;

use super::slot::Slot;
use crate::points::DataPoint;
use crate::value::OttlValue;
use crate::view::PointRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PointField {
    Attributes,
    StartTimeUnixNano,
    TimeUnixNano,
    StartTime,
    Time,
    ValueDouble,
    ValueInt,
    Exemplars,
    Flags,
    Count,
    Sum,
    BucketCounts,
    ExplicitBounds,
    Scale,
    ZeroCount,
    PositiveOffset,
    PositiveBucketCounts,
    NegativeOffset,
    NegativeBucketCounts,
    QuantileValues,
}

pub(super) const POINT: &[(&str, PointField)] = &[
    ("attributes", PointField::Attributes),
    ("start_time_unix_nano", PointField::StartTimeUnixNano),
    ("time_unix_nano", PointField::TimeUnixNano),
    ("start_time", PointField::StartTime),
    ("time", PointField::Time),
    ("value_double", PointField::ValueDouble),
    ("value_int", PointField::ValueInt),
    ("exemplars", PointField::Exemplars),
    ("flags", PointField::Flags),
    ("count", PointField::Count),
    ("sum", PointField::Sum),
    ("bucket_counts", PointField::BucketCounts),
    ("explicit_bounds", PointField::ExplicitBounds),
    ("scale", PointField::Scale),
    ("zero_count", PointField::ZeroCount),
    ("positive.offset", PointField::PositiveOffset),
    ("positive.bucket_counts", PointField::PositiveBucketCounts),
    ("negative.offset", PointField::NegativeOffset),
    ("negative.bucket_counts", PointField::NegativeBucketCounts),
    ("quantile_values", PointField::QuantileValues),
];

/// The fields that all kinds of points have.
struct Common<'a> {
    attributes: &'a [KeyValue],
    start_time: u64,
    time: u64,
    flags: u32,
}

fn common(point: PointRef<'_>) -> Common<'_> {
    let (attributes, start_time, time, flags) = match point {
        PointRef::Number(point) => (
            &point.attributes,
            point.start_time_unix_nano,
            point.time_unix_nano,
            point.flags,
        ),
        PointRef::Histogram(point) => (
            &point.attributes,
            point.start_time_unix_nano,
            point.time_unix_nano,
            point.flags,
        ),
        PointRef::ExponentialHistogram(point) => (
            &point.attributes,
            point.start_time_unix_nano,
            point.time_unix_nano,
            point.flags,
        ),
        PointRef::Summary(point) => (
            &point.attributes,
            point.start_time_unix_nano,
            point.time_unix_nano,
            point.flags,
        ),
    };
    Common {
        attributes,
        start_time,
        time,
        flags,
    }
}

struct CommonMut<'a> {
    attributes: &'a mut Vec<KeyValue>,
    start_time: &'a mut u64,
    time: &'a mut u64,
    flags: &'a mut u32,
}

fn common_mut<'a>(point: &'a mut DataPoint<'_>) -> CommonMut<'a> {
    let (attributes, start_time, time, flags) = match point {
        DataPoint::Number(point) => (
            &mut point.attributes,
            &mut point.start_time_unix_nano,
            &mut point.time_unix_nano,
            &mut point.flags,
        ),
        DataPoint::Histogram(point) => (
            &mut point.attributes,
            &mut point.start_time_unix_nano,
            &mut point.time_unix_nano,
            &mut point.flags,
        ),
        DataPoint::ExponentialHistogram(point) => (
            &mut point.attributes,
            &mut point.start_time_unix_nano,
            &mut point.time_unix_nano,
            &mut point.flags,
        ),
        DataPoint::Summary(point) => (
            &mut point.attributes,
            &mut point.start_time_unix_nano,
            &mut point.time_unix_nano,
            &mut point.flags,
        ),
    };
    CommonMut {
        attributes,
        start_time,
        time,
        flags,
    }
}

pub(super) fn read(field: PointField, point: PointRef<'_>) -> OttlValue<'_> {
    match field {
        PointField::Attributes => OttlValue::Map(Cow::Borrowed(common(point).attributes)),
        PointField::StartTimeUnixNano => OttlValue::Int(common(point).start_time as i64),
        PointField::TimeUnixNano => OttlValue::Int(common(point).time as i64),
        PointField::StartTime => OttlValue::Time(common(point).start_time as i64),
        PointField::Time => OttlValue::Time(common(point).time as i64),
        PointField::Flags => OttlValue::Int(common(point).flags.into()),
        _ => match point {
            PointRef::Number(point) => match (field, point.value) {
                (PointField::ValueDouble, Some(Number::AsDouble(value))) => OttlValue::Double(value),
                (PointField::ValueDouble, _) => OttlValue::Double(0.0),
                (PointField::ValueInt, Some(Number::AsInt(value))) => OttlValue::Int(value),
                (PointField::ValueInt, _) => OttlValue::Int(0),
                (PointField::Exemplars, _) => messages(point.exemplars.len()),
                _ => OttlValue::Nil,
            },
            PointRef::Histogram(point) => match field {
                PointField::Count => OttlValue::Int(point.count as i64),
                PointField::Sum => OttlValue::Double(point.sum.unwrap_or_default()),
                PointField::Exemplars => messages(point.exemplars.len()),
                PointField::BucketCounts => counts(&point.bucket_counts),
                PointField::ExplicitBounds => {
                    let bounds = point.explicit_bounds.iter().map(|bound| AnyValue {
                        value: Some(Any::DoubleValue(*bound)),
                    });
                    OttlValue::TypedList(bounds.collect())
                }
                _ => OttlValue::Nil,
            },
            PointRef::ExponentialHistogram(point) => {
                let (positive, negative) = (point.positive.as_ref(), point.negative.as_ref());
                match field {
                    PointField::Count => OttlValue::Int(point.count as i64),
                    PointField::Sum => OttlValue::Double(point.sum.unwrap_or_default()),
                    PointField::Exemplars => messages(point.exemplars.len()),
                    PointField::Scale => OttlValue::Int(point.scale.into()),
                    PointField::ZeroCount => OttlValue::Int(point.zero_count as i64),
                    PointField::PositiveOffset => OttlValue::Int(positive.map_or(0, |buckets| buckets.offset.into())),
                    PointField::NegativeOffset => OttlValue::Int(negative.map_or(0, |buckets| buckets.offset.into())),
                    PointField::PositiveBucketCounts => counts(positive.map_or(&[], |buckets| &buckets.bucket_counts)),
                    PointField::NegativeBucketCounts => counts(negative.map_or(&[], |buckets| &buckets.bucket_counts)),
                    _ => OttlValue::Nil,
                }
            }
            PointRef::Summary(point) => match field {
                PointField::Count => OttlValue::Int(point.count as i64),
                PointField::Sum => OttlValue::Double(point.sum),
                PointField::QuantileValues => messages(point.quantile_values.len()),
                _ => OttlValue::Nil,
            },
        },
    }
}

fn messages(length: usize) -> OttlValue<'static> {
    OttlValue::Messages { length, is_list: true }
}

/// Unsigned counts are no list for `IsList`, as in the Collector.
fn counts(counts: &[u64]) -> OttlValue<'static> {
    OttlValue::Messages {
        length: counts.len(),
        is_list: false,
    }
}

pub(super) fn slot<'a>(field: PointField, point: &'a mut DataPoint<'_>) -> Slot<'a> {
    match field {
        PointField::Attributes => Slot::Map(common_mut(point).attributes),
        PointField::StartTimeUnixNano => Slot::Nanoseconds(common_mut(point).start_time),
        PointField::TimeUnixNano => Slot::Nanoseconds(common_mut(point).time),
        PointField::StartTime => Slot::Time(common_mut(point).start_time),
        PointField::Time => Slot::Time(common_mut(point).time),
        PointField::Flags => Slot::Count32(common_mut(point).flags),
        _ => match (field, point) {
            (PointField::ValueDouble, DataPoint::Number(point)) => Slot::NumberDouble(&mut point.value),
            (PointField::ValueInt, DataPoint::Number(point)) => Slot::NumberInt(&mut point.value),
            (PointField::Count, DataPoint::Histogram(point)) => Slot::Count64(&mut point.count),
            (PointField::Count, DataPoint::ExponentialHistogram(point)) => Slot::Count64(&mut point.count),
            (PointField::Count, DataPoint::Summary(point)) => Slot::Count64(&mut point.count),
            (PointField::Sum, DataPoint::Histogram(point)) => Slot::OptionalDouble(&mut point.sum),
            (PointField::Sum, DataPoint::ExponentialHistogram(point)) => Slot::OptionalDouble(&mut point.sum),
            (PointField::Sum, DataPoint::Summary(point)) => Slot::Double(&mut point.sum),
            (PointField::BucketCounts, DataPoint::Histogram(point)) => Slot::Counts(&mut point.bucket_counts),
            (PointField::ExplicitBounds, DataPoint::Histogram(point)) => Slot::Doubles(&mut point.explicit_bounds),
            (PointField::Scale, DataPoint::ExponentialHistogram(point)) => Slot::Enumeration(&mut point.scale),
            (PointField::ZeroCount, DataPoint::ExponentialHistogram(point)) => Slot::Count64(&mut point.zero_count),
            (PointField::PositiveOffset, DataPoint::ExponentialHistogram(point)) => {
                Slot::Enumeration(&mut point.positive.get_or_insert_default().offset)
            }
            (PointField::NegativeOffset, DataPoint::ExponentialHistogram(point)) => {
                Slot::Enumeration(&mut point.negative.get_or_insert_default().offset)
            }
            (PointField::PositiveBucketCounts, DataPoint::ExponentialHistogram(point)) => {
                Slot::Counts(&mut point.positive.get_or_insert_default().bucket_counts)
            }
            (PointField::NegativeBucketCounts, DataPoint::ExponentialHistogram(point)) => {
                Slot::Counts(&mut point.negative.get_or_insert_default().bucket_counts)
            }
            _ => Slot::Missing("this kind of data point has no such field"),
        },
    }
}
