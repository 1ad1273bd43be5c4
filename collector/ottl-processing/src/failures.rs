use std::fmt;
use std::sync::Mutex;

use collector_config::ComponentId;
use collector_ottl::EvalError;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};
use pacing::{LogPace, lock};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::ErrorMode;

/// The errors of evaluations of one processor: counted, and logged at growing intervals.
///
/// Log lines name the setting, not its text, which may have a value from the environment.
#[derive(Debug)]
pub struct Failures {
    processor: ComponentId,
    attributes: [KeyValue; 1],
    errors: Counter<u64>,
    rejected: Counter<u64>,
    ignored_pace: Mutex<LogPace>,
    rejected_pace: Mutex<LogPace>,
}

impl Failures {
    /// No errors yet. The counters exist from the start, at zero.
    pub fn new(processor: &ComponentId, meter: &Meter) -> Self {
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let failures = Failures {
            processor: processor.clone(),
            attributes: [KeyValue::new("processor", processor.to_string())],
            errors: counter(
                "otelcol_processor_evaluation_errors",
                "Evaluations of conditions and statements that failed",
            ),
            rejected: counter(
                "otelcol_processor_rejected_items",
                "Log records, metric points and spans that were rejected after such an error with `error_mode: propagate`",
            ),
            ignored_pace: Mutex::default(),
            rejected_pace: Mutex::default(),
        };
        failures.errors.add(0, &failures.attributes);
        failures.rejected.add(0, &failures.attributes);
        failures
    }

    /// Records an error of the condition or statement at `setting`, a path in the processor's settings.
    ///
    /// # Errors
    /// The reason to reject the batch, if `mode` is `propagate`.
    pub fn record(&self, mode: ErrorMode, setting: &str, error: &EvalError) -> Result<(), String> {
        self.errors.add(1, &self.attributes);
        match mode {
            ErrorMode::Propagate => Err(format!("processor {}: {setting}: {error}", self.processor)),
            ErrorMode::Silent => Ok(()),
            ErrorMode::Ignore => {
                if let Some(line) = lock(&self.ignored_pace).failed(Instant::now()) {
                    warn!(
                        processor = %self.processor,
                        setting,
                        error = %error,
                        not_logged = line.held_back,
                        "evaluation failed; the condition or statement is skipped"
                    );
                }
                Ok(())
            }
        }
    }

    /// Records that a batch of so many items was rejected for this reason.
    pub fn rejected(&self, items: usize, reason: &dyn fmt::Display) {
        self.rejected.add(items as u64, &self.attributes);
        if let Some(line) = lock(&self.rejected_pace).failed(Instant::now()) {
            error!(
                processor = %self.processor,
                error = %reason,
                items,
                not_logged = line.held_back,
                "evaluation failed; the batch is rejected"
            );
        }
    }
}
