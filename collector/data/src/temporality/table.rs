//! The series of one kind of point.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::point::DeltaPoint;
use super::{AccumulatorRules, key};

/// The number of intervals that a series remembers, to recognize a repeated point. One is added at most every second,
/// usually every ten; by default a retry ends after five minutes.
const REMEMBERED: usize = 64;

/// By stream (resource, scope and metric), then by attributes.
#[derive(Debug)]
pub(super) struct Table<P>(HashMap<Vec<u8>, HashMap<Vec<u8>, SeriesTotal<P>>>);

impl<P> Default for Table<P> {
    fn default() -> Self {
        Table(HashMap::new())
    }
}

#[derive(Debug)]
struct SeriesTotal<P> {
    /// Without attributes and exemplars.
    total: P,
    start: u64,
    /// The end of the latest interval.
    end: u64,
    /// The last added intervals.
    added: VecDeque<(u64, u64)>,
    touched: Instant,
}

impl<P: DeltaPoint> Table<P> {
    /// Replaces every delta by its series' total.
    pub(super) fn convert(&mut self, stream: Vec<u8>, points: &mut Vec<P>, rules: AccumulatorRules, now: Instant) {
        let stream = self.0.entry(stream).or_default();
        let mut zeros = Vec::new();
        for (place, point) in points.iter_mut().enumerate() {
            if !point.is_recorded() {
                continue;
            }
            let key = key::of_attributes(point.attributes());
            let known = stream
                .get_mut(&key)
                .filter(|series| rules.max_stale.is_none_or(|max| now - series.touched < max));
            let added = known.is_some_and(|series| series.add(point, now));
            if !added {
                let series = SeriesTotal::new(point, now);
                if rules.zero_points && series.start < series.end {
                    zeros.push((place, point.zero(series.start)));
                }
                stream.insert(key.clone(), series);
            }
            if let Some(series) = stream.get(&key) {
                point.show(&series.total, series.start, series.end);
            }
        }
        for (place, zero) in zeros.into_iter().rev() {
            points.insert(place, zero);
        }
    }

    pub(super) fn series(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }

    pub(super) fn sweep(&mut self, max_stale: Duration, now: Instant) {
        self.0.retain(|_, stream| {
            stream.retain(|_, series| now - series.touched < max_stale);
            !stream.is_empty()
        });
    }
}

impl<P: DeltaPoint> SeriesTotal<P> {
    fn new(delta: &P, now: Instant) -> Self {
        let (start, end) = delta.interval();
        SeriesTotal {
            total: delta.bare(),
            // A delta without a start counts from its end.
            start: if start == 0 { end } else { start },
            end,
            added: VecDeque::from([(start, end)]),
            touched: now,
        }
    }

    /// Adds the delta; false if a new series must begin because the interval is counted already, or because the delta is
    /// incompatible with the total.
    fn add(&mut self, delta: &P, now: Instant) -> bool {
        let interval = delta.interval();
        if self.added.contains(&interval) {
            self.touched = now;
            return true;
        }
        let (start, end) = interval;
        if end <= self.end || (start != 0 && start < self.end) || !self.total.add(delta) {
            return false;
        }
        self.end = end;
        self.touched = now;
        if self.added.len() == REMEMBERED {
            self.added.pop_front();
        }
        self.added.push_back(interval);
        true
    }
}
