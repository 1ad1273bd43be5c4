//! Exponentially growing delays with jitter.

use std::time::Duration;

/// A backoff policy: the delay of each retry. The caller counts the failures, so it alone decides what resets them.
///
/// The `backon` crate draws its own random numbers; here the fraction is passed in, so a test sees exact delays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    multiplier: f64,
    jitter: (f64, f64),
}

impl Backoff {
    /// Delays that double from `first` up to `longest`, without jitter.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Backoff {
            first,
            longest,
            multiplier: 2.0,
            jitter: (1.0, 1.0),
        }
    }

    /// Multiplies the delay by this factor after each failure. A factor that is not finite leads to the longest delay.
    pub const fn multiplier(self, multiplier: f64) -> Self {
        Backoff { multiplier, ..self }
    }

    /// Spreads each delay evenly over `low * delay..high * delay`. The longest delay limits it before it is spread.
    pub const fn jitter(self, low: f64, high: f64) -> Self {
        Backoff {
            jitter: (low, high),
            ..self
        }
    }

    /// The delay after that many failures in a row, at least one. `random` in 0..1 chooses it within the jitter.
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let doublings = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let delay = scale(self.first, self.multiplier.powi(doublings)).min(self.longest);
        self.spread(delay, random)
    }

    /// The delay after a server asked to wait for `asked` (`Retry-After`): at least that, up to `longest_asked`.
    pub fn delay_asked(
        &self,
        failures: u32,
        random: f64,
        asked: Option<Duration>,
        longest_asked: Duration,
    ) -> Duration {
        let asked = asked.unwrap_or_default().min(longest_asked);
        self.delay(failures, random).max(asked)
    }

    /// Applies the jitter to another delay.
    pub fn spread(&self, delay: Duration, random: f64) -> Duration {
        let (low, high) = self.jitter;
        scale(delay, low + (high - low) * random.clamp(0.0, 1.0))
    }
}

/// `duration * factor`, without the panic of `mul_f64` for factors that are not finite or too large.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_grow_up_to_the_longest() {
        let doubling = Backoff::new(2 * SECOND, 30 * SECOND);
        let cases: [(Backoff, [f64; 6]); 4] = [
            (doubling, [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
            (doubling.multiplier(1.5), [2.0, 3.0, 4.5, 6.75, 10.125, 15.1875]),
            (doubling.multiplier(1.0), [2.0; 6]),
            (doubling.multiplier(f64::INFINITY), [2.0, 30.0, 30.0, 30.0, 30.0, 30.0]),
        ];
        for (backoff, expected) in cases {
            let delays: [f64; 6] = std::array::from_fn(|n| backoff.delay(n as u32 + 1, 0.5).as_secs_f64());
            assert_eq!(delays, expected, "{backoff:?}");
            assert_eq!(backoff.delay(0, 0.5), 2 * SECOND, "{backoff:?}");
            assert!(backoff.delay(u32::MAX, 0.5) <= 30 * SECOND, "{backoff:?}");
        }
    }

    #[test]
    fn jitter_spreads_a_delay_within_its_bounds() {
        let upper_half = Backoff::new(10 * SECOND, 10 * SECOND).jitter(0.5, 1.0);
        let around = Backoff::new(10 * SECOND, 10 * SECOND).jitter(0.5, 1.5);
        for (random, half, both) in [(0.0, 5, 5), (0.2, 6, 7), (0.5, 7, 10), (1.0, 10, 15), (7.0, 10, 15)] {
            assert_eq!(upper_half.delay(1, random).as_secs(), half);
            assert_eq!(around.delay(3, random).as_secs(), both);
        }
        assert_eq!(upper_half.spread(400 * SECOND, 0.0), 200 * SECOND);
    }

    #[test]
    fn a_server_may_ask_for_a_longer_delay_up_to_a_limit() {
        let backoff = Backoff::new(4 * SECOND, 30 * SECOND);
        let delay = |asked: Option<u64>| backoff.delay_asked(1, 0.5, asked.map(Duration::from_secs), 120 * SECOND);
        for (asked, expected) in [
            (None, 4),
            (Some(1), 4),
            (Some(7), 7),
            (Some(86_400), 120),
            (Some(u64::MAX), 120),
        ] {
            assert_eq!(delay(asked), expected * SECOND, "{asked:?}");
        }
    }
}
