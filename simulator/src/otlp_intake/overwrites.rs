//! Points that overwrite each other: Datadog keeps one point for each metric, set of tags and second, the last one that
//! arrived.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::views::{PointValue, ReceivedPoint};

/// A point that overwrites another one with a different value.
#[derive(Clone, Debug, PartialEq)]
pub struct Overwrite {
    /// The name of the metric.
    pub metric: String,
    /// The tags of the series.
    pub tags: BTreeSet<String>,
    /// Seconds since 1970.
    pub second: u64,
    /// The overwritten value.
    pub lost: PointValue,
    /// The value that overwrites it.
    pub kept: PointValue,
}

impl fmt::Display for Overwrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overwrite {
            metric,
            tags,
            second,
            lost,
            kept,
        } = self;
        write!(
            f,
            "{metric}{tags:?} at second {second}: {lost:?} was overwritten by {kept:?}"
        )
    }
}

#[derive(Debug, Default)]
pub(super) struct Overwrites {
    last: HashMap<(String, BTreeSet<String>, u64), PointValue>,
    found: Vec<Overwrite>,
}

impl Overwrites {
    pub(super) fn observe(&mut self, point: ReceivedPoint) {
        let second = point.time_unix_nano / 1_000_000_000;
        let tags = point.tags();
        let place = (point.metric, tags, second);
        match self.last.get(&place) {
            Some(before) if *before != point.value => {
                self.found.push(Overwrite {
                    metric: place.0.clone(),
                    tags: place.1.clone(),
                    second,
                    lost: before.clone(),
                    kept: point.value.clone(),
                });
            }
            _ => {}
        }
        self.last.insert(place, point.value);
    }

    pub(super) fn found(&self) -> &[Overwrite] {
        &self.found
    }
}
