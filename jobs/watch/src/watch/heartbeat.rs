//! When a watch that says nothing is given up. Pure: no I/O, no clock, randomness passed in.
//!
//! A connection can die without a word. Where the API server keeps a watch cache it sends a bookmark about once a
//! minute, so silence tells soon. Where it does not (Events; some servers behind proxies) silence is normal, and the
//! watch is asked to be short instead: a short watch whose end does not come is dead too. Which of the two it is, is
//! learned from what is seen, and forgotten when a bookmark fails to come.

use std::ops::Range;
use std::time::Duration;

/// How long a watch is asked to last whose silence tells, seconds; spread so that watches do not all end together.
const LONG: Range<u64> = 240..300;
/// How long a watch is asked to last whose silence says nothing, seconds. Longer than the time between two bookmarks,
/// which is up to 75 s, so that it is learned whether they come.
const SHORT: Range<u64> = 90..120;
/// How long a watch with bookmarks may be silent, seconds.
const PATIENCE: Range<u64> = 90..100;
/// How much longer than asked a watch may last.
pub const GRACE: Duration = Duration::from_secs(15);
/// A bookmark that comes this short before the end that was asked for belongs to the end, and says nothing about
/// those in between.
const FAREWELL: Duration = Duration::from_secs(5);

/// Whether bookmarks come.
#[derive(Debug, Default)]
pub struct Heartbeat {
    bookmarks: bool,
}

impl Heartbeat {
    /// How long the next watch is asked to last, whole seconds. `jitter` in 0..1.
    pub fn timeout(&self, jitter: f64) -> Duration {
        within(if self.bookmarks { LONG } else { SHORT }, jitter)
    }

    /// How long the next watch may say nothing; `None` if only its end is waited for. `jitter` in 0..1.
    pub fn patience(&self, jitter: f64) -> Option<Duration> {
        self.bookmarks.then(|| within(PATIENCE, jitter))
    }

    /// A bookmark came, `left` before the end that was asked for.
    pub fn bookmark(&mut self, left: Duration) {
        if left > FAREWELL {
            self.bookmarks = true;
        }
    }

    /// No bookmark came for as long as one may be silent. The connection is dead, or this server sends none (any
    /// more): the next watch is a short one, which is right for both.
    pub fn missed(&mut self) {
        self.bookmarks = false;
    }
}

fn within(seconds: Range<u64>, jitter: f64) -> Duration {
    let span = (seconds.end - seconds.start) as f64;
    Duration::from_secs(seconds.start + (jitter.clamp(0.0, 1.0) * span) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn silence_is_bounded_whether_bookmarks_come_or_not() {
        let mut heartbeat = Heartbeat::default();
        assert_eq!(heartbeat.patience(0.5), None);
        assert!(heartbeat.timeout(1.0) + GRACE <= Duration::from_secs(135));
        heartbeat.bookmark(MINUTE);
        assert!(heartbeat.patience(1.0) <= Some(Duration::from_secs(100)));
        assert_eq!(heartbeat.timeout(0.0), Duration::from_secs(240));
    }

    #[test]
    fn bookmarks_are_only_expected_where_they_come() {
        let mut heartbeat = Heartbeat::default();
        // The last word of a watch, from a server that sends no other bookmarks.
        heartbeat.bookmark(Duration::from_secs(2));
        assert_eq!(heartbeat.patience(0.0), None);
        heartbeat.bookmark(MINUTE);
        assert_eq!(heartbeat.patience(0.0), Some(Duration::from_secs(90)));
        heartbeat.missed();
        assert_eq!(heartbeat.patience(0.0), None);
        assert_eq!(heartbeat.timeout(0.0), Duration::from_secs(90));
    }

    #[test]
    fn watches_are_spread() {
        let heartbeat = Heartbeat { bookmarks: true };
        assert_eq!(heartbeat.timeout(0.5), Duration::from_secs(270));
        assert_eq!(heartbeat.patience(0.5), Some(Duration::from_secs(95)));
        assert_eq!(heartbeat.timeout(7.0), Duration::from_secs(300), "not beyond the range");
    }
}
