//! Mistakes in the configuration, each with its place.

use std::fmt;

/// Where something stands in a configuration source. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file, `--set`, or whatever else the text came from.
    pub source: std::sync::Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One mistake: where it is, what was found, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it stands, if that is known.
    pub position: Option<Position>,
    /// The path to it in the configuration, as the collector writes it: `exporters::otlp_http::endpoint`.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Every mistake that was found, never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            if let Some(p) = &diagnostic.position {
                write!(f, "{}:{}:{}: ", p.source, p.line, p.column)?;
            }
            writeln!(f, "{}: {}", diagnostic.path, diagnostic.message)?;
            if let Some(help) = &diagnostic.help {
                writeln!(f, "    {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
