//! How long to wait before the next attempt. Pure: time and randomness are passed in.

use std::time::Duration;

use super::retry_settings::RetrySettings;

/// The longest wait that a destination gets by asking for it, unless `max_interval` is longer. It may ask for years, by
/// error, while it works again a second later.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// Exponentially growing waits with jitter, as the collector's `retry_on_failure` makes them.
#[derive(Clone, Debug)]
pub struct Backoff {
    multiplier: f64,
    randomization_factor: f64,
    max_interval: Duration,
    /// The longest wait that a destination gets by asking for it.
    longest_asked: Duration,
    /// After how long to give up, measured from the first attempt; `None`: never.
    max_elapsed: Option<Duration>,
    interval: Duration,
}

impl Backoff {
    /// Waits for one request, beginning with `initial_interval`.
    pub fn new(settings: &RetrySettings) -> Self {
        let max_elapsed = settings.max_elapsed_time.get();
        Backoff {
            multiplier: settings.multiplier,
            randomization_factor: settings.randomization_factor,
            max_interval: settings.max_interval.get(),
            longest_asked: settings.max_interval.get().max(LONGEST_ASKED),
            max_elapsed: (!max_elapsed.is_zero()).then_some(max_elapsed),
            interval: settings.initial_interval.get().min(settings.max_interval.get()),
        }
    }

    /// The wait before the next attempt, or `None` to give up, which is when `max_elapsed_time` has passed since the first
    /// one. The last attempt begins at that moment, whatever wait came out or was asked for.
    ///
    /// `elapsed` is the time since the first attempt began. `at_least` is what the destination asked for
    /// (`Retry-After`, `RetryInfo`): a minimum, so a longer wait of our own stays; it is cut to 30 s or `max_interval`,
    /// whichever is longer. `random` is evenly spread over 0..1 and chooses the wait from
    /// `interval * (1 ± randomization_factor)`.
    pub fn next(&mut self, elapsed: Duration, at_least: Option<Duration>, random: f64) -> Option<Duration> {
        let spread = 1.0 + self.randomization_factor * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        let own = scale(self.interval, spread);
        self.interval = scale(self.interval, self.multiplier).min(self.max_interval);

        let wait = own.max(at_least.unwrap_or_default().min(self.longest_asked));
        match self.max_elapsed {
            Some(limit) if elapsed >= limit => None,
            Some(limit) => Some(wait.min(limit - elapsed)),
            None => Some(wait),
        }
    }
}

/// `duration * factor`, without the panic of `mul_f64` for factors that are not finite or too large.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(settings: &RetrySettings, random: f64, count: usize) -> Vec<f64> {
        let mut backoff = Backoff::new(settings);
        (0..count)
            .map_while(|_| backoff.next(Duration::ZERO, None, random))
            .map(|wait| wait.as_secs_f64())
            .collect()
    }

    #[test]
    fn it_grows_by_the_multiplier_up_to_the_maximum() {
        let expected = [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0];
        let got = waits(&RetrySettings::default(), 0.5, 7);
        assert!(
            got.iter().zip(expected).all(|(got, want)| (got - want).abs() < 1e-6),
            "{got:?}"
        );
    }

    #[test]
    fn jitter_stays_within_the_randomization_factor() {
        assert_eq!(waits(&RetrySettings::default(), 0.0, 1), [2.5]);
        assert_eq!(waits(&RetrySettings::default(), 1.0, 1), [7.5]);
    }

    #[test]
    fn the_wait_that_a_destination_asks_for_is_a_minimum() {
        let mut backoff = Backoff::new(&RetrySettings::default());
        let asked = Some(Duration::from_secs(20));
        assert_eq!(backoff.next(Duration::ZERO, asked, 0.5), asked);
        // Our own second wait is 7.5 s; one second from the destination does not shorten it.
        let asked = Some(Duration::from_secs(1));
        assert_eq!(
            backoff.next(Duration::ZERO, asked, 0.5),
            Some(Duration::from_millis(7500))
        );
    }

    #[test]
    fn the_wait_that_a_destination_asks_for_is_bounded() {
        for (max_interval, longest) in [(1, 30), (30, 30), (120, 120)] {
            let settings = RetrySettings {
                initial_interval: collector_config::Duration::from_secs(1),
                max_interval: collector_config::Duration::from_secs(max_interval),
                ..RetrySettings::default()
            };
            for asked in [
                Duration::from_secs(longest + 1),
                Duration::from_secs(999_999_999),
                Duration::MAX,
            ] {
                let wait = Backoff::new(&settings).next(Duration::ZERO, Some(asked), 0.5);
                assert_eq!(wait, Some(Duration::from_secs(longest)));
            }
        }
    }

    #[test]
    fn the_last_attempt_begins_at_max_elapsed_time() {
        let settings = RetrySettings {
            max_elapsed_time: collector_config::Duration::from_secs(300),
            ..RetrySettings::default()
        };
        let next = |elapsed, asked: Option<u64>| {
            let asked = asked.map(Duration::from_secs);
            let wait = Backoff::new(&settings).next(Duration::from_secs(elapsed), asked, 0.5);
            wait.map(|wait| wait.as_secs())
        };
        assert_eq!(next(290, None), Some(5));
        assert_eq!(next(298, None), Some(2));
        assert_eq!(
            next(298, Some(999)),
            Some(2),
            "a long Retry-After does not end the retries"
        );
        assert_eq!(next(300, None), None);
        assert_eq!(next(1000, Some(0)), None);
    }

    #[test]
    fn zero_max_elapsed_time_never_gives_up() {
        let settings = RetrySettings {
            max_elapsed_time: collector_config::Duration::from_secs(0),
            ..RetrySettings::default()
        };
        let mut backoff = Backoff::new(&settings);
        assert!(backoff.next(Duration::MAX, Some(Duration::MAX), 1.0).is_some());
    }

    #[test]
    fn extreme_factors_do_not_panic() {
        let settings = RetrySettings {
            multiplier: f64::INFINITY,
            max_interval: collector_config::Duration::from_secs(60),
            ..RetrySettings::default()
        };
        assert_eq!(waits(&settings, 0.5, 3), [5.0, 60.0, 60.0]);
    }
}
