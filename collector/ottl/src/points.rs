//! A metric, with its data points apart from its other fields, so that both can be changed at once.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
};

use crate::view::{MetricRef, PointRef, PointsRef};

/// The fields of a metric without its data points.
pub struct MetricFields<'a> {
    pub(crate) name: &'a mut String,
    pub(crate) description: &'a mut String,
    pub(crate) unit: &'a mut String,
    pub(crate) metadata: &'a mut Vec<KeyValue>,
    /// `METRIC_DATA_TYPE_…` of OTTL: 0 for a metric without data.
    pub(crate) data_type: i64,
    pub(crate) aggregation_temporality: Option<&'a mut i32>,
    pub(crate) is_monotonic: Option<&'a mut bool>,
}

impl MetricFields<'_> {
    pub(crate) fn view(&self) -> MetricRef<'_> {
        MetricRef {
            name: self.name,
            description: self.description,
            unit: self.unit,
            metadata: self.metadata,
            data_type: self.data_type,
            aggregation_temporality: self.aggregation_temporality.as_deref().copied(),
            is_monotonic: self.is_monotonic.as_deref().copied(),
        }
    }

    /// The same fields for a shorter time: for one of many data points.
    pub fn reborrow(&mut self) -> MetricFields<'_> {
        MetricFields {
            name: &mut *self.name,
            description: &mut *self.description,
            unit: &mut *self.unit,
            metadata: &mut *self.metadata,
            data_type: self.data_type,
            aggregation_temporality: self.aggregation_temporality.as_deref_mut(),
            is_monotonic: self.is_monotonic.as_deref_mut(),
        }
    }
}

/// One data point.
pub enum DataPoint<'a> {
    /// A point of a gauge or a sum.
    Number(&'a mut NumberDataPoint),
    /// A point of a histogram.
    Histogram(&'a mut HistogramDataPoint),
    /// A point of an exponential histogram.
    ExponentialHistogram(&'a mut ExponentialHistogramDataPoint),
    /// A point of a summary.
    Summary(&'a mut SummaryDataPoint),
}

impl DataPoint<'_> {
    pub(crate) fn view(&self) -> PointRef<'_> {
        match self {
            DataPoint::Number(point) => PointRef::Number(point),
            DataPoint::Histogram(point) => PointRef::Histogram(point),
            DataPoint::ExponentialHistogram(point) => PointRef::ExponentialHistogram(point),
            DataPoint::Summary(point) => PointRef::Summary(point),
        }
    }
}

/// All data points of a metric.
pub enum MetricPoints<'a> {
    /// A metric without data.
    None,
    /// The points of a gauge or a sum.
    Number(&'a mut Vec<NumberDataPoint>),
    /// The points of a histogram.
    Histogram(&'a mut Vec<HistogramDataPoint>),
    /// The points of an exponential histogram.
    ExponentialHistogram(&'a mut Vec<ExponentialHistogramDataPoint>),
    /// The points of a summary.
    Summary(&'a mut Vec<SummaryDataPoint>),
}

impl MetricPoints<'_> {
    pub(crate) fn view(&self) -> PointsRef<'_> {
        match self {
            MetricPoints::None => PointsRef::None,
            MetricPoints::Number(points) => PointsRef::Number(points),
            MetricPoints::Histogram(points) => PointsRef::Histogram(points),
            MetricPoints::ExponentialHistogram(points) => PointsRef::ExponentialHistogram(points),
            MetricPoints::Summary(points) => PointsRef::Summary(points),
        }
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.view().len().unwrap_or_default()
    }

    /// Says that the metric has no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the points for which `keep` is true, in their order. `keep` may change them, too.
    pub fn retain(&mut self, mut keep: impl FnMut(DataPoint<'_>) -> bool) {
        match self {
            MetricPoints::None => {}
            MetricPoints::Number(points) => points.retain_mut(|point| keep(DataPoint::Number(point))),
            MetricPoints::Histogram(points) => points.retain_mut(|point| keep(DataPoint::Histogram(point))),
            MetricPoints::ExponentialHistogram(points) => {
                points.retain_mut(|point| keep(DataPoint::ExponentialHistogram(point)));
            }
            MetricPoints::Summary(points) => points.retain_mut(|point| keep(DataPoint::Summary(point))),
        }
    }
}

/// Separates the data points of a metric from its other fields.
pub fn points(metric: &mut Metric) -> (MetricFields<'_>, MetricPoints<'_>) {
    let mut fields = MetricFields {
        name: &mut metric.name,
        description: &mut metric.description,
        unit: &mut metric.unit,
        metadata: &mut metric.metadata,
        data_type: 0,
        aggregation_temporality: None,
        is_monotonic: None,
    };
    let points = match &mut metric.data {
        None => MetricPoints::None,
        Some(Data::Gauge(gauge)) => {
            fields.data_type = 1;
            MetricPoints::Number(&mut gauge.data_points)
        }
        Some(Data::Sum(sum)) => {
            fields.data_type = 2;
            fields.aggregation_temporality = Some(&mut sum.aggregation_temporality);
            fields.is_monotonic = Some(&mut sum.is_monotonic);
            MetricPoints::Number(&mut sum.data_points)
        }
        Some(Data::Histogram(histogram)) => {
            fields.data_type = 3;
            fields.aggregation_temporality = Some(&mut histogram.aggregation_temporality);
            MetricPoints::Histogram(&mut histogram.data_points)
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            fields.data_type = 4;
            fields.aggregation_temporality = Some(&mut histogram.aggregation_temporality);
            MetricPoints::ExponentialHistogram(&mut histogram.data_points)
        }
        Some(Data::Summary(summary)) => {
            fields.data_type = 5;
            MetricPoints::Summary(&mut summary.data_points)
        }
    };
    (fields, points)
}
