//! Changes of objects with their times: the common form of recordings and played Jobs.

use crate::resource::{ChangeType, Resource};
use serde_json::Value;
use std::time::Duration;

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineStep {
    /// Time since the start of the timeline.
    pub at: Duration,
    /// The resource of the object.
    pub resource: Resource,
    /// The kind of change.
    pub change: ChangeType,
    /// The object after the change; its last state, if it was deleted.
    pub object: Value,
}

/// Merges timelines that start together.
pub fn together(timelines: impl IntoIterator<Item = Vec<TimelineStep>>) -> Vec<TimelineStep> {
    let mut steps: Vec<TimelineStep> = timelines.into_iter().flatten().collect();
    // Stable: steps of one timeline at one time keep their order.
    steps.sort_by_key(|step| step.at);
    steps
}

/// Joins timelines, each of which starts `gap` after the last step of the one before.
pub fn one_after_another(timelines: impl IntoIterator<Item = Vec<TimelineStep>>, gap: Duration) -> Vec<TimelineStep> {
    let mut steps: Vec<TimelineStep> = Vec::new();
    for timeline in timelines {
        let start = steps.last().map_or(Duration::ZERO, |last| last.at + gap);
        steps.extend(timeline.into_iter().map(|step| TimelineStep {
            at: start + step.at,
            ..step
        }));
    }
    steps
}
