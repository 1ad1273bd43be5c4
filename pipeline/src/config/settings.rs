//! One component's settings.

use serde::de::DeserializeOwned;

use super::diagnostics::{Diagnostic, Diagnostics};

/// One component's settings: part of the configuration, positions included.
#[derive(Clone, Debug)]
pub struct Settings {}

impl Settings {
    /// Settings from a YAML text, for tests of a component.
    ///
    /// # Errors
    /// If the text is not YAML.
    pub fn from_yaml(_text: &str) -> Result<Settings, Diagnostics> {
        Ok(Settings {})
    }

    /// Reads the settings into a component's own type.
    ///
    /// # Errors
    /// Every unknown key and wrong type, with its position.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Diagnostics> {
        Err(Diagnostics::default())
    }

    /// A mistake in the value of a key, for checks that the type alone cannot express. `path` is relative to the
    /// component, parts separated by `::` (`retry_on_failure::max_interval`); empty means the component itself.
    pub fn mistake(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            position: None,
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }
}
