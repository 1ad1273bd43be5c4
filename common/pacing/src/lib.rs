//! How often to log a failure that goes on or repeats: the first one, then at growing intervals, with the number of
//! those that were not logged. Every log line whose rate a peer controls is paced by it. Pure: time is passed in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first line; it doubles with every further line.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause between two lines, and the quiet time after which the pace is reset.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Lets the first failure through, then one at growing pauses, and knows how many were kept back.
#[derive(Debug)]
pub struct LogPace {
    pause: Duration,
    last_line: Option<Instant>,
    last_failure: Option<Instant>,
    held_back: u64,
    /// Since when, and how often, nothing else but failures.
    outage: Option<(Instant, u64)>,
}

/// A line may be written, and this many failures since the last line were not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Failures since the last line that were not written.
    pub held_back: u64,
}

/// Summary of a series of failures after recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// From the first failure of the series until something worked.
    pub lasted: Duration,
    /// How many failures it had.
    pub failures: u64,
}

impl LogPace {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        LogPace {
            pause: FIRST_PAUSE,
            last_line: None,
            last_failure: None,
            held_back: 0,
            outage: None,
        }
    }

    /// One more failure; `Some` if a line should be written about it.
    pub fn failed(&mut self, now: Instant) -> Option<Line> {
        self.outage = Some(self.outage.map_or((now, 1), |(since, count)| (since, count + 1)));
        if self.last_failure.is_some_and(|last| now - last >= LONGEST_PAUSE) {
            self.pause = FIRST_PAUSE;
            self.last_line = None;
        }
        self.last_failure = Some(now);
        if let Some(last) = self.last_line {
            if now - last < self.pause {
                self.held_back += 1;
                return None;
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        self.last_line = Some(now);
        Some(Line {
            held_back: std::mem::take(&mut self.held_back),
        })
    }

    /// Something worked; `Some` if that ends a series of failures of which the log knows. The pace is kept, so that
    /// a destination that flaps does not fill the log.
    pub fn worked(&mut self, now: Instant) -> Option<Over> {
        let (since, failures) = self.outage.take()?;
        let told = self.last_line.is_some_and(|line| line >= since);
        told.then(|| Over {
            lasted: now - since,
            failures,
        })
    }
}

impl Default for LogPace {
    fn default() -> Self {
        LogPace::new()
    }
}

/// The pace, which several tasks share.
pub fn lock(pace: &Mutex<LogPace>) -> MutexGuard<'_, LogPace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_the_first_failure_then_fewer() {
        let begin = Instant::now();
        let mut pace = LogPace::new();
        let told: Vec<(u64, u64)> = (0..1000)
            .filter_map(|s| {
                pace.failed(begin + Duration::from_secs(s))
                    .map(|line| (s, line.held_back))
            })
            .collect();
        assert_eq!(
            told,
            [
                (0, 0),
                (10, 9),
                (30, 19),
                (70, 39),
                (150, 79),
                (310, 159),
                (610, 299),
                (910, 299)
            ]
        );
    }

    #[test]
    fn logs_recovery_once_with_duration() {
        let begin = Instant::now();
        let mut pace = LogPace::new();
        assert_eq!(pace.worked(begin), None);
        pace.failed(begin);
        pace.failed(begin + Duration::from_secs(3));
        let over = Over {
            lasted: Duration::from_secs(5),
            failures: 2,
        };
        assert_eq!(pace.worked(begin + Duration::from_secs(5)), Some(over));
        assert_eq!(pace.worked(begin + Duration::from_secs(6)), None);
    }

    #[test]
    fn flapping_does_not_fill_the_log() {
        let begin = Instant::now();
        let mut pace = LogPace::new();
        let mut lines = 0;
        for s in 0..100 {
            let now = begin + Duration::from_secs(s);
            lines += u32::from(pace.failed(now).is_some());
            lines += u32::from(pace.worked(now).is_some());
        }
        assert_eq!(
            lines, 8,
            "four failures logged at 0, 10, 30 and 70 s, each with its recovery"
        );
    }

    #[test]
    fn after_a_quiet_time_the_pace_begins_anew() {
        let begin = Instant::now();
        let mut pace = LogPace::new();
        for s in 0..100 {
            pace.failed(begin + Duration::from_secs(s));
        }
        pace.worked(begin + Duration::from_secs(100));
        let later = begin + Duration::from_secs(100) + LONGEST_PAUSE;
        assert!(pace.failed(later).is_some());
        assert!(pace.failed(later + FIRST_PAUSE).is_some());
    }
}
