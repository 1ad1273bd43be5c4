//! The gaps of a watch: times without a working connection. Pure: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// How a watch recovered from a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It resumed at its last version: every change since then is delivered.
    Resumed,
    /// It relisted: objects created and deleted in the gap are missing.
    Relisted,
}

impl Recovery {
    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Recovery::Resumed => "resume",
            Recovery::Relisted => "list",
        }
    }
}

/// A gap of a watch that has resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchGap {
    /// From the last sign of life to the resumed watch: the connection may have been dead for all of it.
    pub length: Duration,
    /// How it ended.
    pub recovery: Recovery,
}

/// Measures the gaps of one watch.
#[derive(Debug, Default)]
pub(crate) struct GapTracker {
    /// The last sign of life; `None` until the first list is complete.
    last_received: Option<Instant>,
    /// The start of the current gap, and its recovery so far.
    gap: Option<(Instant, Recovery)>,
}

impl GapTracker {
    /// True outside of a gap.
    pub(crate) fn is_connected(&self) -> bool {
        self.gap.is_none()
    }

    /// Records a sign of life of a working watch.
    pub(crate) fn received(&mut self, now: Instant) {
        if self.gap.is_none() {
            self.last_received = Some(now);
        }
    }

    /// Records a failure. Before the first list it starts no gap.
    pub(crate) fn failed(&mut self) {
        if let (None, Some(last)) = (self.gap, self.last_received) {
            self.gap = Some((last, Recovery::Resumed));
        }
    }

    /// Records a complete list. Returns true outside of a gap; a gap ends only with a watch that works.
    pub(crate) fn listed(&mut self, now: Instant) -> bool {
        match &mut self.gap {
            Some((_, recovery)) => *recovery = Recovery::Relisted,
            None => self.last_received = Some(now),
        }
        self.is_connected()
    }

    /// Records that the watch that began at `began` works. Returns the gap that it ends.
    pub(crate) fn resumed(&mut self, began: Instant) -> Option<WatchGap> {
        let (since, recovery) = self.gap.take()?;
        self.last_received = Some(began);
        Some(WatchGap {
            length: began.saturating_duration_since(since),
            recovery,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn gap(length: u64, recovery: Recovery) -> Option<WatchGap> {
        Some(WatchGap {
            length: seconds(length),
            recovery,
        })
    }

    #[test]
    fn a_gap_lasts_from_the_last_sign_of_life_to_a_working_watch() {
        let start = Instant::now();
        let mut tracker = GapTracker::default();
        tracker.failed();
        assert!(tracker.listed(start), "before the first list there is no gap");
        tracker.received(start + seconds(30));
        tracker.failed();
        // A watch that fails before it works does not shorten the gap.
        tracker.received(start + seconds(60));
        tracker.failed();
        assert_eq!(tracker.resumed(start + seconds(100)), gap(70, Recovery::Resumed));
        assert_eq!(tracker.resumed(start + seconds(101)), None);
    }

    #[test]
    fn a_list_alone_ends_no_gap_but_marks_it_relisted() {
        let start = Instant::now();
        let mut tracker = GapTracker::default();
        tracker.listed(start);
        tracker.failed();
        assert!(!tracker.listed(start + seconds(5)));
        tracker.failed();
        assert_eq!(tracker.resumed(start + seconds(9)), gap(9, Recovery::Relisted));
        // The next gap starts where this one ended.
        tracker.failed();
        assert_eq!(tracker.resumed(start + seconds(10)), gap(1, Recovery::Resumed));
    }
}
