//! The failures of a run, by component.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::component::ComponentError;

/// Why a run failed; one line for each component, in the order in which they failed.
#[derive(Debug)]
pub struct RunError {
    /// The components that failed; the first one is the cause of the end. Never empty.
    pub failures: Vec<Failure>,
}

/// The failure of one component.
#[derive(Debug)]
pub struct Failure {
    /// Its path in the configuration, such as `exporters::otlp_http`.
    pub component: String,
    /// The kind of failure.
    pub why: Why,
}

/// How a component failed.
#[derive(Debug)]
pub enum Why {
    /// It could not start.
    Start(ComponentError),
    /// It ended with an error.
    Failed(ComponentError),
    /// It panicked, with this text.
    Panicked(String),
    /// It ended without an error before shutdown.
    Ended,
    /// It did not stop within the grace period (given here) and was aborted.
    Overran(Duration),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.failures.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{failure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RunError {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.component, self.why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Start(error) => write!(f, "could not start: {error}"),
            Why::Failed(error) => write!(f, "failed: {error}"),
            Why::Panicked(text) => write!(f, "panicked: {text}"),
            Why::Ended => f.write_str("ended before shutdown"),
            Why::Overran(grace) => write!(
                f,
                "did not stop within {grace:?} and was aborted; undelivered data is lost"
            ),
        }
    }
}

/// The text of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "without a text".to_owned(),
    }
}
