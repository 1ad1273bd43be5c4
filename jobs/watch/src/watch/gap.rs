//! For how long a watch did not follow. Pure: the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// How a watch came to follow again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It went on after the last version: every change since then is delivered.
    Resumed,
    /// With a new list: what came and went in the meantime is not in it.
    Relisted,
}

impl Ending {
    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Ending::Resumed => "resume",
            Ending::Relisted => "list",
        }
    }
}

/// A time in which a watch did not follow, now over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// From the last sign of life until it followed again: the connection may have been dead for all of it.
    pub length: Duration,
    /// How it ended.
    pub ending: Ending,
}

/// What is known of a watch's following.
#[derive(Debug, Default)]
pub struct Following {
    /// The last sign of life; `None` until the first list is complete.
    heard: Option<Instant>,
    /// Since when it does not follow, and whether a list was needed.
    gap: Option<(Instant, Ending)>,
}

impl Following {
    /// Whether it follows, as far as is known.
    pub fn is_following(&self) -> bool {
        self.gap.is_none()
    }

    /// A watch that follows gave a sign of life.
    pub fn heard(&mut self, now: Instant) {
        if self.gap.is_none() {
            self.heard = Some(now);
        }
    }

    /// It failed. Before the first list there is nothing to follow, and no gap.
    pub fn failed(&mut self) {
        if let (None, Some(heard)) = (self.gap, self.heard) {
            self.gap = Some((heard, Ending::Resumed));
        }
    }

    /// A list is complete. Returns whether it follows; if not, a watch has to show first that it works.
    pub fn listed(&mut self, now: Instant) -> bool {
        match &mut self.gap {
            Some((_, ending)) => *ending = Ending::Relisted,
            None => self.heard = Some(now),
        }
        self.is_following()
    }

    /// A watch that began at `began` has shown that it works. Returns the gap that it ends.
    pub fn follows(&mut self, began: Instant) -> Option<Gap> {
        let (since, ending) = self.gap.take()?;
        self.heard = Some(began);
        Some(Gap {
            length: began.saturating_duration_since(since),
            ending,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_gap_lasts_from_the_last_sign_of_life_until_a_watch_that_works() {
        let start = Instant::now();
        let mut following = Following::default();
        following.failed();
        assert!(following.listed(start), "before the first list there is no gap");
        following.heard(start + seconds(30));
        following.failed();
        // A watch that fails again before it has shown that it works does not shorten the gap.
        following.heard(start + seconds(60));
        following.failed();
        assert_eq!(
            following.follows(start + seconds(100)),
            Some(Gap {
                length: seconds(70),
                ending: Ending::Resumed
            })
        );
        assert_eq!(following.follows(start + seconds(101)), None);
    }

    #[test]
    fn a_list_ends_no_gap_by_itself_but_is_remembered() {
        let start = Instant::now();
        let mut following = Following::default();
        following.listed(start);
        following.failed();
        assert!(!following.listed(start + seconds(5)));
        following.failed();
        let gap = following.follows(start + seconds(9));
        let expected = Gap {
            length: seconds(9),
            ending: Ending::Relisted,
        };
        assert_eq!(gap, Some(expected));
        // The next one begins where this one ended.
        following.failed();
        let gap = following.follows(start + seconds(10));
        assert_eq!(
            gap.map(|gap| (gap.length, gap.ending)),
            Some((seconds(1), Ending::Resumed))
        );
    }
}
