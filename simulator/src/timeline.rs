//! What happens to objects, and when: the form recordings and played Jobs share.

use crate::resource::{ChangeType, Resource};
use serde_json::Value;
use std::time::Duration;

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Time since the beginning, in the time of the story.
    pub at: Duration,
    /// The resource of the object.
    pub resource: Resource,
    /// What happened to it.
    pub change: ChangeType,
    /// The object after the change (its last state, if it was deleted).
    pub object: Value,
}

/// Several stories beginning together.
pub fn together(timelines: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    let mut steps: Vec<Step> = timelines.into_iter().flatten().collect();
    // Stable: steps of one story at one time keep their order.
    steps.sort_by_key(|step| step.at);
    steps
}

/// Several stories, each beginning `gap` after the last step of the one before.
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
