//! The settings `retry_on_failure`, with the Collector's keys.

use pacing::Backoff;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use collector_config::{Diagnostic, Duration, Settings};

/// The longest wait that a backend can ask for, unless `max_interval` is longer. A faulty backend may ask for years.
const LONGEST_ASKED: std::time::Duration = std::time::Duration::from_secs(30);
/// A longer wait between two attempts is an error.
const LONGEST_INTERVAL: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// `retry_on_failure`: when and how often to retry.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend(
    "if" = {"properties": {"enabled": {"enum": [true, null]}}},
    "then" = {"properties": {"multiplier": {"minimum": 1}, "randomization_factor": {"minimum": 0, "maximum": 1}}}
))]
pub struct RetrySettings {
    /// Retries failed requests. Without retries data that is not accepted at once is dropped.
    pub enabled: bool,
    /// The delay after the first failure, more than 0.
    pub initial_interval: Duration,
    /// The factor by which each delay grows, at least 1.
    pub multiplier: f64,
    /// The random part of each delay, 0 to 1.
    pub randomization_factor: f64,
    /// The longest delay, before randomization. It is at least `initial_interval` and at most 24h.
    pub max_interval: Duration,
    /// How long data is retried before it is dropped; 0: without limit. The last attempt begins when this time has passed.
    ///
    /// Never by default, unlike in the Collector, which gives up after five minutes: an event is the only report of a
    /// failed Job. The queue bounds the waiting data.
    pub max_elapsed_time: Duration,
    /// Retries when the backend refuses every request, because of a wrong key or address; otherwise that data is dropped at
    /// once.
    ///
    /// The Collector drops such data at once, as OTLP says. A wrongly rotated key is corrected some hours later, so here
    /// the data waits in the queue like any other.
    pub misconfigured: bool,
    /// Responses after which data is dropped instead of retried: HTTP status codes such as 500, and for gRPC also names such
    /// as `INTERNAL`.
    ///
    /// The Collector has no such key, and retries fewer codes.
    #[schemars(schema_with = "status_codes")]
    pub non_retryable_status_codes: Vec<String>,
    /// Metric points older than this are dropped and counted instead of sent; 0: every point is sent.
    ///
    /// The Collector has no such key. A backend that takes points of the last hour only refuses older ones or, worse,
    /// accepts and discards them, so the loss of a long outage would stay unknown.
    pub max_metric_point_age: Duration,
}

/// HTTP status codes, and names of gRPC codes.
fn status_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": ["integer", "string"],
            "minimum": 300,
            "maximum": 599,
            "pattern": "^([345][0-9][0-9]|[A-Za-z]+(_[A-Za-z]+)*)$",
            "patternErrorMessage": "expected an HTTP status code such as 500, or for gRPC a name such as `INTERNAL`",
        },
    })
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
    /// The wait before the next attempt; `None` once `max_elapsed_time` has passed since the first attempt began, which is
    /// `elapsed` ago. The last attempt begins at that moment, whatever wait was computed or asked for.
    ///
    /// `asked` is the wait that the backend asked for (`Retry-After`, `RetryInfo`): a minimum, limited to 30 s or
    /// `max_interval`, whichever is longer. `random` in 0..1 chooses the wait from
    /// `interval * (1 ± randomization_factor)`.
    pub(crate) fn delay(
        &self,
        failures: u32,
        elapsed: std::time::Duration,
        asked: Option<std::time::Duration>,
        random: f64,
    ) -> Option<std::time::Duration> {
        if !self.enabled {
            return None;
        }
        let longest = self.max_interval.get();
        let factor = self.randomization_factor;
        let backoff = Backoff::new(self.initial_interval.get(), longest)
            .multiplier(self.multiplier)
            .jitter(1.0 - factor, 1.0 + factor);
        let delay = backoff.delay_asked(failures, random, asked, longest.max(LONGEST_ASKED));
        let limit = self.max_elapsed_time.get();
        match limit.checked_sub(elapsed).filter(|left| !left.is_zero()) {
            _ if limit.is_zero() => Some(delay),
            left => left.map(|left| delay.min(left)),
        }
    }

    /// Every error in the values. `key` is their key in the component (`retry_on_failure`).
    ///
    /// Stricter than the Collector in two places: an `initial_interval` of 0 and a `multiplier` below 1 would overload a
    /// backend that is already failing.
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
    fn the_defaults_are_valid() {
        assert_eq!(errors("{}"), [""; 0]);
    }

    #[test]
    fn each_error_has_its_position() {
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
            assert_eq!(errors(&off), [""; 0], "disabled settings are not checked");
        }
    }

    fn seconds(seconds: u64) -> std::time::Duration {
        std::time::Duration::from_secs(seconds)
    }

    #[test]
    fn waits_grow_by_the_multiplier_with_jitter() {
        let settings = RetrySettings::default();
        let wait = |failures, random| {
            settings
                .delay(failures, seconds(0), None, random)
                .unwrap()
                .as_secs_f64()
        };
        let waits: Vec<f64> = (1..8).map(|failures| wait(failures, 0.5)).collect();
        assert_eq!(waits, [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0]);
        assert_eq!((wait(1, 0.0), wait(1, 1.0)), (2.5, 7.5));
    }

    #[test]
    fn a_wait_that_the_backend_asks_for_is_a_bounded_minimum() {
        for (max_interval, longest) in [(1, 30), (30, 30), (120, 120)] {
            let settings = RetrySettings {
                initial_interval: Duration::from_secs(1),
                max_interval: Duration::from_secs(max_interval),
                ..RetrySettings::default()
            };
            let wait = |asked| settings.delay(1, seconds(0), Some(asked), 0.5);
            assert_eq!(wait(seconds(0)), Some(seconds(1)), "the own wait is longer");
            assert_eq!(wait(seconds(20)), Some(seconds(20)));
            for asked in [seconds(longest + 1), seconds(999_999_999), std::time::Duration::MAX] {
                assert_eq!(wait(asked), Some(seconds(longest)));
            }
        }
    }

    #[test]
    fn the_last_attempt_begins_at_max_elapsed_time() {
        let settings = RetrySettings {
            max_elapsed_time: Duration::from_secs(300),
            ..RetrySettings::default()
        };
        for (elapsed, asked, expected) in [
            (290, None, Some(5)),
            (298, None, Some(2)),
            (298, Some(999), Some(2)),
            (300, None, None),
            (1000, Some(0), None),
        ] {
            let delay = settings.delay(1, seconds(elapsed), asked.map(seconds), 0.5);
            assert_eq!(delay, expected.map(seconds), "{elapsed} {asked:?}");
        }
        let forever = RetrySettings::default();
        assert!(forever.delay(9, std::time::Duration::MAX, None, 1.0).is_some());
        let never = RetrySettings {
            enabled: false,
            ..RetrySettings::default()
        };
        assert_eq!(never.delay(1, seconds(0), None, 0.5), None);
    }
}
