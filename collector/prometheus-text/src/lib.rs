//! OTLP metrics as text that Prometheus scrapes: text format 0.0.4 and OpenMetrics 1.0. Pure.
//!
//! [`gather`] turns OTLP metrics into families; [`write`] writes families; [`Format::accepted`] chooses the format.

mod format;
mod gather;
mod histogram;
mod labels;
mod name;
mod unit;
mod write;

pub use format::Format;
pub use gather::{Gathered, gather};
pub use histogram::Classic;
pub use name::{Suffixes, label};
pub use write::{write, write_head, write_labels};

/// Names and labels of OTLP metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The first word of every name; empty for none.
    pub namespace: String,
    /// Labels of every series.
    pub const_labels: Vec<(String, String)>,
    /// Suffixes of names.
    pub suffixes: Suffixes,
    /// Labels every series with its instrumentation scope.
    pub scope_labels: bool,
    /// Makes `service.name` and `service.instance.id` the labels `job` and `instance` of every series. Otherwise only
    /// `target_info` has them.
    pub job_labels: bool,
    /// Makes attributes of the resource labels of every series.
    pub resource_labels: bool,
    /// Writes a `target_info` for each resource.
    pub target_info: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            namespace: String::new(),
            const_labels: Vec::new(),
            suffixes: Suffixes { unit: true, kind: true },
            scope_labels: true,
            job_labels: true,
            resource_labels: false,
            target_info: true,
        }
    }
}

/// The type of a family in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyKind {
    /// Only rises, or resets.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Buckets.
    Histogram,
    /// Quantiles.
    Summary,
    /// Labels, with the value 1.
    Info,
}

/// All series of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name with all suffixes: a counter ends with `_total`, unless suffixes are off.
    pub name: String,
    /// The type.
    pub kind: FamilyKind,
    /// The help text.
    pub help: String,
    /// The unit that the name ends with, before `_total`.
    pub unit: Option<String>,
    /// The series, in the order of their labels.
    pub series: Vec<Series>,
}

/// Sorted by name.
pub type Labels = Vec<(String, String)>;

/// One series with its latest value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The labels.
    pub labels: Labels,
    /// The latest value.
    pub value: Value,
    /// Time of the measurement, nanoseconds since 1970; 0 if unknown.
    pub time: u64,
    /// Time of creation, nanoseconds since 1970; 0 if unknown.
    pub created: u64,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A histogram.
    Histogram(Classic),
    /// A summary.
    Summary {
        /// The number of values.
        count: u64,
        /// Their sum.
        sum: f64,
        /// Quantiles and their values.
        quantiles: Vec<(f64, f64)>,
    },
}
