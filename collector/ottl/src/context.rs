//! The kinds of items that conditions and statements are about.

use std::fmt;

/// The kind of item that a condition or a statement is about. Paths without a context prefix belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// A resource.
    Resource,
    /// An instrumentation scope, with its resource.
    Scope,
    /// A log record, with its scope and resource.
    Log,
    /// A metric, with its scope and resource.
    Metric,
    /// A data point, with its metric, scope and resource.
    DataPoint,
    /// A span, with its scope and resource.
    Span,
}

impl Context {
    /// Every context, from the outermost to the innermost.
    pub const ALL: [Context; 6] = [
        Context::Resource,
        Context::Scope,
        Context::Log,
        Context::Metric,
        Context::DataPoint,
        Context::Span,
    ];

    /// The name in `context` settings and the prefix in paths.
    pub fn name(self) -> &'static str {
        match self {
            Context::Resource => "resource",
            Context::Scope => "scope",
            Context::Log => "log",
            Context::Metric => "metric",
            Context::DataPoint => "datapoint",
            Context::Span => "span",
        }
    }

    /// The context with this name; `instrumentation_scope` is the old name of `scope`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "instrumentation_scope" { "scope" } else { name };
        Context::ALL.into_iter().find(|context| context.name() == name)
    }

    /// The contexts whose paths an item of this context reaches.
    pub fn reachable(self) -> &'static [Context] {
        match self {
            Context::Resource => &[Context::Resource],
            Context::Scope => &[Context::Scope, Context::Resource],
            Context::Log => &[Context::Log, Context::Scope, Context::Resource],
            Context::Metric => &[Context::Metric, Context::Scope, Context::Resource],
            Context::DataPoint => &[Context::DataPoint, Context::Metric, Context::Scope, Context::Resource],
            Context::Span => &[Context::Span, Context::Scope, Context::Resource],
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
