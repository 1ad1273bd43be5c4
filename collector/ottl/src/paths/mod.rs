//! Paths: which exist in which context, what they read, and what they set.
//!
//! They are those of the packages `contexts/internal/ctx…` of the Collector's `pkg/ottl`.

mod access;
mod keys;
mod log;
mod metric;
mod owners;
mod point;
mod resolve;
mod slot;
mod span;

pub(crate) use access::FieldPath;
pub(crate) use keys::{PathKey, index_value};
pub(crate) use resolve::{is_other_context, prefix, resolve};

/// A field of an item or of its owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathField {
    Cache,
    Resource(owners::ResourceField),
    Scope(owners::ScopeField),
    Log(log::LogField),
    Metric(metric::MetricField),
    Point(point::PointField),
    Span(span::SpanField),
}

/// The uses of a path, besides reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A value with a type of its own.
    Scalar,
    /// A map: it has string keys, and functions about maps accept it.
    Map,
    /// A value of any type, which may be a map.
    Any,
    /// A list of `key=value` in one string; it has string keys.
    TraceState,
    /// It can only be read.
    ReadOnly,
}

impl PathField {
    pub(crate) fn shape(self) -> Shape {
        use log::LogField;
        use metric::MetricField;
        use owners::{ResourceField, ScopeField};
        use point::PointField;
        use span::SpanField;
        match self {
            PathField::Cache
            | PathField::Resource(ResourceField::Attributes)
            | PathField::Scope(ScopeField::Attributes)
            | PathField::Log(LogField::Attributes)
            | PathField::Metric(MetricField::Metadata)
            | PathField::Point(PointField::Attributes)
            | PathField::Span(SpanField::Attributes) => Shape::Map,
            PathField::Log(LogField::Body) => Shape::Any,
            PathField::Span(SpanField::TraceState) => Shape::TraceState,
            PathField::Metric(MetricField::DataPoints)
            | PathField::Point(PointField::Exemplars | PointField::QuantileValues)
            | PathField::Span(SpanField::Events | SpanField::Links | SpanField::Status) => Shape::ReadOnly,
            _ => Shape::Scalar,
        }
    }
}
