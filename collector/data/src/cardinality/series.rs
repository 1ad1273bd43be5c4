//! The series of one metric that are known. Pure.

use std::collections::HashMap;

/// A series that is not used for this long loses its place to a new one, seconds. A backend that bills the series of an
/// hour never sees more than the limit, since a place is free at the earliest one hour after its last point; twice that, so
/// that what runs every hour keeps its place.
pub const EXPIRY: i64 = 2 * 3600;
/// How often unused series are searched for, seconds.
const SEARCH: i64 = 60;

/// The known series of one metric, at most a limit. A series is known by a hash of 8 bytes: two with the same hash share
/// a place, which costs nothing but an exact limit.
#[derive(Debug)]
pub struct SeriesLimit {
    limit: usize,
    /// The last use of each, seconds since 1970.
    known: HashMap<u64, i64>,
    searched: Option<i64>,
}

impl SeriesLimit {
    /// At most `limit` series. One of them is the overflow (OpenTelemetry metrics SDK, "Cardinality limits": a limit counts
    /// the overflow attribute set).
    pub fn new(limit: usize) -> Self {
        SeriesLimit {
            limit: limit.max(1),
            known: HashMap::new(),
            searched: None,
        }
    }

    /// True if the series has a place of its own: if it is known, or a place is free. `now` in seconds since 1970.
    pub fn admits(&mut self, series: u64, now: i64) -> bool {
        if let Some(last) = self.known.get_mut(&series) {
            *last = now;
            return true;
        }
        if self.is_full() {
            self.forget_unused(now);
        }
        let fits = !self.is_full();
        if fits {
            self.known.insert(series, now);
        }
        fits
    }

    /// The number of known series.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True without known series.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn is_full(&self) -> bool {
        self.known.len() + 1 >= self.limit
    }

    fn forget_unused(&mut self, now: i64) {
        // Also after the clock was set back.
        if self.searched.is_some_and(|last| (last..last + SEARCH).contains(&now)) {
            return;
        }
        self.searched = Some(now);
        self.known.retain(|_, last| {
            *last = (*last).min(now);
            now - *last < EXPIRY
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_435_200;

    #[test]
    fn the_first_series_have_places_and_the_overflow_the_last() {
        let mut series = SeriesLimit::new(5);
        let admitted: Vec<u64> = (0..10).filter(|hash| series.admits(*hash, NOW)).collect();
        assert_eq!(admitted, [0, 1, 2, 3]);
        assert_eq!(series.len(), 4);
    }

    #[test]
    fn known_series_keep_their_places() {
        let mut series = SeriesLimit::new(3);
        for minute in 0..1000 {
            let now = NOW + minute * 60;
            // Newcomers ask first.
            assert!(minute == 0 || !series.admits(100 + minute as u64, now));
            assert!(series.admits(0, now) && series.admits(1, now));
        }
    }

    #[test]
    fn a_series_that_is_not_used_for_two_hours_is_replaced() {
        let mut series = SeriesLimit::new(3);
        assert!(series.admits(0, NOW) && series.admits(1, NOW));
        assert!(!series.admits(2, NOW + EXPIRY - 61));
        assert!(series.admits(0, NOW + EXPIRY - 61));
        assert!(series.admits(2, NOW + EXPIRY), "1 is not used");
        assert!(!series.admits(1, NOW + EXPIRY + 1));
        assert!(series.admits(0, NOW + EXPIRY + 1), "0 is used");
        assert_eq!(series.len(), 2);
    }

    #[test]
    fn no_hour_has_more_series_than_the_limit() {
        // A new series every second for a day.
        let (mut series, limit) = (SeriesLimit::new(100), 100);
        let mut sent: Vec<(i64, u64)> = Vec::new();
        for second in 0..86_400 {
            let now = NOW + second;
            if series.admits(second as u64, now) {
                sent.push((now, second as u64));
            }
        }
        for (index, (begin, _)) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|(at, _)| at - begin < 3600);
            assert!(within.count() < limit);
        }
        assert!(
            sent.len() > 99 * 11,
            "new series have places every two hours: {}",
            sent.len()
        );
    }

    #[test]
    fn a_clock_that_is_set_back_frees_places_later() {
        let mut series = SeriesLimit::new(2);
        assert!(series.admits(0, NOW + 1_000_000));
        assert!(!series.admits(1, NOW));
        assert!(series.admits(1, NOW + EXPIRY));
    }

    #[test]
    fn a_limit_of_one_leaves_the_overflow_only() {
        assert!(!SeriesLimit::new(1).admits(0, NOW));
    }
}
