//! The settings `retry_on_failure`, under the collector's names.

use serde::Deserialize;

use collector_config::{Diagnostic, Duration, Settings};

/// A longer wait between two attempts is a slip.
const LONGEST_INTERVAL: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// `retry_on_failure`: when and how often to try again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// Whether to try again at all; if not, data that does not arrive at once is dropped.
    pub enabled: bool,
    /// The wait after the first failure.
    pub initial_interval: Duration,
    /// By how much each wait is longer than the one before.
    pub multiplier: f64,
    /// By how much chance changes each wait: `interval * (1 ± randomization_factor)`.
    pub randomization_factor: f64,
    /// The longest wait, before chance changes it.
    pub max_interval: Duration,
    /// How long to try, from the first attempt on, before the data is dropped; 0: forever.
    ///
    /// Forever by default, other than in the collector, which gives up after five minutes: an event is the only notice
    /// that a Job failed. The queue bounds what waits.
    pub max_elapsed_time: Duration,
    /// Whether to try again when the destination refuses everything, whatever the data: a wrong key, a wrong address.
    ///
    /// The collector gives such data up at once, as OTLP says. A key that was rotated wrongly at night is put right in
    /// the morning, so here it waits in the queue like any other data.
    pub misconfigured: bool,
    /// Status codes after which data is given up instead of tried again. The exporter knows which codes there are.
    ///
    /// The collector has no such key, and retries fewer codes.
    pub non_retryable_status_codes: Vec<String>,
    /// Metric points older than this are not sent any more, but dropped and counted; 0: every point is sent.
    ///
    /// The collector has no such key: a backend that takes points of the last hour only refuses older ones or, worse,
    /// accepts and forgets them, so after a long outage nobody would know what is missing.
    pub max_metric_point_age: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            multiplier: 1.5,
            randomization_factor: 0.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(0),
            misconfigured: true,
            non_retryable_status_codes: Vec::new(),
            max_metric_point_age: Duration::from_secs(0),
        }
    }
}

impl RetrySettings {
    /// Every error in the values. `key` is where they stand in the component (`retry_on_failure`).
    ///
    /// Stricter than the collector in two places: an `initial_interval` of 0 and a `multiplier` below 1 would hammer
    /// a destination that is already in trouble.
    pub fn errors(&self, key: &str, settings: &Settings) -> Vec<Diagnostic> {
        if !self.enabled {
            return Vec::new();
        }
        let mut errors = Vec::new();
        let mut wrong = |name: &str, message: String| errors.push(settings.error(&format!("{key}::{name}"), message));

        let initial = self.initial_interval.get();
        let max_interval = self.max_interval.get();
        let max_elapsed = self.max_elapsed_time.get();
        if initial.is_zero() {
            wrong("initial_interval", "'initial_interval' must be greater than 0".into());
        }
        if self.multiplier.is_nan() || self.multiplier < 1.0 {
            let found = self.multiplier;
            wrong("multiplier", format!("'multiplier' must be at least 1, found {found}"));
        }
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            let found = self.randomization_factor;
            wrong(
                "randomization_factor",
                format!("'randomization_factor' must be within [0, 1], found {found}"),
            );
        }
        if max_interval < initial {
            wrong(
                "max_interval",
                "'max_interval' must not be less than 'initial_interval'".into(),
            );
        }
        if max_interval > LONGEST_INTERVAL {
            wrong(
                "max_interval",
                format!("found {}, expected at most 24h", self.max_interval),
            );
        }
        if !max_elapsed.is_zero() {
            if max_elapsed < initial {
                wrong(
                    "max_elapsed_time",
                    "'max_elapsed_time' must not be less than 'initial_interval'".into(),
                );
            } else if max_elapsed < max_interval {
                wrong(
                    "max_elapsed_time",
                    "'max_elapsed_time' must not be less than 'max_interval'".into(),
                );
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Component {
        retry_on_failure: RetrySettings,
    }

    fn errors(yaml: &str) -> Vec<String> {
        let settings = Settings::from_yaml(yaml).unwrap();
        let component: Component = settings.read().unwrap();
        let errors = component.retry_on_failure.errors("retry_on_failure", &settings);
        let shown = errors.into_iter().map(|error| {
            let line = error.position.map(|position| position.line).unwrap_or_default();
            format!("{line}: {}: {}", error.path, error.message)
        });
        shown.collect()
    }

    #[test]
    fn the_defaults_hold_no_error() {
        assert_eq!(errors("{}"), [""; 0]);
    }

    #[test]
    fn each_error_is_told_at_its_place() {
        for (yaml, expected) in [
            ("initial_interval: 0s", "'initial_interval' must be greater than 0"),
            ("multiplier: 0.9", "'multiplier' must be at least 1, found 0.9"),
            ("multiplier: .nan", "'multiplier' must be at least 1, found NaN"),
            (
                "randomization_factor: 1.1",
                "'randomization_factor' must be within [0, 1], found 1.1",
            ),
            (
                "max_interval: 4s",
                "'max_interval' must not be less than 'initial_interval'",
            ),
            ("max_interval: 25h", "found 25h, expected at most 24h"),
            (
                "max_elapsed_time: 4s",
                "'max_elapsed_time' must not be less than 'initial_interval'",
            ),
            (
                "max_elapsed_time: 20s",
                "'max_elapsed_time' must not be less than 'max_interval'",
            ),
        ] {
            let (key, _) = yaml.split_once(':').unwrap();
            let expected = format!("2: retry_on_failure::{key}: {expected}");
            assert_eq!(errors(&format!("retry_on_failure:\n  {yaml}")), [expected]);
            let off = format!("retry_on_failure:\n  {yaml}\n  enabled: false");
            assert_eq!(errors(&off), [""; 0], "what is off need not be right");
        }
    }
}
