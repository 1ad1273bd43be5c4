//! How often to log a failure that repeats: the first one, then at growing intervals, with the number of those that were
//! not logged. Every log line whose rate a peer controls is paced by it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Backoff;

/// The pause after the first line; it doubles with every further line.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause between two lines, and the quiet time after which the pace is reset.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

const PAUSES: Backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);

/// Selects the failures to log, and counts the others.
#[derive(Debug)]
pub struct LogPace {
    /// Lines of the current pace.
    lines: u32,
    last_line: Option<Instant>,
    last_failure: Option<Instant>,
    held_back: u64,
    /// The start of the current series of failures, and its length.
    outage: Option<(Instant, u64)>,
}

/// A failure to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The failures since the last line that were not logged.
    pub held_back: u64,
}

/// Summary of a series of failures after recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// From the first failure until the first success.
    pub lasted: Duration,
    /// The number of failures.
    pub failures: u64,
}

impl LogPace {
    /// A pace without failures.
    pub fn new() -> Self {
        LogPace {
            lines: 0,
            last_line: None,
            last_failure: None,
            held_back: 0,
            outage: None,
        }
    }

    /// Records a failure. `Some` if it is to be logged.
    pub fn failed(&mut self, now: Instant) -> Option<Line> {
        self.outage = Some(self.outage.map_or((now, 1), |(since, count)| (since, count + 1)));
        if self.last_failure.is_some_and(|last| now - last >= LONGEST_PAUSE) {
            self.lines = 0;
            self.last_line = None;
        }
        self.last_failure = Some(now);
        if self
            .last_line
            .is_some_and(|last| now - last < PAUSES.delay(self.lines, 0.5))
        {
            self.held_back += 1;
            return None;
        }
        self.lines = self.lines.saturating_add(1);
        self.last_line = Some(now);
        Some(Line {
            held_back: std::mem::take(&mut self.held_back),
        })
    }

    /// Records a success. `Some` if it ends a series of failures that was logged. The pace stays, so that a backend that
    /// flaps does not fill the log.
    pub fn worked(&mut self, now: Instant) -> Option<Over> {
        let (since, failures) = self.outage.take()?;
        let was_logged = self.last_line.is_some_and(|line| line >= since);
        was_logged.then(|| Over {
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

/// Locks a pace that several tasks share.
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
        let logged: Vec<(u64, u64)> = (0..1000)
            .filter_map(|s| {
                pace.failed(begin + Duration::from_secs(s))
                    .map(|line| (s, line.held_back))
            })
            .collect();
        assert_eq!(
            logged,
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
    fn resets_the_pace_after_a_quiet_time() {
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
