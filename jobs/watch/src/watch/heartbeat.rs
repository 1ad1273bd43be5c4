//! When a silent watch counts as dead. Pure: no I/O, no clock, randomness passed in.
//!
//! A connection can die without an error. An API server with a watch cache sends a bookmark about once a minute, so a
//! silent watch is dead. Without one (Events; some servers behind proxies) silence is normal, so the requested watch is
//! short: a short watch that does not end is dead. The heartbeat learns from received bookmarks which case it is, and
//! forgets it when a bookmark is missing.

use std::ops::Range;
use std::time::Duration;

/// The requested length of a watch with bookmarks, seconds; spread so that watches do not all end together.
const LONG: Range<u64> = 240..300;
/// The requested length of a watch without bookmarks, seconds. Longer than the time between two bookmarks, up to 75 s, so
/// that a bookmark can arrive.
const SHORT: Range<u64> = 90..120;
/// The allowed silence of a watch with bookmarks, seconds.
const PATIENCE: Range<u64> = 90..100;
/// The requested length of a streaming list and the watch that follows it, seconds. A million objects take more than a minute.
const LIST: Range<u64> = 240..300;
/// The length of a watch that follows a streaming list on its connection until a bookmark arrives, seconds. Together with
/// the next watch it is shorter than a silence that counts as an error.
const FIRST: Range<u64> = 80..100;
/// The time that a watch may last beyond its requested end.
pub(super) const GRACE: Duration = Duration::from_secs(15);
/// A bookmark this short before the requested end belongs to the end, and is no sign of regular bookmarks.
const FAREWELL: Duration = Duration::from_secs(5);

/// The bookmarks of one list and watch.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    bookmarks: bool,
}

impl Heartbeat {
    /// The requested length of the next watch, whole seconds. `jitter` in 0..1.
    pub(super) fn timeout(&self, jitter: f64) -> Duration {
        within(if self.bookmarks { LONG } else { SHORT }, jitter)
    }

    /// The requested length of the next streaming list and the watch that follows it, whole seconds. `jitter` in 0..1.
    pub(super) fn list_timeout(jitter: f64) -> Duration {
        within(LIST, jitter)
    }

    /// The length of a watch that follows a streaming list on its connection; `None` if bookmarks show that it lives.
    pub(super) fn first_watch(&self, jitter: f64) -> Option<Duration> {
        (!self.bookmarks).then(|| within(FIRST, jitter))
    }

    /// The allowed silence of the next watch; `None` up to its end. `jitter` in 0..1.
    pub(super) fn patience(&self, jitter: f64) -> Option<Duration> {
        self.bookmarks.then(|| within(PATIENCE, jitter))
    }

    /// Records a bookmark, `left` before the requested end.
    pub(super) fn bookmark(&mut self, left: Duration) {
        if left > FAREWELL {
            self.bookmarks = true;
        }
    }

    /// Records a missing bookmark. The connection is dead, or the server has stopped sending them: a short watch next fits
    /// both.
    pub(super) fn missed(&mut self) {
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
    fn bounds_silence_with_and_without_bookmarks() {
        let mut heartbeat = Heartbeat::default();
        assert_eq!(heartbeat.patience(0.5), None);
        assert!(heartbeat.timeout(1.0) + GRACE <= Duration::from_secs(135));
        heartbeat.bookmark(MINUTE);
        assert!(heartbeat.patience(1.0) <= Some(Duration::from_secs(100)));
        assert_eq!(heartbeat.timeout(0.0), Duration::from_secs(240));
    }

    #[test]
    fn expects_bookmarks_after_the_first_one() {
        let mut heartbeat = Heartbeat::default();
        // The last event of a watch, from a server that sends no other bookmarks.
        heartbeat.bookmark(Duration::from_secs(2));
        assert_eq!(heartbeat.patience(0.0), None);
        heartbeat.bookmark(MINUTE);
        assert_eq!(heartbeat.patience(0.0), Some(Duration::from_secs(90)));
        heartbeat.missed();
        assert_eq!(heartbeat.patience(0.0), None);
        assert_eq!(heartbeat.timeout(0.0), Duration::from_secs(90));
    }

    #[test]
    fn a_watch_after_a_list_is_short_without_bookmarks() {
        let mut heartbeat = Heartbeat::default();
        let first = heartbeat.first_watch(1.0).unwrap();
        assert!(first > Duration::from_secs(75) && first + heartbeat.timeout(1.0) < 4 * MINUTE);
        heartbeat.bookmark(MINUTE);
        assert_eq!(heartbeat.first_watch(1.0), None);
        assert!(Heartbeat::list_timeout(0.0) >= 4 * MINUTE);
    }

    #[test]
    fn watches_are_spread() {
        let heartbeat = Heartbeat { bookmarks: true };
        assert_eq!(heartbeat.timeout(0.5), Duration::from_secs(270));
        assert_eq!(heartbeat.patience(0.5), Some(Duration::from_secs(95)));
        assert_eq!(heartbeat.timeout(7.0), Duration::from_secs(300), "not beyond the range");
    }
}
