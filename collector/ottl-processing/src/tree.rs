//! Logs, metrics and traces as one shape: resources with scopes with items.

use collector_ottl::{Context, Item, Owners, OwnersRef, PointRef, View};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// A resource with its scopes.
pub trait ResourceItems {
    /// A scope with its items.
    type Scope: ScopeItems;

    /// The resource, the schema URL beside it, the scopes.
    fn parts(&self) -> (Option<&Resource>, &str, &[Self::Scope]);

    /// The same for changes.
    fn parts_mut(&mut self) -> (&mut Option<Resource>, &mut String, &mut Vec<Self::Scope>);
}

/// A scope with its items.
pub trait ScopeItems {
    /// A log record, a metric or a span.
    type Item: OttlItem;

    /// The scope, the schema URL beside it, the items.
    fn parts(&self) -> (Option<&InstrumentationScope>, &str, &[Self::Item]);

    /// The same for changes.
    fn parts_mut(&mut self) -> (&mut Option<InstrumentationScope>, &mut String, &mut Vec<Self::Item>);
}

/// A log record, a metric or a span.
pub trait OttlItem {
    /// The contexts of the signal, from the outermost to the innermost.
    const CONTEXTS: &'static [Context];

    /// The item for conditions.
    fn view<'a>(&'a self, owners: OwnersRef<'a>) -> View<'a>;

    /// The item for statements.
    fn item<'a>(&'a mut self, owners: Owners<'a>) -> Item<'a>;

    /// The data points of a metric with data, for conditions.
    fn points<'a>(&'a self, _owners: OwnersRef<'a>) -> Option<impl Iterator<Item = View<'a>>> {
        None::<std::iter::Empty<View<'a>>>
    }

    /// Removes points for which `keep` is false. False if a metric with data has no point left.
    fn retain_points(&mut self, _keep: impl FnMut() -> bool) -> bool {
        true
    }

    /// Runs `run` on each data point of a metric.
    ///
    /// # Errors
    /// The first error of `run`.
    fn each_point<E>(&mut self, _owners: Owners<'_>, _run: impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        Ok(())
    }
}

impl OttlItem for LogRecord {
    const CONTEXTS: &'static [Context] = &[Context::Resource, Context::Scope, Context::Log];

    fn view<'a>(&'a self, owners: OwnersRef<'a>) -> View<'a> {
        View::log(self, owners)
    }

    fn item<'a>(&'a mut self, owners: Owners<'a>) -> Item<'a> {
        Item::log(self, owners)
    }
}

impl OttlItem for Span {
    const CONTEXTS: &'static [Context] = &[Context::Resource, Context::Scope, Context::Span];

    fn view<'a>(&'a self, owners: OwnersRef<'a>) -> View<'a> {
        View::span(self, owners)
    }

    fn item<'a>(&'a mut self, owners: Owners<'a>) -> Item<'a> {
        Item::span(self, owners)
    }
}

impl OttlItem for Metric {
    const CONTEXTS: &'static [Context] = &[Context::Resource, Context::Scope, Context::Metric, Context::DataPoint];

    fn view<'a>(&'a self, owners: OwnersRef<'a>) -> View<'a> {
        View::metric(self, owners)
    }

    fn item<'a>(&'a mut self, owners: Owners<'a>) -> Item<'a> {
        Item::metric(self, owners)
    }

    fn points<'a>(&'a self, owners: OwnersRef<'a>) -> Option<impl Iterator<Item = View<'a>>> {
        let data = self.data.as_ref()?;
        let count = match data {
            Data::Gauge(gauge) => gauge.data_points.len(),
            Data::Sum(sum) => sum.data_points.len(),
            Data::Histogram(histogram) => histogram.data_points.len(),
            Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
            Data::Summary(summary) => summary.data_points.len(),
        };
        let point = move |index: usize| match data {
            Data::Gauge(gauge) => PointRef::Number(&gauge.data_points[index]),
            Data::Sum(sum) => PointRef::Number(&sum.data_points[index]),
            Data::Histogram(histogram) => PointRef::Histogram(&histogram.data_points[index]),
            Data::ExponentialHistogram(histogram) => PointRef::ExponentialHistogram(&histogram.data_points[index]),
            Data::Summary(summary) => PointRef::Summary(&summary.data_points[index]),
        };
        Some((0..count).map(move |index| View::data_point(point(index), self, owners)))
    }

    fn retain_points(&mut self, mut keep: impl FnMut() -> bool) -> bool {
        if self.data.is_none() {
            return true;
        }
        let (_, mut points) = collector_ottl::points(self);
        points.retain(|_| keep());
        !points.is_empty()
    }

    fn each_point<E>(
        &mut self,
        mut owners: Owners<'_>,
        mut run: impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut fields, mut points) = collector_ottl::points(self);
        let mut result = Ok(());
        points.retain(|point| {
            if result.is_ok() {
                result = run(Item::data_point(point, fields.reborrow(), owners.reborrow()));
            }
            true
        });
        result
    }
}

/// Implements both levels above the items of one signal, which differ only in their field names.
macro_rules! tree {
    ($resource:ty, $scopes:ident, $scope:ty, $items:ident, $item:ty) => {
        impl ResourceItems for $resource {
            type Scope = $scope;

            fn parts(&self) -> (Option<&Resource>, &str, &[$scope]) {
                (self.resource.as_ref(), &self.schema_url, &self.$scopes)
            }

            fn parts_mut(&mut self) -> (&mut Option<Resource>, &mut String, &mut Vec<$scope>) {
                (&mut self.resource, &mut self.schema_url, &mut self.$scopes)
            }
        }

        impl ScopeItems for $scope {
            type Item = $item;

            fn parts(&self) -> (Option<&InstrumentationScope>, &str, &[$item]) {
                (self.scope.as_ref(), &self.schema_url, &self.$items)
            }

            fn parts_mut(&mut self) -> (&mut Option<InstrumentationScope>, &mut String, &mut Vec<$item>) {
                (&mut self.scope, &mut self.schema_url, &mut self.$items)
            }
        }
    };
}

tree!(ResourceLogs, scope_logs, ScopeLogs, log_records, LogRecord);
tree!(ResourceMetrics, scope_metrics, ScopeMetrics, metrics, Metric);
tree!(ResourceSpans, scope_spans, ScopeSpans, spans, Span);
