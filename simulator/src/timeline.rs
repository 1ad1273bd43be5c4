//! Changes of objects with their times: the common form of recordings and played Jobs.

use crate::resource::{ChangeType, Resource};
use serde_json::Value;
use std::time::Duration;

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
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
pub fn together(timelines: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    let mut steps: Vec<Step> = timelines.into_iter().flatten().collect();
    // Stable: steps of one timeline at one time keep their order.
    steps.sort_by_key(|step| step.at);
    steps
}

/// Joins timelines, each of which starts `gap` after the last step of the one before.
pub fn one_after_another(timelines: impl IntoIterator<Item = Vec<Step>>, gap: Duration) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for timeline in timelines {
        let start = steps.last().map_or(Duration::ZERO, |last| last.at + gap);
        steps.extend(timeline.into_iter().map(|step| Step {
            at: start + step.at,
            ..step
        }));
    }
    steps
}
