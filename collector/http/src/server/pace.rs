//! How often an error that repeats is logged. Pure: time is passed in.

use std::time::{Duration, Instant};

/// The time between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// Lets one line a minute through and counts the others.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
    suppressed: u64,
}

impl Pace {
    /// One more error; `Some` with the number of errors since the last line if it is time for another.
    pub fn failed(&mut self, now: Instant) -> Option<u64> {
        if self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < PAUSE)
        {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_error_is_logged_once_a_minute() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        let lines: Vec<(u64, u64)> = (0..1300)
            .filter_map(|n| Some((n, pace.failed(begin + Duration::from_millis(100 * n))?)))
            .collect();
        assert_eq!(lines, [(0, 0), (600, 599), (1200, 599)]);
    }
}
