//! Warns when finished Jobs pile up because the pipeline does not take their events. They wait in the tracker, whose records
//! are small, and none is dropped.

use jiff::{SignedDuration, Timestamp};

/// A Job that waits for less than this is not behind.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);
/// The first number of waiting Jobs that is worth a warning; then its tenfold, and so on.
const FIRST: usize = 1_000;

/// The size of the next warning.
#[derive(Debug)]
pub(crate) struct Backlog {
    next: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum BacklogChange {
    /// It has grown past the next size.
    Grown,
    /// After a warning the pipeline has accepted everything.
    Gone,
}

impl Backlog {
    pub(crate) fn new() -> Self {
        Backlog { next: FIRST }
    }

    /// Logs that `waiting` Jobs wait, the oldest since `since`, unless that has been logged. Returns true if the
    /// backlog has grown.
    pub(crate) fn log(&mut self, waiting: usize, since: Option<Timestamp>, now: Timestamp) -> bool {
        let change = self.observe(waiting, since, now);
        match change {
            Some(BacklogChange::Grown) => {
                let since = since.map(|since| since.to_string()).unwrap_or_default();
                tracing::warn!(
                    waiting,
                    since,
                    "finished Jobs wait because an exporter is behind, see its errors; no event is dropped, but memory grows"
                );
            }
            Some(BacklogChange::Gone) => tracing::info!("the pipeline accepted the events of all waiting Jobs"),
            None => {}
        }
        change == Some(BacklogChange::Grown)
    }

    fn observe(&mut self, waiting: usize, since: Option<Timestamp>, now: Timestamp) -> Option<BacklogChange> {
        let is_behind = since.is_some_and(|since| now.duration_since(since) >= PATIENCE);
        if !is_behind {
            return (std::mem::replace(&mut self.next, FIRST) > FIRST).then_some(BacklogChange::Gone);
        }
        if waiting < self.next {
            return None;
        }
        while waiting >= self.next {
            self.next = self.next.saturating_mul(10);
        }
        Some(BacklogChange::Grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_at_growing_sizes_and_once_it_is_gone() {
        let mut backlog = Backlog::new();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut changes = Vec::new();
        for (waiting, since, now) in [
            (5_000, 0, 9),
            (999, 0, 10),
            (1_000, 0, 11),
            (9_999, 0, 12),
            (250_000, 0, 13),
            (999_999, 0, 14),
            (5, 20, 20),
            (0, 21, 21),
            (1_000, 22, 40),
        ] {
            changes.extend(
                backlog
                    .observe(waiting, Some(at(since)), at(now))
                    .map(|change| (now, change)),
            );
        }
        let expected = [
            (11, BacklogChange::Grown),
            (13, BacklogChange::Grown),
            (20, BacklogChange::Gone),
            (40, BacklogChange::Grown),
        ];
        assert_eq!(changes, expected);
    }
}
