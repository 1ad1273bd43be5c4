//! The settings `retry_on_failure` and `sending_queue`, under the collector's names.

use serde::Deserialize;

use crate::config::{Diagnostic, Duration, Settings};

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
    pub max_elapsed_time: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            multiplier: 1.5,
            randomization_factor: 0.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
        }
    }
}

impl RetrySettings {
    /// Every mistake in the values. `key` is where they stand in the component (`retry_on_failure`).
    ///
    /// Stricter than the collector in two places: an `initial_interval` of 0 and a `multiplier` below 1 would hammer
    /// a destination that is already in trouble.
    pub fn mistakes(&self, key: &str, settings: &Settings) -> Vec<Diagnostic> {
        if !self.enabled {
            return Vec::new();
        }
        let mut mistakes = Vec::new();
        let mut wrong =
            |name: &str, message: String| mistakes.push(settings.mistake(&format!("{key}::{name}"), message));

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
        mistakes
    }
}

/// How the length of the sending queue is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sizer {
    /// In batches.
    #[default]
    Requests,
    /// In log records, metric points or spans. Not supported.
    Items,
    /// In bytes. Not supported.
    Bytes,
}

/// `sending_queue`: what waits in memory while the destination is slow. Each signal has a queue of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSettings {
    /// Whether there is a queue; without one each signal is sent one batch at a time.
    pub enabled: bool,
    /// How many batches of a signal are sent at the same time.
    pub num_consumers: usize,
    /// How many batches of a signal wait or are being sent at most.
    pub queue_size: usize,
    /// How `queue_size` is measured; only `requests`.
    pub sizer: Sizer,
    /// Whether producers wait when the queue is full; if not, new data is dropped and counted.
    ///
    /// `true` here, other than in the collector: what we send is the only notice that a Job failed, and our
    /// producers can wait (the receiver keeps what happens meanwhile by Job), so nothing is dropped by default.
    pub block_on_overflow: bool,
}

impl Default for QueueSettings {
    fn default() -> Self {
        QueueSettings {
            enabled: true,
            num_consumers: 10,
            queue_size: 1000,
            sizer: Sizer::Requests,
            block_on_overflow: true,
        }
    }
}

impl QueueSettings {
    /// Every mistake in the values. `key` is where they stand in the component (`sending_queue`).
    pub fn mistakes(&self, key: &str, settings: &Settings) -> Vec<Diagnostic> {
        if !self.enabled {
            return Vec::new();
        }
        let mut mistakes = Vec::new();
        let mut wrong = |name: &str, message: &str| mistakes.push(settings.mistake(&format!("{key}::{name}"), message));
        if self.num_consumers == 0 {
            wrong("num_consumers", "`num_consumers` must be positive");
        }
        if self.queue_size == 0 {
            wrong("queue_size", "`queue_size` must be positive");
        }
        if self.sizer != Sizer::Requests {
            wrong("sizer", "only the sizer `requests` is supported, which counts batches");
        }
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Component {
        retry_on_failure: RetrySettings,
        sending_queue: QueueSettings,
    }

    fn mistakes(yaml: &str) -> Vec<String> {
        let settings = Settings::from_yaml(yaml).unwrap();
        let component: Component = settings.read().unwrap();
        let mut mistakes = component.retry_on_failure.mistakes("retry_on_failure", &settings);
        mistakes.extend(component.sending_queue.mistakes("sending_queue", &settings));
        let shown = mistakes.into_iter().map(|mistake| {
            let line = mistake.position.map(|position| position.line).unwrap_or_default();
            format!("{line}: {}: {}", mistake.path, mistake.message)
        });
        shown.collect()
    }

    #[test]
    fn the_defaults_are_the_collectors_but_nothing_is_dropped() {
        assert_eq!(mistakes("{}"), [""; 0]);
        let queue = QueueSettings::default();
        assert_eq!(
            (queue.num_consumers, queue.queue_size, queue.block_on_overflow),
            (10, 1000, true)
        );
    }

    #[test]
    fn each_mistake_is_told_at_its_place() {
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
            assert_eq!(mistakes(&format!("retry_on_failure:\n  {yaml}")), [expected]);
            let off = format!("retry_on_failure:\n  {yaml}\n  enabled: false");
            assert_eq!(mistakes(&off), [""; 0], "what is off need not be right");
        }
        for (yaml, expected) in [
            ("num_consumers: 0", "`num_consumers` must be positive"),
            ("queue_size: 0", "`queue_size` must be positive"),
            (
                "sizer: bytes",
                "only the sizer `requests` is supported, which counts batches",
            ),
        ] {
            let (key, _) = yaml.split_once(':').unwrap();
            let expected = format!("2: sending_queue::{key}: {expected}");
            assert_eq!(mistakes(&format!("sending_queue:\n  {yaml}")), [expected]);
        }
    }
}
