//! Errors in the configuration, each with its place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::scalar::visible;

/// A position in a configuration source. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The origin of the text: a file, standard input or `--set`.
    pub source: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// One error: where it is, what was found, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The position, if known.
    pub position: Option<Position>,
    /// The path to it in the configuration, as the collector writes it: `exporters::otlp_http::endpoint`.
    pub path: String,
    /// The value found and the value expected.
    pub message: String,
    /// A fix.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a position, without help.
    pub fn new(position: Position, path: impl Into<String>, message: impl Into<String>) -> Self {
        Diagnostic {
            position: Some(position),
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }

    /// True if it is about a key or component that does not exist.
    pub fn is_unknown(&self) -> bool {
        self.message.starts_with("unknown ")
    }

    /// The same error with help: what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys, values and components' messages may hold anything; none of it may reach a terminal unescaped.
        if let Some(position) = &self.position {
            write!(f, "{}: ", visible(&position.to_string()))?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", visible(&self.path))?;
        }
        f.write_str(&visible(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n    {}", visible(help))?;
        }
        Ok(())
    }
}

/// Every error that was found, never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds an error.
    pub fn push(&mut self, error: Diagnostic) {
        self.0.push(error);
    }

    /// Adds every error of another list.
    pub fn append(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// True if there is no error.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same errors by source and position (those without one first), each once.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0
            .sort_by(|a, b| (&a.position, &a.path, &a.message).cmp(&(&b.position, &b.path, &b.message)));
        self.0.dedup();
        self
    }

    /// `Ok` with the value if there is no error, else the errors, sorted.
    ///
    /// # Errors
    /// If there is any error.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(error: Diagnostic) -> Self {
        Diagnostics(vec![error])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(errors: I) -> Self {
        Diagnostics(errors.into_iter().collect())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|error| writeln!(f, "{error}"))
    }
}

impl std::error::Error for Diagnostics {}

/// The warnings of one configuration: valid, but probably unintended settings. Clones share one list, so each reader of
/// a part of the configuration can add to it (see [`Settings::warn`](super::Settings::warn)).
#[derive(Clone, Debug, Default)]
pub struct Warnings(Arc<Mutex<Diagnostics>>);

impl Warnings {
    /// Adds a warning.
    pub fn push(&self, warning: Diagnostic) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// All warnings so far, sorted by position, each once.
    pub fn list(&self) -> Diagnostics {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().sorted()
    }
}
