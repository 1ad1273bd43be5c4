use collector_ottl::{Condition, View};

use crate::{ErrorMode, Failures};

/// Conditions about items of one context, of which one is enough: `ConditionSequence` of the Collector's `pkg/ottl`.
#[derive(Debug)]
pub struct Conditions {
    mode: ErrorMode,
    /// Each with its path in the settings.
    conditions: Vec<(String, Condition)>,
}

impl Conditions {
    /// No condition.
    pub fn new(mode: ErrorMode) -> Self {
        Conditions {
            mode,
            conditions: Vec::new(),
        }
    }

    /// Adds a condition, with its path in the settings.
    pub fn push(&mut self, setting: String, condition: Condition) {
        self.conditions.push((setting, condition));
    }

    /// True without a condition.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// True if one of the conditions matches. A condition that cannot be evaluated does not match.
    ///
    /// # Errors
    /// The reason to reject the batch.
    pub fn any(&self, view: &View<'_>, failures: &Failures) -> Result<bool, String> {
        for (setting, condition) in &self.conditions {
            match condition.matches(view) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => failures.record(self.mode, setting, &error)?,
            }
        }
        Ok(false)
    }
}
