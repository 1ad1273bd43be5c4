//! When a changed configuration is taken: a state machine over readings of its files. Time is passed in.
//!
//! Readings are compared by their content. The files of a ConfigMap have new times with every replacement of the `..data`
//! link, and an editor may write the same content again.

use std::time::Duration;

use collector_config::Source;
use tokio::time::Instant;

use crate::commands::Failure;

/// How long a change has to last: a file may be read while it is being written.
const SETTLED: Duration = Duration::from_secs(1);
/// How long files may be missing or unreadable: some editors and tools remove a file before they write it again.
const MISSING: Duration = Duration::from_secs(30);

/// The content of all files at one time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    Texts(Vec<String>),
    /// A file that is not a text; holds the error.
    Invalid(String),
    /// A file that cannot be read.
    Unreadable,
}

impl Reading {
    pub(super) fn of(read: &Result<Vec<Source>, Failure>) -> Reading {
        match read {
            Ok(sources) => Reading::Texts(sources.iter().map(|source| source.text.clone()).collect()),
            Err(Failure::Configuration(findings)) => Reading::Invalid(findings.to_string()),
            Err(_) => Reading::Unreadable,
        }
    }
}

/// Decides which readings are a new configuration.
#[derive(Debug)]
pub(super) struct Watch {
    /// The pause between two readings.
    interval: Duration,
    /// The reading that was last taken, valid or not.
    taken: Reading,
    /// A different one, and since when it is read.
    pending: Option<(Reading, Instant)>,
}

impl Watch {
    /// `taken` is the configuration that runs.
    pub(super) fn new(interval: Duration, taken: Reading) -> Watch {
        Watch {
            interval,
            taken,
            pending: None,
        }
    }

    /// Adds a reading. Returns true if it is a new configuration, which then counts as taken.
    pub(super) fn observe(&mut self, reading: Reading, now: Instant) -> bool {
        if reading == self.taken {
            self.pending = None;
            return false;
        }
        match &self.pending {
            Some((pending, since)) if *pending == reading => {
                let is_settled = now.saturating_duration_since(*since) >= self.patience(&reading);
                if is_settled {
                    self.take(reading);
                }
                is_settled
            }
            _ => {
                self.pending = Some((reading, now));
                false
            }
        }
    }

    /// Takes a reading at once.
    pub(super) fn take(&mut self, reading: Reading) {
        self.taken = reading;
        self.pending = None;
    }

    /// How long to wait before the next reading.
    pub(super) fn pause(&self) -> Duration {
        match &self.pending {
            Some((reading, _)) => self.interval.min(self.patience(reading)),
            None => self.interval,
        }
    }

    fn patience(&self, reading: &Reading) -> Duration {
        match reading {
            Reading::Texts(_) | Reading::Invalid(_) => self.interval.min(SETTLED),
            Reading::Unreadable => MISSING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Reading {
        Reading::Texts(texts.iter().map(|&text| text.to_owned()).collect())
    }

    struct Scene {
        watch: Watch,
        now: Instant,
    }

    impl Scene {
        fn new() -> Scene {
            Scene {
                watch: Watch::new(Duration::from_secs(5), texts(&["a"])),
                now: Instant::now(),
            }
        }

        /// The next reading, after the pause that the watch asks for.
        fn next(&mut self, reading: Reading) -> bool {
            self.now += self.watch.pause();
            self.watch.observe(reading, self.now)
        }
    }

    #[test]
    fn equal_content_is_never_a_change() {
        let mut scene = Scene::new();
        for _ in 0..5 {
            assert!(!scene.next(texts(&["a"])));
            assert_eq!(scene.watch.pause(), Duration::from_secs(5));
        }
    }

    #[test]
    fn a_change_is_taken_once_two_readings_agree() {
        let mut scene = Scene::new();
        assert!(!scene.next(texts(&["b"])));
        assert_eq!(scene.watch.pause(), Duration::from_secs(1));
        assert!(scene.next(texts(&["b"])));
        assert!(!scene.next(texts(&["b"])));
        assert!(!scene.next(texts(&["a"])));
        assert!(scene.next(texts(&["a"])), "back to the first one");
    }

    #[test]
    fn a_file_that_is_being_written_is_not_taken() {
        let mut scene = Scene::new();
        for part in ["", "b", "bc"] {
            assert!(!scene.next(texts(&[part])), "{part}");
        }
        assert!(scene.next(texts(&["bc"])));
    }

    #[test]
    fn files_that_change_one_after_the_other_are_taken_once() {
        let mut scene = Scene::new();
        scene.watch.take(texts(&["a", "x"]));
        assert!(!scene.next(texts(&["b", "x"])));
        assert!(!scene.next(texts(&["b", "y"])));
        assert!(scene.next(texts(&["b", "y"])));
    }

    #[test]
    fn a_file_may_be_missing_for_a_moment() {
        let mut scene = Scene::new();
        for _ in 0..6 {
            assert!(!scene.next(Reading::Unreadable));
        }
        assert!(!scene.next(texts(&["a"])));
        assert!(!scene.next(Reading::Unreadable));
        assert!(!scene.next(texts(&["b"])));
        assert!(scene.next(texts(&["b"])));
    }

    #[test]
    fn a_file_that_stays_missing_is_reported_once() {
        let mut scene = Scene::new();
        let missed = (0..20).filter(|_| scene.next(Reading::Unreadable)).count();
        assert_eq!(missed, 1);
        assert!(!scene.next(texts(&["a"])));
        assert!(scene.next(texts(&["a"])), "its return ends the failure");
    }

    #[test]
    fn a_file_that_is_not_a_text_is_taken_like_a_change() {
        let mut scene = Scene::new();
        let invalid = || Reading::Invalid("a.yaml:1:1: not UTF-8".into());
        assert!(!scene.next(invalid()));
        assert!(scene.next(invalid()));
    }

    #[test]
    fn a_short_interval_is_the_longest_pause() {
        let mut watch = Watch::new(Duration::from_millis(200), texts(&["a"]));
        let now = Instant::now();
        assert!(!watch.observe(texts(&["b"]), now));
        assert_eq!(watch.pause(), Duration::from_millis(200));
        assert!(watch.observe(texts(&["b"]), now + watch.pause()));
        assert!(!watch.observe(Reading::Unreadable, now));
        assert_eq!(watch.pause(), Duration::from_millis(200));
    }
}
