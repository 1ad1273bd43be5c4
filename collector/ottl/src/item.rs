//! The item that a condition reads and a statement changes, with everything around it that paths reach.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::points::{DataPoint, MetricFields, MetricPoints};
use crate::view::{OwnersRef, SubjectRef};
use crate::{Context, View};

/// The scope and the resource of an item, with the schema URLs beside them.
pub struct Owners<'a> {
    /// The scope; a missing one reads as an empty one.
    pub scope: &'a mut Option<InstrumentationScope>,
    /// The schema URL beside the scope.
    pub scope_schema_url: &'a mut String,
    /// The resource; a missing one reads as an empty one.
    pub resource: &'a mut Option<Resource>,
    /// The schema URL beside the resource.
    pub resource_schema_url: &'a mut String,
}

impl Owners<'_> {
    /// The same owners for a shorter time: for one of many items.
    pub fn reborrow(&mut self) -> Owners<'_> {
        Owners {
            scope: &mut *self.scope,
            scope_schema_url: &mut *self.scope_schema_url,
            resource: &mut *self.resource,
            resource_schema_url: &mut *self.resource_schema_url,
        }
    }
}

pub(crate) enum Subject<'a> {
    Resource,
    Scope,
    Log(&'a mut LogRecord),
    Metric {
        fields: MetricFields<'a>,
        points: MetricPoints<'a>,
    },
    DataPoint {
        metric: MetricFields<'a>,
        point: DataPoint<'a>,
    },
    Span(&'a mut Span),
}

/// An item, its owners, and the `cache` of its statements.
pub struct Item<'a> {
    pub(crate) target: Subject<'a>,
    pub(crate) scope: Option<(&'a mut Option<InstrumentationScope>, &'a mut String)>,
    pub(crate) resource: (&'a mut Option<Resource>, &'a mut String),
    pub(crate) cache: Vec<KeyValue>,
}

impl<'a> Item<'a> {
    fn new(target: Subject<'a>, owners: Owners<'a>) -> Self {
        Item {
            target,
            scope: Some((owners.scope, owners.scope_schema_url)),
            resource: (owners.resource, owners.resource_schema_url),
            cache: Vec::new(),
        }
    }

    /// A resource, with the schema URL beside it.
    pub fn resource(resource: &'a mut Option<Resource>, schema_url: &'a mut String) -> Self {
        Item {
            target: Subject::Resource,
            scope: None,
            resource: (resource, schema_url),
            cache: Vec::new(),
        }
    }

    /// A scope.
    pub fn scope(owners: Owners<'a>) -> Self {
        Item::new(Subject::Scope, owners)
    }

    /// A log record.
    pub fn log(record: &'a mut LogRecord, owners: Owners<'a>) -> Self {
        Item::new(Subject::Log(record), owners)
    }

    /// A metric.
    pub fn metric(metric: &'a mut Metric, owners: Owners<'a>) -> Self {
        let (fields, points) = crate::points(metric);
        Item::new(Subject::Metric { fields, points }, owners)
    }

    /// A data point; [`points`](crate::points) separates the points of a metric from its other fields.
    pub fn data_point(point: DataPoint<'a>, metric: MetricFields<'a>, owners: Owners<'a>) -> Self {
        Item::new(Subject::DataPoint { metric, point }, owners)
    }

    /// A span.
    pub fn span(span: &'a mut Span, owners: Owners<'a>) -> Self {
        Item::new(Subject::Span(span), owners)
    }

    /// The item for reading: for conditions.
    pub fn view(&self) -> View<'_> {
        let (scope, scope_schema_url) = match &self.scope {
            Some((scope, schema_url)) => (scope.as_ref(), schema_url.as_str()),
            None => (None, ""),
        };
        let resource = self.resource.0.as_ref();
        View {
            target: match &self.target {
                Subject::Resource => SubjectRef::Resource,
                Subject::Scope => SubjectRef::Scope,
                Subject::Log(record) => SubjectRef::Log(record),
                Subject::Metric { fields, points } => SubjectRef::Metric(fields.view(), points.view()),
                Subject::DataPoint { metric, point } => SubjectRef::DataPoint(point.view(), metric.view()),
                Subject::Span(span) => SubjectRef::Span(span),
            },
            owners: OwnersRef {
                scope,
                scope_schema_url,
                resource,
                resource_schema_url: self.resource.1,
            },
            cache: &self.cache,
        }
    }

    /// The kind of the item; conditions and statements must be parsed for the same.
    pub fn context(&self) -> Context {
        match self.target {
            Subject::Resource => Context::Resource,
            Subject::Scope => Context::Scope,
            Subject::Log(_) => Context::Log,
            Subject::Metric { .. } => Context::Metric,
            Subject::DataPoint { .. } => Context::DataPoint,
            Subject::Span(_) => Context::Span,
        }
    }

    /// Gives the item the cache of another one, for groups of statements that share it. [`Item::into_cache`] returns it.
    pub fn with_cache(self, cache: Vec<KeyValue>) -> Self {
        Item { cache, ..self }
    }

    /// The values that statements have set in `cache`.
    pub fn into_cache(self) -> Vec<KeyValue> {
        self.cache
    }
}
