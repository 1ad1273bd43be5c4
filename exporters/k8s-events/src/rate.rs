//! `rate` and `burst`: a token bucket.

use std::time::Duration;

use tokio::time::Instant;

/// Admits `rate` requests per second on average, and `burst` of them at once.
#[derive(Debug)]
pub(crate) struct Rate {
    /// The time that one request takes up.
    interval: Duration,
    /// The time that unused requests may add up to.
    tolerance: Duration,
    /// When the bucket is full again.
    full: Option<Instant>,
}

impl Rate {
    /// `rate` is positive, `burst` is 1 or more.
    pub(crate) fn new(rate: f64, burst: u32) -> Rate {
        let interval = Duration::from_secs_f64(1.0 / rate);
        Rate {
            interval,
            tolerance: interval.saturating_mul(burst.saturating_sub(1)),
            full: None,
        }
    }

    /// Admits one request; returns how long it waits.
    pub(crate) fn admit(&mut self, now: Instant) -> Duration {
        let full = self.full.map_or(now, |full| full.max(now));
        self.full = Some(full + self.interval);
        full.saturating_duration_since(now).saturating_sub(self.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` requests that arrive at once is sent, in milliseconds.
    fn sent(rate: &mut Rate, count: usize, now: Instant) -> Vec<u128> {
        (0..count).map(|_| rate.admit(now).as_millis()).collect()
    }

    #[test]
    fn a_burst_passes_and_the_rest_is_spread() {
        let start = Instant::now();
        let mut rate = Rate::new(10.0, 3);
        assert_eq!(sent(&mut rate, 6, start), [0, 0, 0, 100, 200, 300]);
        // After 300 ms everything is sent, after 600 ms the burst is available again.
        assert_eq!(sent(&mut rate, 2, start + Duration::from_millis(500)), [0, 0]);
        assert_eq!(sent(&mut rate, 2, start + Duration::from_millis(500)), [100, 200]);
        assert_eq!(sent(&mut rate, 4, start + Duration::from_secs(60)), [0, 0, 0, 100]);
    }

    #[test]
    fn a_fraction_of_a_request_per_second_is_possible() {
        let now = Instant::now();
        assert_eq!(sent(&mut Rate::new(0.5, 1), 3, now), [0, 2000, 4000]);
    }
}
