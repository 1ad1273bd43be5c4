//! OTLP metrics as text that Prometheus scrapes: text format 0.0.4 and OpenMetrics 1.0. Pure.
//!
//! [`gather`] turns OTLP metrics into families; [`write`] writes families; [`Format::accepted`] says which of the two
//! formats a scraper wants.

mod format;
mod gather;
mod histogram;
mod name;
mod unit;
mod write;

pub use format::Format;
pub use gather::{Gathered, gather};
pub use histogram::Classic;
pub use name::{Suffixes, label};
pub use write::{write, write_head, write_labels};

/// How OTLP metrics are named and labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The first word of every name; empty: none.
    pub namespace: String,
    /// Labels that every series gets.
    pub const_labels: Vec<(String, String)>,
    /// Which suffixes names get.
    pub suffixes: Suffixes,
    /// Whether series say which instrumentation scope they are of.
    pub scope_labels: bool,
    /// Whether `service.name` and `service.instance.id` become the labels `job` and `instance` of every series. Without,
    /// they stand in `target_info` only.
    pub job_labels: bool,
    /// Whether attributes of the resource become labels of every series.
    pub resource_labels: bool,
    /// Whether there is a `target_info` for each resource.
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

/// What a family is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, or starts again.
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
    /// The name, with all suffixes: that of a counter ends with `_total`, unless suffixes are not wanted.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it means.
    pub help: String,
    /// The unit that the name ends with, before `_total`.
    pub unit: Option<String>,
    /// Its series, in the order of their labels.
    pub series: Vec<Series>,
}

/// Sorted by name.
pub type Labels = Vec<(String, String)>;

/// One series with its latest value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// The latest value.
    pub value: Value,
    /// When it was measured, nanoseconds since 1970; 0: not known.
    pub time: u64,
    /// When it began to count, nanoseconds since 1970; 0: not known.
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
        /// How many values.
        count: u64,
        /// Their sum.
        sum: f64,
        /// Quantiles and their values.
        quantiles: Vec<(f64, f64)>,
    },
}
