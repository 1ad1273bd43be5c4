//! Paths of metrics.

use std::borrow::Cow;

use super::slot::Slot;
use crate::points::MetricFields;
use crate::value::OttlValue;
use crate::view::MetricRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricField {
    Name,
    Description,
    Unit,
    Type,
    AggregationTemporality,
    IsMonotonic,
    DataPoints,
    Metadata,
}

pub(super) const METRIC: &[(&str, MetricField)] = &[
    ("name", MetricField::Name),
    ("description", MetricField::Description),
    ("unit", MetricField::Unit),
    ("type", MetricField::Type),
    ("aggregation_temporality", MetricField::AggregationTemporality),
    ("is_monotonic", MetricField::IsMonotonic),
    ("data_points", MetricField::DataPoints),
    ("metadata", MetricField::Metadata),
];

/// `points` is the number of data points, unless the item is one of them.
pub(super) fn read<'a>(field: MetricField, metric: &MetricRef<'a>, points: Option<usize>) -> OttlValue<'a> {
    match field {
        MetricField::Name => OttlValue::text(metric.name),
        MetricField::Description => OttlValue::text(metric.description),
        MetricField::Unit => OttlValue::text(metric.unit),
        MetricField::Type => OttlValue::Int(metric.data_type),
        MetricField::AggregationTemporality => metric
            .aggregation_temporality
            .map_or(OttlValue::Nil, |value| OttlValue::Int(value.into())),
        MetricField::IsMonotonic => metric.is_monotonic.map_or(OttlValue::Nil, OttlValue::Bool),
        MetricField::DataPoints => {
            points.map_or(OttlValue::Nil, |length| OttlValue::Messages { length, is_list: true })
        }
        MetricField::Metadata => OttlValue::Map(Cow::Borrowed(metric.metadata)),
    }
}

pub(super) fn slot<'a>(field: MetricField, metric: &'a mut MetricFields<'_>) -> Slot<'a> {
    match field {
        MetricField::Name => Slot::Text(metric.name),
        MetricField::Description => Slot::Text(metric.description),
        MetricField::Unit => Slot::Text(metric.unit),
        MetricField::Type => Slot::Ignored,
        MetricField::AggregationTemporality => match metric.aggregation_temporality.as_deref_mut() {
            Some(value) => Slot::Enumeration(value),
            None => Slot::IgnoredInt,
        },
        MetricField::IsMonotonic => match metric.is_monotonic.as_deref_mut() {
            Some(value) => Slot::Bool(value),
            None => Slot::IgnoredBool,
        },
        MetricField::DataPoints => Slot::Missing("`data_points` cannot be set"),
        MetricField::Metadata => Slot::Map(metric.metadata),
    }
}
