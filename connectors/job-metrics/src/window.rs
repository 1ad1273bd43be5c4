//! Windows on whole seconds, one after the other.
//!
//! A backend such as Datadog keeps one point for each series and second and loses the earlier of two. So no two
//! windows end in the same second, even if the second flush comes at once, as at a shutdown. Each window begins
//! where the one before it ended.

use jiff::Timestamp;

/// How far the clock may fall behind the end of the last window before windows follow the clock again, seconds. For
/// less, ends continue from the last one; for more, points would lie in the future for long and be refused.
const MAX_AHEAD_SECONDS: i64 = 60;

/// The windows of one connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Where the current window begins: seconds since 1970.
    start: i64,
}

/// One window, nanoseconds since 1970, on whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it begins.
    pub start: u64,
    /// Where it ends, later than it begins.
    pub end: u64,
}

impl Windows {
    /// Windows from now on.
    pub fn new(now: Timestamp) -> Self {
        Windows { start: now.as_second() }
    }

    /// Ends the current window, which holds data.
    pub fn close(&mut self, now: Timestamp) -> Window {
        self.follow_clock(now);
        let start = self.start;
        let end = now.as_second().max(start + 1);
        self.start = end;
        Window {
            start: nanos(start),
            end: nanos(end),
        }
    }

    /// Ends the current window, which holds no data and so needs no second of its own.
    pub fn skip(&mut self, now: Timestamp) {
        self.follow_clock(now);
        self.start = self.start.max(now.as_second());
    }

    /// Another process may have sent points for the seconds up to this one.
    pub fn after(&mut self, second: i64) {
        self.start = self.start.max(second);
    }

    /// The first second in which the current window may end without running ahead of the clock.
    pub fn earliest_end(&self) -> i64 {
        self.start + 1
    }

    fn follow_clock(&mut self, now: Timestamp) {
        if self.start - now.as_second() > MAX_AHEAD_SECONDS {
            self.start = now.as_second();
        }
    }
}

impl Window {
    /// The second in which it ends, since 1970.
    pub fn end_second(&self) -> i64 {
        i64::try_from(self.end / 1_000_000_000).unwrap_or(i64::MAX)
    }
}

fn nanos(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn seconds(window: Window) -> (u64, u64) {
        assert_eq!((window.start % 1_000_000_000, window.end % 1_000_000_000), (0, 0));
        (window.start / 1_000_000_000, window.end / 1_000_000_000)
    }

    #[test]
    fn windows_join_on_whole_seconds() {
        let mut windows = Windows::new(at(100_700));
        assert_eq!(seconds(windows.close(at(110_700))), (100, 110));
        windows.skip(at(120_700));
        assert_eq!(seconds(windows.close(at(130_705))), (120, 130));
    }

    #[test]
    fn two_flushes_never_share_a_second() {
        let mut windows = Windows::new(at(100_000));
        assert_eq!(seconds(windows.close(at(100_100))), (100, 101));
        assert_eq!(seconds(windows.close(at(100_200))), (101, 102));
        assert_eq!(seconds(windows.close(at(101_300))), (102, 103));
        assert_eq!(seconds(windows.close(at(110_000))), (103, 110));
    }

    #[test]
    fn a_clock_set_back_a_little_is_waited_for_and_one_set_back_far_is_followed() {
        let mut windows = Windows::new(at(1_000_000));
        assert_eq!(seconds(windows.close(at(970_000))), (1000, 1001));
        windows.skip(at(975_000));
        assert_eq!(seconds(windows.close(at(980_000))), (1001, 1002));
        assert_eq!(seconds(windows.close(at(900_000))), (900, 901));
    }
}
