//! An item that is only read: conditions need no more, so that data that is shared is not copied for them.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// The scope and the resource of an item, with the schema URLs beside them.
#[derive(Clone, Copy, Debug)]
pub struct OwnersRef<'a> {
    /// The scope; a missing one reads as an empty one.
    pub scope: Option<&'a InstrumentationScope>,
    /// The schema URL beside the scope.
    pub scope_schema_url: &'a str,
    /// The resource; a missing one reads as an empty one.
    pub resource: Option<&'a Resource>,
    /// The schema URL beside the resource.
    pub resource_schema_url: &'a str,
}

/// One data point that is only read.
#[derive(Clone, Copy, Debug)]
pub enum PointRef<'a> {
    /// A point of a gauge or a sum.
    Number(&'a NumberDataPoint),
    /// A point of a histogram.
    Histogram(&'a HistogramDataPoint),
    /// A point of an exponential histogram.
    ExponentialHistogram(&'a ExponentialHistogramDataPoint),
    /// A point of a summary.
    Summary(&'a SummaryDataPoint),
}

/// All data points of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PointsRef<'a> {
    None,
    Number(&'a [NumberDataPoint]),
    Histogram(&'a [HistogramDataPoint]),
    ExponentialHistogram(&'a [ExponentialHistogramDataPoint]),
    Summary(&'a [SummaryDataPoint]),
}

impl PointsRef<'_> {
    /// The number of points, unless the metric has no data.
    pub(crate) fn len(self) -> Option<usize> {
        match self {
            PointsRef::None => None,
            PointsRef::Number(points) => Some(points.len()),
            PointsRef::Histogram(points) => Some(points.len()),
            PointsRef::ExponentialHistogram(points) => Some(points.len()),
            PointsRef::Summary(points) => Some(points.len()),
        }
    }
}

/// The fields of a metric without its data points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) metadata: &'a [KeyValue],
    /// `METRIC_DATA_TYPE_…` of OTTL: 0 for a metric without data.
    pub(crate) data_type: i64,
    pub(crate) aggregation_temporality: Option<i32>,
    pub(crate) is_monotonic: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum SubjectRef<'a> {
    Resource,
    Scope,
    Log(&'a LogRecord),
    Metric(MetricRef<'a>, PointsRef<'a>),
    DataPoint(PointRef<'a>, MetricRef<'a>),
    Span(&'a Span),
}

/// An item that is only read. See [`Item::view`](crate::Item::view).
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) target: SubjectRef<'a>,
    pub(crate) owners: OwnersRef<'a>,
    pub(crate) cache: &'a [KeyValue],
}

impl<'a> View<'a> {
    fn new(target: SubjectRef<'a>, owners: OwnersRef<'a>) -> Self {
        View {
            target,
            owners,
            cache: &[],
        }
    }

    /// A resource, with the schema URL beside it.
    pub fn resource(resource: Option<&'a Resource>, schema_url: &'a str) -> Self {
        let owners = OwnersRef {
            scope: None,
            scope_schema_url: "",
            resource,
            resource_schema_url: schema_url,
        };
        View::new(SubjectRef::Resource, owners)
    }

    /// A scope.
    pub fn scope(owners: OwnersRef<'a>) -> Self {
        View::new(SubjectRef::Scope, owners)
    }

    /// A log record.
    pub fn log(record: &'a LogRecord, owners: OwnersRef<'a>) -> Self {
        View::new(SubjectRef::Log(record), owners)
    }

    /// A metric.
    pub fn metric(metric: &'a Metric, owners: OwnersRef<'a>) -> Self {
        let (fields, points) = separated(metric);
        View::new(SubjectRef::Metric(fields, points), owners)
    }

    /// A data point of a metric.
    pub fn data_point(point: PointRef<'a>, metric: &'a Metric, owners: OwnersRef<'a>) -> Self {
        let (fields, _) = separated(metric);
        View::new(SubjectRef::DataPoint(point, fields), owners)
    }

    /// A span.
    pub fn span(span: &'a Span, owners: OwnersRef<'a>) -> Self {
        View::new(SubjectRef::Span(span), owners)
    }
}

/// The data points of a metric apart from its other fields.
fn separated(metric: &Metric) -> (MetricRef<'_>, PointsRef<'_>) {
    let (data_type, aggregation_temporality, is_monotonic, points) = match &metric.data {
        None => (0, None, None, PointsRef::None),
        Some(Data::Gauge(gauge)) => (1, None, None, PointsRef::Number(&gauge.data_points)),
        Some(Data::Sum(sum)) => (
            2,
            Some(sum.aggregation_temporality),
            Some(sum.is_monotonic),
            PointsRef::Number(&sum.data_points),
        ),
        Some(Data::Histogram(histogram)) => (
            3,
            Some(histogram.aggregation_temporality),
            None,
            PointsRef::Histogram(&histogram.data_points),
        ),
        Some(Data::ExponentialHistogram(histogram)) => {
            let points = PointsRef::ExponentialHistogram(&histogram.data_points);
            (4, Some(histogram.aggregation_temporality), None, points)
        }
        Some(Data::Summary(summary)) => (5, None, None, PointsRef::Summary(&summary.data_points)),
    };
    let fields = MetricRef {
        name: &metric.name,
        description: &metric.description,
        unit: &metric.unit,
        metadata: &metric.metadata,
        data_type,
        aggregation_temporality,
        is_monotonic,
    };
    (fields, points)
}
